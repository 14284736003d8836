// Signed objects of every kind: opened, made again byte for byte, and refused for the published reasons.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as s from '../src/index.js';
import { type Case, cases, expectOutcome, hex, load, outcome } from './vectors.js';

const vectors = load('objects');
const signatures = load('signatures');

// req: A4 A8 A9 A18
test('an object of every kind opens, and says what it says', async () => {
  const seen = new Set<string>();
  for (const { kind, fields, signed_bytes, object, id } of cases(vectors, 'signed')) {
    const opened = await s.openObject(kind as s.KindName, hex(object));
    assert.deepEqual(s.toJson(opened.body as never), fields, kind);
    assert.equal(s.toHex(opened.id), id, kind);
    assert.equal(s.toHex((await s.openEnvelope(hex(object))).signedBytes), signed_bytes, kind);
    assert.equal(await s.peekKind(hex(object)), kind);
    seen.add(kind);
  }
  for (const { kind, fields, payload, id } of cases(vectors, 'unsigned')) {
    const opened = await s.openUnsigned(kind as s.KindName, hex(payload));
    assert.deepEqual(s.toJson(opened.body as never), fields, kind);
    assert.equal(s.toHex(opened.id), id, kind);
    seen.add(kind);
  }
  assert.deepEqual([...seen].sort(), [...s.KINDS.keys()].sort(), 'no kind is left out');
});

// req: A3 A18
test('the same fields, signed here, give the same bytes', async () => {
  for (const { kind, signer_seed, object } of cases(vectors, 'signed')) {
    const { body } = await s.openObject(kind as s.KindName, hex(object));
    const made = await s.signObject(kind as s.KindName, body, hex(signer_seed));
    assert.equal(s.toHex(made.bytes), object, kind);
  }
});

// req: A9 A12 A18
test('what is wrong is refused for the published reason', async () => {
  for (const { kind, object, expect, why } of cases(vectors, 'refused')) {
    await expectOutcome(expect, `${kind}: ${why}`, () => s.openObject(kind as s.KindName, hex(object)));
  }
});

// req: A9
test('no object opens as another kind', async () => {
  const all = cases(vectors, 'signed');
  const kinds = [...s.KINDS.values()].filter(({ author }) => author !== null);
  for (const { kind, object } of all.filter((one, i) => all.findIndex((other) => other.kind === one.kind) === i)) {
    for (const { name } of kinds) {
      if (name !== kind) await expectOutcome('unsupported', `${kind} as ${name}`, () => s.openObject(name, hex(object)));
    }
  }
});

// req: A9
test('nobody signs in the name of another', async () => {
  for (const { kind, object } of cases(vectors, 'signed')) {
    const { body } = await s.openObject(kind as s.KindName, hex(object));
    await expectOutcome('unauthorized', kind, () => s.signObject(kind as s.KindName, body, new Uint8Array(32).fill(9)));
  }
});

// req: D11
test('a commitment binds the reveal', async () => {
  for (const { reveal, digest } of cases(vectors, 'commitments')) {
    assert.equal(s.toHex(await s.sha256(s.utf8('selvedge commitment v1'), hex(reveal))), digest);
  }
});

// req: A9 A18
test('Ed25519 is verified strictly', async () => {
  for (const { seed, key, message, signature } of cases(signatures, 'made')) {
    assert.equal(s.toHex(await s.ed25519PublicKey(hex(seed))), key);
    assert.equal(s.toHex(await s.ed25519Sign(hex(seed), hex(message))), signature);
    assert.ok(await s.ed25519Verify(hex(key), hex(message), hex(signature)));
  }
  for (const { key, message, signature, valid, why } of cases(signatures, 'verdicts')) {
    assert.equal(await s.ed25519Verify(hex(key), hex(message), hex(signature)), valid, why);
  }
});

const smallest = (list: Case[]): Case => list.reduce((best, one) => (one.object.length < best.object.length ? one : best));

// req: A9 C15
test('every byte of a signed object matters, in every bit', async () => {
  const { kind, object } = smallest(cases(vectors, 'signed'));
  const good = hex(object);
  await s.openObject(kind as s.KindName, good);
  for (let at = 0; at < good.length; ++at) {
    for (let bit = 0; bit < 8; ++bit) {
      const changed = good.slice();
      changed[at] = (changed[at] as number) ^ (1 << bit);
      assert.notEqual(await outcome(() => s.openObject(kind as s.KindName, changed)), 'ok', `byte ${at}, bit ${bit}`);
    }
  }
});

// req: A9 C15
test('a signed object that is cut, or longer, or has a byte more or less inside, is refused', async () => {
  const { kind, object } = smallest(cases(vectors, 'signed'));
  const good = hex(object);
  for (let at = 0; at <= good.length; ++at) {
    if (at < good.length) assert.notEqual(await outcome(() => s.openObject(kind as s.KindName, good.slice(0, at))), 'ok', `cut at ${at}`);
    if (at < good.length) assert.notEqual(await outcome(() => s.openObject(kind as s.KindName, s.concat(good.slice(0, at), good.slice(at + 1)))), 'ok', `without byte ${at}`);
    for (const byte of [0x00, 0xff]) {
      const longer = s.concat(good.slice(0, at), Uint8Array.of(byte), good.slice(at));
      assert.notEqual(await outcome(() => s.openObject(kind as s.KindName, longer)), 'ok', `${byte} before byte ${at}`);
    }
  }
});
