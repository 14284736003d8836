// Sealed things: COSE_Encrypt0 (RFC 9052) to one X25519 key, and the keys of zones, objects and symbols. docs/spec/objects.md, "Symbols".

import { type Bytes, bigEndian, concat, equal, readBigEndian, utf8 } from './bytes.js';
import { Reader, write } from './cbor.js';
import { aeadOpen, aeadSeal, hkdfSha256, hmacSha256, sha256, x25519, x25519PublicKey } from './crypto.js';
import { refuse } from './refusal.js';

export const SEALED_SIZE_MAX = 1 << 20;
export const ESI_MAX = (1 << 24) - 1;
const COSE_ENCRYPT0 = 16;
const CHACHA20_POLY1305 = 24;
const EPHEMERAL_KEY = -65537;

// ---- COSE_Encrypt0

function protectedHeader(recipient: Uint8Array, ephemeral: Uint8Array): Bytes {
  return write.map([
    [write.integer(1), write.integer(CHACHA20_POLY1305)],
    [write.integer(4), write.bytes(recipient)],
    [write.integer(EPHEMERAL_KEY), write.bytes(ephemeral)],
  ]);
}

/** RFC 9052 5.3. */
function associatedData(header: Uint8Array, context: Uint8Array): Bytes {
  return write.array([write.text('Encrypt0'), write.bytes(header), write.bytes(context)]);
}

function readHeader(header: Bytes): { recipient: Bytes; ephemeral: Bytes } {
  const reader = new Reader(header);
  const key = (): Bytes => {
    const bytes = reader.byteString();
    return bytes.length === 32 ? bytes : refuse('invalid', 'a key has 32 bytes');
  };
  if (reader.map() !== 3) refuse('unsupported', 'the header says more or less than algorithm and keys');
  if (reader.unsigned() !== 1n) refuse('invalid', 'the header does not begin with an algorithm');
  if (reader.unsigned() !== BigInt(CHACHA20_POLY1305)) refuse('unsupported', 'it is sealed with another algorithm than ChaCha20-Poly1305');
  if (reader.unsigned() !== 4n) refuse('invalid', 'the header does not name the recipient');
  const recipient = key();
  if (reader.integer() !== BigInt(EPHEMERAL_KEY)) refuse('invalid', 'the header does not carry the ephemeral key');
  const ephemeral = key();
  reader.finish();
  return { recipient, ephemeral };
}

async function sealKeys(shared: Bytes, ephemeral: Uint8Array, recipient: Uint8Array): Promise<{ key: Bytes; nonce: Bytes }> {
  const material = await hkdfSha256(shared, utf8('selvedge seal v1'), concat(ephemeral, recipient), 44);
  return { key: material.slice(0, 32), nonce: material.slice(32) };
}

/** `ephemeralSeed` is drawn anew for each sealed thing: key and nonce follow from it. */
export async function sealTo(recipient: Bytes, plaintext: Bytes, context: Bytes, ephemeralSeed: Bytes): Promise<Bytes> {
  if (plaintext.length > SEALED_SIZE_MAX - 256) refuse('limit', 'this is too large to be sealed at once');
  const ephemeral = await x25519PublicKey(ephemeralSeed);
  const { key, nonce } = await sealKeys(await x25519(ephemeralSeed, recipient), ephemeral, recipient);
  const header = protectedHeader(recipient, ephemeral);
  const sealed = aeadSeal(key, nonce, associatedData(header, context), plaintext);
  return write.tag(COSE_ENCRYPT0, write.array([write.bytes(header), write.map([]), write.bytes(sealed)]));
}

/** `seed` is the recipient's X25519 private key; `context` says what the plaintext is for. */
export async function openSealed(seed: Bytes, sealed: Bytes, context: Bytes): Promise<Bytes> {
  if (sealed.length > SEALED_SIZE_MAX) refuse('limit', `a sealed thing has at most ${SEALED_SIZE_MAX} bytes`);
  const reader = new Reader(sealed);
  if (reader.tag() !== BigInt(COSE_ENCRYPT0)) refuse('invalid', 'this has another tag than COSE_Encrypt0');
  if (reader.array() !== 3) refuse('invalid', 'a sealed thing has three parts');
  const header = reader.byteString();
  if (reader.map() !== 0) refuse('invalid', 'a sealed thing carries nothing outside its protection');
  const body = reader.byteString();
  reader.finish();
  const { recipient, ephemeral } = readHeader(header);
  if (!equal(recipient, await x25519PublicKey(seed))) refuse('unauthorized', "it is sealed to another device's key");
  if (body.length < 16) refuse('invalid', 'it is shorter than its tag');
  const { key, nonce } = await sealKeys(await x25519(seed, ephemeral), ephemeral, recipient);
  return aeadOpen(key, nonce, associatedData(header, context), body);
}

