// Names: schemas, zones, objects, content, keys, tickets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as s from '../src/index.js';
import { cases, expectOutcome, hex, integer, load } from './vectors.js';

const vectors = load('names');

// req: A4 A18
test('schema ids follow from name, version and description', async () => {
  for (const { name, version, fields, id } of cases(vectors, 'schemas')) assert.equal(s.toHex(await s.schemaId(name, version, fields)), id, name);
});

// req: A4 A8
test('this reader knows each published kind by the same description', () => {
  const published = cases(vectors, 'schemas').filter(({ fields }) => fields.startsWith('{'));
  const known = [...s.KINDS.values()].map(({ name, version, description }) => ({ name, version, fields: description }));
  assert.deepEqual(known, published.map(({ name, version, fields }) => ({ name, version, fields })));
});

// req: A4 A6
test('zone ids bind owner and name', async () => {
  for (const { owner, name, id } of cases(vectors, 'zones')) assert.equal(s.toHex(await s.zoneId(hex(owner), name)), id, name);
});

// req: A4 R9
test('object ids bind zone, schema and content', async () => {
  const ids = new Set<string>();
  for (const { zone, schema, content, id } of cases(vectors, 'object_ids')) {
    assert.equal(s.toHex(await s.objectId(hex(zone), hex(schema), hex(content))), id);
    ids.add(id);
  }
  assert.equal(ids.size, cases(vectors, 'object_ids').length, 'each differs from each');
});

// req: R9 A18
test('CIDs', async () => {
  for (const { codec, content, bytes, text } of cases(vectors, 'cids')) {
    const cid = await s.cidOf(codec, hex(content));
    assert.equal(s.cidText(cid), text);
    assert.equal(s.toHex(s.cidBytes(cid)), bytes);
    assert.deepEqual(s.parseCid(text), cid);
  }
  for (const { text, expect, why } of cases(vectors, 'refused_cids')) await expectOutcome(expect, why, () => s.parseCid(text));
});

// req: R26 A18
test('keys are 52 characters of z-base-32', async () => {
  for (const { seed, key, text } of cases(vectors, 'keys')) {
    if (seed !== null) assert.equal(s.toHex(await s.ed25519PublicKey(hex(seed))), key);
    assert.equal(s.keyText(hex(key)), text);
    assert.equal(s.toHex(s.parseKey(text)), key);
  }
  for (const { text, why } of cases(vectors, 'refused_keys')) await expectOutcome('invalid', why, () => s.parseKey(text));
});

test('base32 and z-base-32', async () => {
  for (const { bytes, base32, zbase32 } of cases(vectors, 'texts')) {
    assert.equal(s.base32.encode(hex(bytes)), base32);
    assert.equal(s.zbase32.encode(hex(bytes)), zbase32);
    assert.equal(s.toHex(s.base32.decode(base32)), bytes);
    assert.equal(s.toHex(s.zbase32.decode(zbase32)), bytes);
  }
  for (const { base, text, expect, why } of cases(vectors, 'refused_texts')) {
    await expectOutcome(expect, why, () => (base === 'base32' ? s.base32 : s.zbase32).decode(text));
  }
});

// req: A18
test('tickets', async () => {
  for (const { fields, cbor, text } of cases(vectors, 'tickets')) {
    const ticket = await s.parseTicket(text);
    const expected = { node: hex(fields.node), owner: hex(fields.owner), addresses: fields.addresses, expires: fields.expires === null ? null : integer(fields.expires) };
    assert.deepEqual(ticket, expected);
    assert.equal(await s.ticketText(ticket), text);
    assert.equal(s.toHex(s.base32.decode(text.slice(9)).slice(0, -4)), cbor);
  }
  for (const { text, expect, why } of cases(vectors, 'typed_tickets')) await expectOutcome(expect, why, () => s.parseTicket(text));
});
