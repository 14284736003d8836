// Signed objects: COSE_Sign1 (RFC 9052) over "SELV", version, schema id and a record. docs/spec/objects.md, "Payload and signature".

import { type Bytes, bigEndian, concat, equal, readBigEndian, toHex, utf8 } from './bytes.js';
import { Reader, write } from './cbor.js';
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from './crypto.js';
import { objectId, schemaId } from './ids.js';
import { KINDS, type Kind, type KindName, type Kinds, kindOf } from './kinds.js';
import { refuse } from './refusal.js';
import { checkRules } from './rules.js';
import { decodeFields, encodeFields, type FieldValue } from './schema.js';

export const OBJECT_SIZE_MAX = 1 << 20;
const MAGIC = utf8('SELV');
const VERSION = 1n;
const HEADER_SIZE = 4 + 2 + 32;
const COSE_SIGN1 = 18;
const EDDSA = -8;

export interface Signed<T> {
  readonly kind: KindName;
  readonly body: T;
  readonly signer: Bytes;
  readonly id: Bytes;
  readonly bytes: Bytes;
}

export interface Unsigned<T> {
  readonly kind: KindName;
  readonly body: T;
  readonly id: Bytes;
}

export interface Envelope {
  readonly signer: Bytes;
  readonly payload: Bytes;
  readonly signedBytes: Bytes;
}

// ---- the envelope

function protectedHeader(signer: Uint8Array): Bytes {
  return write.map([
    [write.integer(1), write.integer(EDDSA)],
    [write.integer(4), write.bytes(signer)],
  ]);
}

/** RFC 9052 4.4, with empty external data. */
function signedBytesOf(header: Uint8Array, payload: Uint8Array): Bytes {
  return write.array([write.text('Signature1'), write.bytes(header), write.bytes(new Uint8Array()), write.bytes(payload)]);
}

/** Nothing but the two headers, in their order. */
function readSigner(header: Bytes): Bytes {
  const reader = new Reader(header);
  if (reader.map() !== 2) refuse('unsupported', 'the signature header says more or less than algorithm and key');
  if (reader.unsigned() !== 1n) refuse('invalid', 'the signature header does not begin with an algorithm');
  if (reader.integer() !== BigInt(EDDSA)) refuse('unsupported', 'the object is signed with another algorithm than EdDSA');
  const label = reader.unsigned();
  if (label < 2n) refuse('non_canonical', 'the signature header is not in order');
  if (label !== 4n) refuse('invalid', 'the signature header does not name the signer');
  const signer = reader.byteString();
  if (signer.length !== 32) refuse('invalid', 'a key has 32 bytes');
  reader.finish();
  return signer;
}

function takeApart(bytes: Bytes): { header: Bytes; payload: Bytes; signature: Bytes } {
  if (bytes.length > OBJECT_SIZE_MAX) refuse('limit', `an object has at most ${OBJECT_SIZE_MAX} bytes`);
  const reader = new Reader(bytes);
  if (reader.tag() !== BigInt(COSE_SIGN1)) refuse('invalid', 'this has another tag than COSE_Sign1');
  if (reader.array() !== 4) refuse('invalid', 'a signed object has four parts');
  const header = reader.byteString();
  if (reader.map() !== 0) refuse('invalid', 'a signed object carries nothing outside its signature');
  const payload = reader.byteString();
  const signature = reader.byteString();
  reader.finish();
  return { header, payload, signature };
}

/** Shape, header and signature; what is inside is not looked at. */
export async function openEnvelope(bytes: Bytes): Promise<Envelope> {
  const { header, payload, signature } = takeApart(bytes);
  const signer = readSigner(header);
  if (signature.length !== 64) refuse('invalid', 'a signature has 64 bytes');
  const signedBytes = signedBytesOf(header, payload);
  if (!(await ed25519Verify(signer, signedBytes, signature))) refuse('integrity', 'the signature does not match');
  return { signer, payload, signedBytes };
}

// ---- the payload

export function schemaIdOf(kind: Kind): Promise<Bytes> {
  return schemaId(kind.name, kind.version, kind.description);
}

