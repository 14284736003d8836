// The primitives: WebCrypto where it has them, @noble/ciphers for ChaCha20-Poly1305, which it has not.
//
// The same file runs in a browser and in Node 18, where WebCrypto is not global yet.

import { chacha20poly1305 } from '@noble/ciphers/chacha';
import { type Bytes, concat, fromHex, isZero, toHex } from './bytes.js';
import { refuse } from './refusal.js';

async function webCrypto(): Promise<SubtleCrypto> {
  return globalThis.crypto?.subtle ?? ((await import('node:crypto')).webcrypto as unknown as Crypto).subtle;
}

export async function sha256(...parts: readonly Uint8Array[]): Promise<Bytes> {
  return new Uint8Array(await (await webCrypto()).digest('SHA-256', concat(...parts)));
}

/** RFC 2104 with SHA-256. */
export async function hmacSha256(key: Bytes, data: Bytes): Promise<Bytes> {
  const imported = await (await webCrypto()).importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await (await webCrypto()).sign('HMAC', imported, data));
}

/** RFC 5869 with SHA-256. */
export async function hkdfSha256(input: Bytes, salt: Bytes, info: Bytes, size: number): Promise<Bytes> {
  const imported = await (await webCrypto()).importKey('raw', input, 'HKDF', false, ['deriveBits']);
  return new Uint8Array(await (await webCrypto()).deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info }, imported, size * 8));
}

// RFC 8410: what stands before the 32 bytes of a private key in PKCS #8.
const ED25519_PKCS8 = fromHex('302e020100300506032b657004220420');
const X25519_PKCS8 = fromHex('302e020100300506032b656e04220420');

async function publicPart(key: CryptoKey): Promise<Bytes> {
  const { x } = await (await webCrypto()).exportKey('jwk', key);
  const binary = atob((x ?? '').replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

// ---- Ed25519

/** Encodings of the points of small order, the sign bit cleared: orders 4, 1, 8, 8, 2, and those of 4 and 1 not reduced. */
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);
const FIELD_PRIME = (1n << 255n) - 19n;
const GROUP_ORDER = (1n << 252n) + 27742317777372353535851937790883648493n;

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);
}

function withoutSign(point: Uint8Array): Bytes {
  const out = Uint8Array.from(point);
  out[31] = (out[31] as number) & 0x7f;
  return out;
}

/**
 * RFC 8032 5.1.7 without the cofactor, and strictly: S below the group order, a reduced key, neither key nor R of small order. WebCrypto
 * implementations differ in just these checks, so they are made here; what is left for it is the equation.
 */
export async function ed25519Verify(key: Bytes, message: Bytes, signature: Bytes): Promise<boolean> {
  if (key.length !== 32 || signature.length !== 64) return false;
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
  if (littleEndian(s) >= GROUP_ORDER || littleEndian(withoutSign(key)) >= FIELD_PRIME) return false;
  if (SMALL_ORDER.has(toHex(withoutSign(key))) || SMALL_ORDER.has(toHex(withoutSign(r)))) return false;
  try {
    const imported = await (await webCrypto()).importKey('raw', key, 'Ed25519', false, ['verify']);
    return await (await webCrypto()).verify('Ed25519', imported, signature, message);
  } catch {
    return false; // 32 bytes that are no point
  }
}

async function ed25519Key(seed: Bytes): Promise<CryptoKey> {
  return (await webCrypto()).importKey('pkcs8', concat(ED25519_PKCS8, seed), 'Ed25519', true, ['sign']);
}

export async function ed25519PublicKey(seed: Bytes): Promise<Bytes> {
  return publicPart(await ed25519Key(seed));
}

export async function ed25519Sign(seed: Bytes, message: Bytes): Promise<Bytes> {
  return new Uint8Array(await (await webCrypto()).sign('Ed25519', await ed25519Key(seed), message));
}

// ---- X25519

async function x25519Key(seed: Bytes): Promise<CryptoKey> {
  return (await webCrypto()).importKey('pkcs8', concat(X25519_PKCS8, seed), 'X25519', true, ['deriveBits']);
}

export async function x25519PublicKey(seed: Bytes): Promise<Bytes> {
  return publicPart(await x25519Key(seed));
}

/** RFC 7748. A point of small order, whose result says nothing about the two keys, is refused. */
export async function x25519(seed: Bytes, peer: Bytes): Promise<Bytes> {
  let shared: Bytes;
  try {
    const point = await (await webCrypto()).importKey('raw', peer, 'X25519', false, []);
    shared = new Uint8Array(await (await webCrypto()).deriveBits({ name: 'X25519', public: point }, await x25519Key(seed), 256));
  } catch {
    return refuse('invalid', 'this sealing key is no usable point');
  }
  if (isZero(shared)) refuse('invalid', 'this sealing key is a point of small order');
  return shared;
}

// ---- ChaCha20-Poly1305 (RFC 8439), the tag behind the ciphertext

export function aeadSeal(key: Bytes, nonce: Bytes, aad: Bytes, plaintext: Bytes): Bytes {
  return Uint8Array.from(chacha20poly1305(key, nonce, aad).encrypt(plaintext));
}

export function aeadOpen(key: Bytes, nonce: Bytes, aad: Bytes, sealed: Bytes): Bytes {
  if (sealed.length < 16) refuse('invalid', 'this is shorter than its tag');
  try {
    return Uint8Array.from(chacha20poly1305(key, nonce, aad).decrypt(sealed));
  } catch {
    return refuse('integrity', 'the authentication tag does not match');
  }
}

