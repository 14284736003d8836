// The published vectors, and what the tests share. SELVEDGE_VECTORS names the folder when the tests do not lie in the checkout.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type Bytes, Refusal, fromHex } from '../src/index.js';

const folder = process.env['SELVEDGE_VECTORS'] ?? new URL('../../../docs/spec/vectors', import.meta.url).pathname;

// Vectors are data of many shapes: a case is read by the test that knows its shape.
export type Case = any;

export function load(name: string): Record<string, Case[]> {
  return JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'));
}

/** The list of cases; an empty or missing one is a failure, because a test over it would prove nothing. */
export function cases(file: Record<string, Case[]>, list: string): Case[] {
  const found = file[list];
  assert.ok(found !== undefined && found.length > 0, `the vectors have no ${list}`);
  return found;
}

export const hex = fromHex;
export const hexOrNull = (text: string | null): Bytes | null => (text === null ? null : fromHex(text));
/** Integers of 2^53 or more are decimal strings. */
export const integer = (value: number | string): bigint => BigInt(value);

/** 'ok', or the code of the Refusal; any other error is a bug and passes through. */
export async function outcome(action: () => unknown): Promise<string> {
  try {
    await action();
    return 'ok';
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

export async function expectOutcome(expected: string, why: string, action: () => unknown): Promise<void> {
  assert.equal(await outcome(action), expected, why);
}
