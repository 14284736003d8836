// Deterministic CBOR (RFC 8949 4.2.1) of the subset that records use: docs/spec/objects.md, "Encoding".
//
// Integers are bigint, because they have 64 bits. Every input that is accepted has exactly one encoding: the reader refuses the rest.

import { type Bytes, compare, concat, fromUtf8, toHex, utf8 } from './bytes.js';
import { refuse } from './refusal.js';

export const DEPTH_MAX = 32;
export const INPUT_SIZE_MAX = 64 * 1024 * 1024;

export type ItemType = 'unsigned' | 'negative' | 'bytes' | 'text' | 'array' | 'map' | 'tag' | 'bool' | 'null';
const MAJOR_TYPES: readonly ItemType[] = ['unsigned', 'negative', 'bytes', 'text', 'array', 'map', 'tag'];

/** Any item as a tree, for tools that do not know the schema. A negative integer is its value. */
export type Value =
  | { type: 'integer'; value: bigint }
  | { type: 'bytes'; value: Bytes }
  | { type: 'text'; value: string }
  | { type: 'array'; items: Value[] }
  | { type: 'map'; pairs: [Value, Value][] }
  | { type: 'tag'; tag: bigint; item: Value }
  | { type: 'bool'; value: boolean }
  | { type: 'null' };

const TRUE = 0xf5;
const FALSE = 0xf4;
const NULL = 0xf6;

/** Reads items one after the other. After a Refusal it is not used further. */
export class Reader {
  #at = 0;
  constructor(readonly bytes: Bytes) {
    if (bytes.length > INPUT_SIZE_MAX) refuse('limit', `the input is larger than ${INPUT_SIZE_MAX} bytes`);
  }

  get position(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.bytes.length - this.#at;
  }

