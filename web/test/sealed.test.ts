// Sealed things and the keys of zones, objects and symbols.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as s from '../src/index.js';
import { type Case, cases, expectOutcome, hex, integer, load, outcome } from './vectors.js';

const sealed = load('sealed');
const symbols = load('symbols');

// req: B2 A18
test('what was sealed to a device opens with its key, and is made again byte for byte', async () => {
  for (const one of cases(sealed, 'opened')) {
    const seed = hex(one.recipient_seed);
    assert.equal(s.toHex(await s.x25519PublicKey(seed)), one.recipient);
    assert.equal(s.toHex(await s.openSealed(seed, hex(one.sealed), hex(one.context))), one.plaintext);
    const made = await s.sealTo(hex(one.recipient), hex(one.plaintext), hex(one.context), hex(one.ephemeral_seed));
    assert.equal(s.toHex(made), one.sealed);
  }
});

// req: B2 A9
test('what is wrong with a sealed thing is refused for the published reason', async () => {
  for (const { recipient_seed, context, sealed: bytes, expect, why } of cases(sealed, 'refused')) {
    await expectOutcome(expect, why, () => s.openSealed(hex(recipient_seed), hex(bytes), hex(context)));
  }
});

// req: A9 C15
test('every byte of a sealed thing matters, in every bit', async () => {
  const { recipient_seed, context, sealed: bytes } = cases(sealed, 'opened')[0];
  const good = hex(bytes);
  // The top bit of an X25519 key is not part of it (RFC 7748 5), but the key derivation and the tag bind all of its bytes.
  for (let at = 0; at < good.length; ++at) {
    for (let bit = 0; bit < 8; ++bit) {
      const changed = good.slice();
      changed[at] = (changed[at] as number) ^ (1 << bit);
      assert.notEqual(await outcome(() => s.openSealed(hex(recipient_seed), changed, hex(context))), 'ok', `byte ${at}, bit ${bit}`);
    }
    assert.notEqual(await outcome(() => s.openSealed(hex(recipient_seed), good.slice(0, at), hex(context))), 'ok', `cut at ${at}`);
  }
});

// req: A6 R12
test('epoch secrets and content tags follow from the root', async () => {
  for (const { root, zone, epoch, secret } of cases(symbols, 'epochs')) {
    assert.equal(s.toHex(await s.zoneEpochSecret(hex(root), hex(zone), integer(epoch))), secret, `epoch ${epoch}`);
  }
  for (const { zone, epoch_secret, content, content_sha256, tag } of cases(symbols, 'content_tags')) {
    assert.equal(s.toHex(await s.sha256(hex(content))), content_sha256);
    assert.equal(s.toHex(await s.contentTag(hex(epoch_secret), hex(zone), hex(content))), tag);
  }
});

const placeOf = (one: Case): s.SymbolPlace => ({ sbn: one.sbn, esi: one.esi, objectBytes: integer(one.object_bytes), symbolBytes: one.symbol_bytes });

// req: B2 R12 R23
test('symbols: key, nonce, associated data, ciphertext', async () => {
  const used = new Set<string>();
  for (const one of cases(symbols, 'symbols')) {
    const place = placeOf(one);
    const key = await s.objectKey(hex(one.epoch_secret), hex(one.zone), hex(one.object), place.objectBytes, place.symbolBytes);
    assert.equal(s.toHex(key.key), one.key);
    assert.equal(s.toHex(s.symbolNonce(place)), one.nonce);
    assert.equal(s.toHex(s.symbolData(key.object, place)), one.aad);
    const bytes = s.concat(hex(one.ciphertext), hex(one.tag));
    assert.deepEqual(s.sealSymbol(key, place, hex(one.plaintext)), bytes);
    assert.equal(s.toHex(s.openSymbol(key, place, bytes)), one.plaintext);
    used.add(`${one.key} ${one.nonce}`);
  }
  assert.equal(used.size, cases(symbols, 'symbols').length, 'no key and nonce twice');
});

// req: B2
test('a symbol opens in its own place only', async () => {
  for (const one of cases(symbols, 'refused')) {
    const key = { object: hex(one.object), objectBytes: integer(one.key_object_bytes), symbolBytes: one.key_symbol_bytes, key: hex(one.key) };
    await expectOutcome(one.expect, one.why, () => s.openSymbol(key, placeOf(one), s.concat(hex(one.ciphertext), hex(one.tag))));
  }
});

// req: A6 R24
test('epoch secrets and task keys as they travel', async () => {
  for (const { device_seed, zone, epoch, context, sealed: bytes, secret } of cases(symbols, 'sealed_epochs')) {
    assert.equal(s.toHex(s.epochContext(hex(zone), integer(epoch))), context);
    assert.equal(s.toHex(await s.openSealed(hex(device_seed), hex(bytes), hex(context))), secret);
  }
  for (const { executor_seed, task, sealed: bytes, keys } of cases(symbols, 'task_keys')) {
    const opened = await s.openTaskKeys(hex(executor_seed), hex(task), hex(bytes));
    const expected = keys.map((one: Case) => ({ object: hex(one.object), objectBytes: integer(one.object_bytes), symbolBytes: one.symbol_bytes, key: hex(one.key) }));
    assert.deepEqual(opened, expected);
    await expectOutcome('integrity', 'another task', () => s.openTaskKeys(hex(executor_seed), new Uint8Array(32), hex(bytes)));
  }
});
