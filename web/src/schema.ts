// Records by their field description: "{node:bytes32,expires:?u64}" is all that is needed to read one and to write one.
//
// A record is a CBOR array of its fields in order (docs/spec/objects.md, "Encoding"). The description is also what a schema id is
// computed from, so that a reader that has the wrong description finds the schema id unknown and never misreads.

import type { Bytes } from './bytes.js';
import { Reader, write } from './cbor.js';
import { type Cid, cidText, readCid, writeCid } from './names.js';
import { refuse } from './refusal.js';

export type FieldType =
  | { is: 'bool' | 'text' | 'bytes' | 'cid' }
  | { is: 'unsigned' | 'signed'; bits: number }
  | { is: 'fixed'; size: number }
  | { is: 'enum'; first: number; last: number }
  | { is: 'optional' | 'list'; of: FieldType }
  | { is: 'variant'; of: FieldType[] }
  | { is: 'record'; fields: { name: string; type: FieldType }[] };

/** One of several types: which of them, from 0, and the value. */
export interface Alternative<T = FieldValue> { which: number; value: T }

/** Integers of 64 bits are bigint, smaller ones and enumerations are numbers, what is absent is null. */
export type FieldValue = boolean | number | bigint | string | Bytes | Cid | null | FieldValue[] | { [name: string]: FieldValue };

const LIST_ITEMS_MAX = 65_536;

// ---- descriptions

class DescriptionParser {
  #at = 0;
  constructor(readonly text: string) {}

  whole(): FieldType {
    const type = this.#type();
    if (this.#at !== this.text.length) this.#bad();
    return type;
  }

  #type(): FieldType {
    if (this.#skip('?')) return { is: 'optional', of: this.#type() };
    if (this.#skip('[')) return this.#closed({ is: 'list', of: this.#type() }, ']');
    if (this.#skip('{')) return this.#closed({ is: 'record', fields: this.#fields() }, '}');
    if (this.#skip('(')) return this.#closed({ is: 'variant', of: this.#alternatives() }, ')');
    return this.#named(this.#word());
  }

  #fields(): { name: string; type: FieldType }[] {
    const fields = [];
    do {
      const name = this.#word();
      if (!this.#skip(':')) this.#bad();
      fields.push({ name, type: this.#type() });
    } while (this.#skip(','));
    return fields;
  }

  #alternatives(): FieldType[] {
    const types = [];
    while (this.#skip('|')) types.push(this.#type());
    return types;
  }

  #named(word: string): FieldType {
    if (word === 'bool' || word === 'text' || word === 'bytes' || word === 'cid') return { is: word };
    const parts = /^(u|i|bytes|enum)(\d+)(?:\.\.(\d+))?$/.exec(word);
    if (parts === null) return this.#bad();
    const [first, last] = [Number(parts[2]), Number(parts[3])];
    switch (parts[1]) {
      case 'u':
        return { is: 'unsigned', bits: first };
      case 'i':
        return { is: 'signed', bits: first };
      case 'bytes':
        return { is: 'fixed', size: first };
      default:
        return { is: 'enum', first, last };
    }
  }

  #word(): string {
    const word = /^[a-z0-9_.]+/.exec(this.text.slice(this.#at))?.[0];
    if (word === undefined) return this.#bad();
    this.#at += word.length;
    return word;
  }

  #skip(character: string): boolean {
    if (this.text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #closed<T>(value: T, end: string): T {
    return this.#skip(end) ? value : this.#bad();
  }

  #bad(): never {
    throw new Error(`not a field description, from character ${this.#at} on: ${this.text}`);
  }
}

/** Throws an Error for a text that is none: descriptions come from this program and never from a peer. */
export function parseDescription(text: string): FieldType {
  return new DescriptionParser(text).whole();
}

// ---- reading

function readField(reader: Reader, type: FieldType): FieldValue {
  switch (type.is) {
    case 'bool':
      return reader.bool();
    case 'text':
      return reader.text();
    case 'bytes':
      return reader.byteString();
    case 'cid':
      return readCid(reader);
    case 'unsigned': {
      const value = reader.unsigned();
      if (value >= 1n << BigInt(type.bits)) refuse('invalid', 'an integer has a value outside its range');
      return type.bits === 64 ? value : Number(value);
    }
    case 'signed': {
      const value = reader.integer();
      const bound = 1n << BigInt(type.bits - 1);
      if (value < -bound || value >= bound) refuse('invalid', 'an integer has a value outside its range');
      return type.bits === 64 ? value : Number(value);
    }
    case 'fixed': {
      const value = reader.byteString();
      if (value.length !== type.size) refuse('invalid', `${type.size} bytes were expected`);
      return value;
    }
    case 'enum': {
      const value = reader.unsigned();
      if (value < BigInt(type.first) || value > BigInt(type.last)) refuse('invalid', 'an enumeration has a value outside its range');
      return Number(value);
    }
    case 'optional':
      if (reader.peek() !== 'null') return readField(reader, type.of);
      reader.null();
      return null;
    case 'list': {
      const count = reader.array();
      if (count > LIST_ITEMS_MAX) refuse('limit', `a list has more than ${LIST_ITEMS_MAX} items`);
      return Array.from({ length: count }, () => readField(reader, type.of));
    }
    case 'variant': {
      if (reader.array() !== 2) refuse('invalid', 'an alternative has two parts');
      const which = Number(reader.unsigned());
      const of = type.of[which];
      return of === undefined ? refuse('unsupported', 'an unknown alternative') : { which, value: readField(reader, of) };
    }
    case 'record': {
      const count = reader.array();
      if (count !== type.fields.length) refuse('invalid', `a record of ${type.fields.length} fields was expected, it has ${count}`);
      return Object.fromEntries(type.fields.map(({ name, type: of }) => [name, readField(reader, of)]));
    }
  }
}

/** Refuses whatever is not the one encoding of a value of this type. */
export function decodeFields(bytes: Bytes, type: FieldType): FieldValue {
  const reader = new Reader(bytes);
  const value = readField(reader, type);
  reader.finish();
  return value;
}

// ---- writing

/** The caller holds a value of the type; a wrong one throws a TypeError or an Error, because it is a bug. */
export function encodeFields(value: FieldValue, type: FieldType): Bytes {
  switch (type.is) {
    case 'bool':
      return write.bool(value as boolean);
    case 'text':
      return write.text(value as string);
    case 'bytes':
    case 'fixed':
      return write.bytes(value as Bytes);
    case 'cid':
      return writeCid(value as Cid);
    case 'unsigned':
    case 'signed':
    case 'enum':
      return write.integer(value as bigint | number);
    case 'optional':
      return value === null ? write.null() : encodeFields(value, type.of);
    case 'list':
      return write.array((value as FieldValue[]).map((item) => encodeFields(item, type.of)));
    case 'variant': {
      const { which, value: chosen } = value as unknown as Alternative;
      return write.array([write.integer(which), encodeFields(chosen, type.of[which] as FieldType)]);
    }
    case 'record':
      return write.array(type.fields.map(({ name, type: of }) => encodeFields((value as Record<string, FieldValue>)[name] as FieldValue, of)));
  }
}

// ---- showing

/** As the published vectors have it: bytes in hexadecimal, CIDs as text, integers of 2^53 or more as decimal strings. */
export function toJson(value: FieldValue): unknown {
  if (typeof value === 'bigint') return value < 1n << 53n ? Number(value) : value.toString();
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (Array.isArray(value)) return value.map(toJson);
  if ('digest' in value && 'codec' in value) return cidText(value as Cid);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, toJson(field)]));
}
