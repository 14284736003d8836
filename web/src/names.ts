// Names as text: base32 and z-base-32, CIDs, keys and tickets.

import { type Bytes, concat, equal, isZero } from './bytes.js';
import { Reader, write } from './cbor.js';
import { sha256 } from './crypto.js';
import { Refusal, refuse } from './refusal.js';

// ---- five bits a character

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'; // RFC 4648 6, lower case, no padding
const ZBASE32 = 'ybndrfg8ejkmcpqxot1uwisza345h769';

function toText(alphabet: string, bytes: Uint8Array): string {
  let [out, window, bits] = ['', 0, 0];
  for (const byte of bytes) {
    window = ((window << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) out += alphabet[(window >> (bits - 5)) & 31];
  }
  return bits > 0 ? out + alphabet[(window << (5 - bits)) & 31] : out;
}

function fromText(alphabet: string, text: string): Bytes {
  const out: number[] = [];
  let [window, bits] = [0, 0];
  for (const character of text) {
    const digit = alphabet.indexOf(character);
    if (digit < 0) refuse('invalid', `the character '${character}' does not belong there`);
    window = ((window << 5) | digit) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      out.push((window >> bits) & 0xff);
    }
  }
  if (bits >= 5) refuse('invalid', 'the text has a length that no data gives');
  if ((window & ((1 << bits) - 1)) !== 0) refuse('non_canonical', 'the last character carries bits that belong to nothing');
  return Uint8Array.from(out);
}

export const base32 = { encode: (bytes: Uint8Array) => toText(BASE32, bytes), decode: (text: string) => fromText(BASE32, text) };
export const zbase32 = { encode: (bytes: Uint8Array) => toText(ZBASE32, bytes), decode: (text: string) => fromText(ZBASE32, text) };

/** A public key as people see it. */
export function keyText(key: Uint8Array): string {
  return zbase32.encode(key);
}

export function parseKey(text: string): Bytes {
  if (text.length !== 52) refuse('invalid', 'a key is 52 characters of z-base-32');
  try {
    return zbase32.decode(text);
  } catch {
    return refuse('invalid', 'a key is 52 characters of z-base-32');
  }
}

// ---- CIDs (version 1, SHA-256)

export type Codec = 'raw' | 'dag-cbor';
export interface Cid {
  readonly codec: Codec;
  readonly digest: Bytes;
}

export async function cidOf(codec: Codec, content: Uint8Array): Promise<Cid> {
  return { codec, digest: await sha256(content) };
}

export function sameCid(a: Cid, b: Cid): boolean {
  return a.codec === b.codec && equal(a.digest, b.digest);
}

export function cidBytes(cid: Cid): Bytes {
  return concat(Uint8Array.of(1, cid.codec === 'raw' ? 0x55 : 0x71, 0x12, 32), cid.digest);
}

export function cidText(cid: Cid): string {
  return `b${base32.encode(cidBytes(cid))}`;
}

export function cidFromBytes(bytes: Uint8Array): Cid {
  if (bytes.length === 34 && bytes[0] === 0x12 && bytes[1] === 0x20) refuse('unsupported', 'this is a CID of version 0');
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let i = 0; i < 9; ++i) {
      const byte = bytes[at++];
      if (byte === undefined) return refuse('invalid', 'a variable-length number is cut off');
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte >= 0x80) continue;
      if (byte === 0 && i > 0) refuse('non_canonical', 'a variable-length number is written longer than it needs to be');
      return value;
    }
    return refuse('invalid', 'a variable-length number is longer than 9 bytes');
  };
  if (varint() !== 1n) refuse('unsupported', 'only CIDs of version 1 are used here');
  const codec = varint();
  if (codec !== 0x55n && codec !== 0x71n) refuse('unsupported', 'only CIDs of raw bytes and dag-cbor are used here');
  if (varint() !== 0x12n) refuse('unsupported', 'only CIDs with SHA-256 are used here');
  if (varint() !== 32n || bytes.length - at !== 32) refuse('invalid', 'a SHA-256 CID holds a hash of 32 bytes');
  return { codec: codec === 0x55n ? 'raw' : 'dag-cbor', digest: Uint8Array.from(bytes.subarray(at)) };
}