// ---- zones

/** The secret of one epoch; only who holds the zone's root can go on to the next. */
export function zoneEpochSecret(root: Bytes, zone: Bytes, epoch: bigint): Promise<Bytes> {
  return hkdfSha256(root, zone, concat(utf8('selvedge zone epoch v1'), bigEndian(epoch, 8)), 32);
}

export function epochContext(zone: Bytes, epoch: bigint): Bytes {
  return concat(utf8('selvedge zone epoch v1'), zone, bigEndian(epoch, 8));
}

export async function contentTag(epochSecret: Bytes, zone: Bytes, content: Bytes): Promise<Bytes> {
  const key = await hkdfSha256(epochSecret, zone, utf8('selvedge content tag v1'), 32);
  return hmacSha256(key, concat(await sha256(content), bigEndian(content.length, 8)));
}

// ---- objects and their symbols

/** The key of one object that is cut in one way, under one epoch. */
export interface ObjectKey {
  readonly object: Bytes;
  readonly objectBytes: bigint;
  readonly symbolBytes: number;
  readonly key: Bytes;
}

export async function objectKey(epochSecret: Bytes, zone: Bytes, object: Bytes, objectBytes: bigint, symbolBytes: number): Promise<ObjectKey> {
  const info = concat(utf8('selvedge object key v1'), object, bigEndian(objectBytes, 8), bigEndian(symbolBytes, 4));
  return { object, objectBytes, symbolBytes, key: await hkdfSha256(epochSecret, zone, info, 32) };
}

export interface SymbolPlace {
  readonly sbn: number;
  readonly esi: number;
  readonly objectBytes: bigint;
  readonly symbolBytes: number;
}

export function symbolNonce({ sbn, esi }: SymbolPlace): Bytes {
  return concat(new Uint8Array(8), bigEndian(sbn, 1), bigEndian(esi, 3));
}

export function symbolData(object: Bytes, place: SymbolPlace): Bytes {
  return concat(object, bigEndian(place.sbn, 1), bigEndian(place.esi, 3), bigEndian(place.objectBytes, 8), bigEndian(place.symbolBytes, 4));
}

function checkPlace(key: ObjectKey, place: SymbolPlace): void {
  const belongs = place.objectBytes === key.objectBytes && place.symbolBytes === key.symbolBytes && place.esi <= ESI_MAX && place.sbn <= 255;
  if (!belongs) refuse('invalid', 'the symbol belongs to another object, or to the same one cut another way');
}

/** Ciphertext, then 16 bytes of tag. */
export function sealSymbol(key: ObjectKey, place: SymbolPlace, symbol: Bytes): Bytes {
  checkPlace(key, place);
  return aeadSeal(key.key, symbolNonce(place), symbolData(key.object, place), symbol);
}

export function openSymbol(key: ObjectKey, place: SymbolPlace, sealed: Bytes): Bytes {
  checkPlace(key, place);
  return aeadOpen(key.key, symbolNonce(place), symbolData(key.object, place), sealed);
}

/** The keys of a task's objects as an offer carries them, sealed to the executor. */
export async function openTaskKeys(executorSeed: Bytes, task: Bytes, sealed: Bytes): Promise<ObjectKey[]> {
  const plain = await openSealed(executorSeed, sealed, concat(utf8('selvedge task keys v1'), task));
  const size = 32 + 8 + 4 + 32;
  if (plain.length % size !== 0) refuse('invalid', 'the sealed keys have a length that no list of keys has');
  return Array.from({ length: plain.length / size }, (_, i) => {
    const entry = plain.slice(i * size, (i + 1) * size);
    return {
      object: entry.slice(0, 32),
      objectBytes: readBigEndian(entry.subarray(32, 40)),
      symbolBytes: Number(readBigEndian(entry.subarray(40, 44))),
      key: entry.slice(44),
    };
  });
}
