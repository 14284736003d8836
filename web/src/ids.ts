// How kinds, zones and objects are named: SHA-256 over a domain tag and fields, each after its length in 8 bytes.

import { type Bytes, bigEndian, utf8 } from './bytes.js';
import { sha256 } from './crypto.js';

async function fieldHash(...fields: readonly Uint8Array[]): Promise<Bytes> {
  return sha256(...fields.flatMap((field) => [bigEndian(field.length, 8), field]));
}

export function schemaId(name: string, version: number, description: string): Promise<Bytes> {
  return fieldHash(utf8('selvedge schema v1'), utf8(name), bigEndian(version, 2), utf8(description));
}

export function zoneId(owner: Uint8Array, name: string): Promise<Bytes> {
  return fieldHash(utf8('selvedge zone v1'), owner, utf8(name));
}

export function objectId(zone: Uint8Array, schema: Uint8Array, content: Uint8Array): Promise<Bytes> {
  return fieldHash(utf8('selvedge object v1'), zone, schema, content);
}