export function parseCid(text: string): Cid {
  if (text === '' || text.length > 256) refuse('invalid', 'a CID has 59 characters and begins with b');
  if (!text.startsWith('b')) refuse('unsupported', 'only CIDs of version 1 in base32, which begin with b, are read here');
  return cidFromBytes(base32.decode(text.slice(1)));
}

/** A link of dag-cbor: tag 42 over a zero byte and the binary CID. */
export function writeCid(cid: Cid): Bytes {
  return write.tag(42, write.bytes(concat(Uint8Array.of(0), cidBytes(cid))));
}

export function readCid(reader: Reader): Cid {
  if (reader.tag() !== 42n) refuse('invalid', 'a link (tag 42) was expected');
  const link = reader.byteString();
  if (link[0] !== 0) refuse('invalid', 'a link begins with a zero byte');
  return cidFromBytes(link.subarray(1));
}

// ---- tickets

/** How one person tells another where a node is. */
export interface Ticket {
  readonly node: Bytes;
  readonly owner: Bytes;
  readonly addresses: readonly string[];
  readonly expires: bigint | null;
}

function checkTicket(ticket: Ticket): void {
  if (isZero(ticket.node) || isZero(ticket.owner)) refuse('invalid', 'a ticket names a node and its owner');
  if (ticket.addresses.length > 16) refuse('limit', 'a ticket holds at most 16 addresses');
  for (const address of ticket.addresses) {
    if (!/^[!-~]{1,255}$/.test(address)) refuse('invalid', 'an address in a ticket is empty, longer than 255 characters, or not plain ASCII');
  }
}

function ticketBytes(ticket: Ticket): Bytes {
  return write.array([
    write.bytes(ticket.node),
    write.bytes(ticket.owner),
    write.array(ticket.addresses.map(write.text)),
    ticket.expires === null ? write.null() : write.integer(ticket.expires),
  ]);
}

function ticketFromBytes(bytes: Bytes): Ticket {
  const reader = new Reader(bytes);
  if (reader.array() !== 4) refuse('invalid', 'a ticket has four fields');
  const key = (): Bytes => {
    const bytes32 = reader.byteString();
    return bytes32.length === 32 ? bytes32 : refuse('invalid', 'a key has 32 bytes');
  };
  const [node, owner] = [key(), key()];
  const addresses = Array.from({ length: reader.array() }, () => reader.text());
  const absent = reader.peek() === 'null';
  if (absent) reader.null();
  const ticket = { node, owner, addresses, expires: absent ? null : reader.unsigned() };
  checkTicket(ticket);
  reader.finish();
  return ticket;
}

export async function ticketText(ticket: Ticket): Promise<string> {
  checkTicket(ticket);
  const bytes = ticketBytes(ticket);
  const sum = (await sha256(bytes)).subarray(0, 4);
  return `selvedge1${base32.encode(concat(bytes, sum))}`;
}

/** White space around it and upper case are forgiven. Expiry is the caller's to check. */
export async function parseTicket(text: string): Promise<Ticket> {
  if (text.length > 8192) refuse('limit', 'this is too long to be a ticket');
  const lower = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '').replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (!lower.startsWith('selvedge')) refuse('invalid', "a ticket begins with 'selvedge1'");
  const version = lower[8];
  if (version !== undefined && version !== '1') refuse('unsupported', 'the ticket is of a version that is not known here');
  const all = decodeOrDamaged(lower.slice(9));
  const body = all.subarray(0, Math.max(0, all.length - 4));
  const sum = (await sha256(body)).subarray(0, 4);
  if (all.length < 4 || !equal(sum, all.subarray(all.length - 4))) refuse('integrity', 'the ticket is damaged: was the whole of it copied?');
  return ticketFromBytes(body.slice());
}

function decodeOrDamaged(text: string): Bytes {
  try {
    return base32.decode(text);
  } catch (error) {
    if (error instanceof Refusal) return refuse('integrity', 'the ticket is damaged: was the whole of it copied?');
    throw error;
  }
}