  peek(): ItemType {
    const initial = this.bytes[this.#at];
    if (initial === undefined) return refuse('invalid', 'the record ends in the middle of an item');
    const type = MAJOR_TYPES[initial >> 5];
    if (type !== undefined) return type;
    if (initial === TRUE || initial === FALSE) return 'bool';
    if (initial === NULL) return 'null';
    return refuse('invalid', 'floats, undefined, breaks and other simple values are not used in records');
  }

  unsigned(): bigint {
    return this.#expect('unsigned');
  }

  /** Within 64 bits with sign. */
  integer(): bigint {
    const type = this.peek();
    if (type !== 'unsigned' && type !== 'negative') refuse('invalid', `an integer was expected, not ${type}`);
    const value = this.#head();
    if (value >= 1n << 63n) refuse('invalid', 'an integer does not fit 64 bits with sign');
    return type === 'unsigned' ? value : -1n - value;
  }

  byteString(): Bytes {
    return this.#take(this.#expect('bytes'));
  }

  text(): string {
    return fromUtf8(this.#take(this.#expect('text')));
  }

  /** The number of items that follow. */
  array(): number {
    return this.#count(this.#expect('array'), 1);
  }

  /** The number of pairs that follow. */
  map(): number {
    return this.#count(this.#expect('map'), 2);
  }

  tag(): bigint {
    return this.#expect('tag');
  }

  bool(): boolean {
    const type = this.peek();
    if (type !== 'bool') refuse('invalid', `true or false was expected, not ${type}`);
    return this.bytes[this.#at++] === TRUE;
  }

  null(): void {
    const type = this.peek();
    if (type !== 'null') refuse('invalid', `null was expected, not ${type}`);
    this.#at++;
  }

  /** One whole item, however deep. */
  item(depth = DEPTH_MAX): Value {
    if (depth === 0) refuse('limit', `a record is nested deeper than ${DEPTH_MAX} levels`);
    const type = this.peek();
    switch (type) {
      case 'unsigned':
        return { type: 'integer', value: this.#head() };
      case 'negative':
        return { type: 'integer', value: -1n - this.#head() };
      case 'bytes':
        return { type, value: this.byteString() };
      case 'text':
        return { type, value: this.text() };
      case 'array': {
        const items: Value[] = [];
        for (let left = this.array(); left > 0; --left) items.push(this.item(depth - 1));
        return { type, items };
      }
      case 'map':
        return { type, pairs: this.#pairs(this.map(), depth) };
      case 'tag':
        return { type, tag: this.tag(), item: this.item(depth - 1) };
      case 'bool':
        return { type, value: this.bool() };
      case 'null':
        this.null();
        return { type };
    }
  }

  finish(): void {
    if (this.remaining > 0) refuse('invalid', `${this.remaining} bytes follow the end of the record`);
  }

  #pairs(count: number, depth: number): [Value, Value][] {
    const pairs: [Value, Value][] = [];
    let previous: Bytes | undefined;
    for (let left = count; left > 0; --left) {
      const start = this.#at;
      const key = this.item(depth - 1);
      const encoded = this.bytes.subarray(start, this.#at);
      if (previous !== undefined && compare(previous, encoded) >= 0) refuse('non_canonical', 'the keys of a map are not in order, or one is there twice');
      previous = encoded;
      pairs.push([key, this.item(depth - 1)]);
    }
    return pairs;
  }

  #expect(type: ItemType): bigint {
    const found = this.peek();
    if (found !== type) refuse('invalid', `${type} was expected, not ${found}`);
    return this.#head();
  }

  /** The argument of an item's head, in its shortest form. */
  #head(): bigint {
    const info = (this.bytes[this.#at] as number) & 0x1f;
    if (info < 24) {
      this.#at++;
      return BigInt(info);
    }
    if (info > 27) refuse('invalid', 'items of indefinite length and reserved forms are not used in records');
    const size = 1 << (info - 24);
    if (this.remaining < 1 + size) refuse('invalid', 'the record ends in the middle of an item');
    let value = 0n;
    for (const byte of this.bytes.subarray(this.#at + 1, this.#at + 1 + size)) value = (value << 8n) | BigInt(byte);
    const least = size === 1 ? 24n : 1n << BigInt(size * 4);
    if (value < least) refuse('non_canonical', 'a number is written longer than it needs to be');
    this.#at += 1 + size;
    return value;
  }

  #take(size: bigint): Bytes {
    if (size > BigInt(this.remaining)) refuse('invalid', 'the record ends in the middle of an item');
    const start = this.#at;
    this.#at += Number(size);
    return this.bytes.slice(start, this.#at);
  }

  /** No item is smaller than a byte, so a larger count is a lie: nothing is allocated for it. */
  #count(count: bigint, least: number): number {
    if (count * BigInt(least) > BigInt(this.remaining)) refuse('invalid', 'the record ends in the middle of an item');
    return Number(count);
  }
}

/** Refuses whatever is not exactly one item of the subset. */
export function decode(bytes: Bytes): Value {
  const reader = new Reader(bytes);
  const value = reader.item();
  reader.finish();
  return value;
}

// ---- writing

function head(major: number, value: bigint | number): Bytes {
  const argument = BigInt(value);
  if (argument < 0n || argument >= 1n << 64n) refuse('invalid', 'a number of CBOR has at most 64 bits');
  if (argument < 24n) return Uint8Array.of((major << 5) | Number(argument));
  const size = argument < 1n << 8n ? 1 : argument < 1n << 16n ? 2 : argument < 1n << 32n ? 4 : 8;
  const out = new Uint8Array(1 + size);
  out[0] = (major << 5) | (24 + Math.log2(size));
  for (let i = 0; i < size; ++i) out[1 + i] = Number((argument >> BigInt(8 * (size - 1 - i))) & 0xffn);
  return out;
}

/** The encodings of single items; arrays, maps and tags take items that are encoded already. */
export const write = {
  integer: (value: bigint | number): Bytes => (BigInt(value) >= 0n ? head(0, value) : head(1, -1n - BigInt(value))),
  bytes: (value: Uint8Array): Bytes => concat(head(2, value.length), value),
  text: (value: string): Bytes => {
    const encoded = utf8(value);
    return concat(head(3, encoded.length), encoded);
  },
  array: (items: readonly Uint8Array[]): Bytes => concat(head(4, items.length), ...items),
  /** Sorts the pairs by their keys. */
  map: (pairs: readonly (readonly [Uint8Array, Uint8Array])[]): Bytes => {
    const sorted = [...pairs].sort(([a], [b]) => compare(a, b));
    return concat(head(5, pairs.length), ...sorted.flat());
  },
  tag: (tag: bigint | number, item: Uint8Array): Bytes => concat(head(6, tag), item),
  bool: (value: boolean): Bytes => Uint8Array.of(value ? TRUE : FALSE),
  null: (): Bytes => Uint8Array.of(NULL),
};

export function encode(value: Value): Bytes {
  switch (value.type) {
    case 'integer':
      return write.integer(value.value);
    case 'bytes':
      return write.bytes(value.value);
    case 'text':
      return write.text(value.value);
    case 'array':
      return write.array(value.items.map(encode));
    case 'map':
      return write.map(value.pairs.map(([key, item]) => [encode(key), encode(item)] as const));
    case 'tag':
      return write.tag(value.tag, encode(value.item));
    case 'bool':
      return write.bool(value.value);
    case 'null':
      return write.null();
  }
}

/** RFC 8949 8, diagnostic notation. */
export function diagnostic(value: Value): string {
  switch (value.type) {
    case 'integer':
      return value.value.toString();
    case 'bytes':
      return `h'${toHex(value.value)}'`;
    case 'text':
      return `"${value.value.replace(/["\\]/g, '\\$&')}"`;
    case 'array':
      return `[${value.items.map(diagnostic).join(', ')}]`;
    case 'map':
      return `{${value.pairs.map(([key, item]) => `${diagnostic(key)}: ${diagnostic(item)}`).join(', ')}}`;
    case 'tag':
      return `${value.tag}(${diagnostic(value.item)})`;
    case 'bool':
      return String(value.value);
    case 'null':
      return 'null';
  }
}