function readHeader(payload: Bytes): Bytes {
  const magic = payload.subarray(0, 4);
  if (payload.length < HEADER_SIZE || !equal(magic, MAGIC)) refuse('invalid', 'this does not begin with the header of an object');
  if (readBigEndian(payload.subarray(4, 6)) !== VERSION) refuse('unsupported', 'the object is of a version that is not known here');
  return payload.slice(6, HEADER_SIZE);
}

async function readBody<K extends KindName>(name: K, payload: Bytes): Promise<Kinds[K]> {
  const kind = kindOf(name);
  const schema = readHeader(payload);
  if (!equal(schema, await schemaIdOf(kind))) refuse('unsupported', `the object is of another kind or version than ${name} (schema ${toHex(schema)})`);
  const body = decodeFields(payload.slice(HEADER_SIZE), kind.type) as unknown as Kinds[K];
  await checkRules(name, body);
  return body;
}

async function payloadOf<K extends KindName>(name: K, body: Kinds[K]): Promise<Bytes> {
  const kind = kindOf(name);
  return concat(MAGIC, bigEndian(VERSION, 2), await schemaIdOf(kind), encodeFields(body as unknown as FieldValue, kind.type));
}

function field(body: unknown, name: string): Bytes | undefined {
  return (body as Record<string, Bytes | undefined>)[name];
}

/** Its field `zone`, or 32 zero bytes for what lies outside any zone. */
function zoneOf(body: unknown): Bytes {
  return field(body, 'zone') ?? new Uint8Array(32);
}

// ---- whole objects

export async function openObject<K extends KindName>(name: K, bytes: Bytes): Promise<Signed<Kinds[K]>> {
  const kind = kindOf(name);
  if (kind.author === null) throw new Error(`${name} is not signed by itself`);
  const envelope = await openEnvelope(bytes);
  const body = await readBody(name, envelope.payload);
  if (!equal(field(body, kind.author) as Bytes, envelope.signer)) refuse('unauthorized', `this ${name} is signed by another key than the one it speaks for`);
  const id = await objectId(zoneOf(body), await schemaIdOf(kind), envelope.signedBytes);
  return { kind: name, body, signer: envelope.signer, id, bytes };
}

export async function openUnsigned<K extends KindName>(name: K, bytes: Bytes): Promise<Unsigned<Kinds[K]>> {
  if (bytes.length > OBJECT_SIZE_MAX) refuse('limit', `an object has at most ${OBJECT_SIZE_MAX} bytes`);
  const body = await readBody(name, bytes);
  return { kind: name, body, id: await unsignedId(name, body) };
}

export async function unsignedId<K extends KindName>(name: K, body: Kinds[K]): Promise<Bytes> {
  return objectId(zoneOf(body), await schemaIdOf(kindOf(name)), await payloadOf(name, body));
}

/** Signs with the Ed25519 key of this seed, which must be that of the author. */
export async function signObject<K extends KindName>(name: K, body: Kinds[K], seed: Bytes): Promise<Signed<Kinds[K]>> {
  const kind = kindOf(name);
  await checkRules(name, body);
  const signer = await ed25519PublicKey(seed);
  if (kind.author === null || !equal(field(body, kind.author) as Bytes, signer)) refuse('unauthorized', `this ${name} speaks for another key`);
  const header = protectedHeader(signer);
  const payload = await payloadOf(name, body);
  const signedBytes = signedBytesOf(header, payload);
  const signature = await ed25519Sign(seed, signedBytes);
  const bytes = write.tag(COSE_SIGN1, write.array([write.bytes(header), write.map([]), write.bytes(payload), write.bytes(signature)]));
  if (bytes.length > OBJECT_SIZE_MAX) refuse('limit', `${name} is too large to be an object`);
  return { kind: name, body, signer, id: await objectId(zoneOf(body), await schemaIdOf(kind), signedBytes), bytes };
}

/** Which kind a signed object is, before anything about it is checked; null when its schema is not known here. */
export async function peekKind(bytes: Bytes): Promise<KindName | null> {
  const schema = readHeader(takeApart(bytes).payload);
  for (const kind of KINDS.values()) {
    if (equal(await schemaIdOf(kind), schema)) return kind.name;
  }
  return null;
}

