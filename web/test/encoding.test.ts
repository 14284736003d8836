// Deterministic CBOR: the same verdicts as the published ones, and one encoding for each value.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cbor } from '../src/index.js';
import { cases, expectOutcome, hex, load, outcome } from './vectors.js';

const vectors = load('cbor');

// req: A3 A18
test('what is canonical is read, written again alike, and shown alike', () => {
  for (const { hex: bytes, diagnostic } of cases(vectors, 'accepted')) {
    const value = cbor.decode(hex(bytes));
    assert.deepEqual(cbor.encode(value), hex(bytes), bytes);
    assert.equal(cbor.diagnostic(value), diagnostic);
  }
});

// req: A3 A18
test('whatever else there is is refused for the same reason', async () => {
  for (const { hex: bytes, expect, why } of cases(vectors, 'refused')) await expectOutcome(expect, `${why}: ${bytes}`, () => cbor.decode(hex(bytes)));
});

// req: A3
test('every input of up to two bytes is refused or has no other encoding', async () => {
  const accepted = new Map<string, string>();
  const inputs = [...Array(256).keys()].flatMap((a) => [Uint8Array.of(a), ...[...Array(256).keys()].map((b) => Uint8Array.of(a, b))]);
  for (const input of inputs) {
    if ((await outcome(() => cbor.decode(input))) !== 'ok') continue;
    const value = cbor.decode(input);
    assert.deepEqual(cbor.encode(value), input);
    const shown = cbor.diagnostic(value);
    assert.ok(!accepted.has(shown), `${shown} has two encodings`);
    accepted.set(shown, shown);
  }
  assert.ok(accepted.size > 500);
});

test('text that is not Unicode is not written', async () => {
  await expectOutcome('invalid', 'a lone surrogate', () => cbor.write.text('\ud800'));
});
