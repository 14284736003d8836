// A reader of proofs from transparency logs (C2SP tlog-proof, tlog-checkpoint, signed-note, tlog-cosignature; RFC 6962 trees), which shares no code with the
// nodes that write them: the page that shows a proof has checked it itself.

import { type Bytes, concat, equal, fromUtf8, utf8 } from '../src/bytes.js';
import { ed25519Verify, sha256 } from '../src/crypto.js';
import { parseKey } from '../src/names.js';

export interface Signer { name: string; role: 'log' | 'witness'; time: number | null }
export interface Checked { index: number; size: number; root: Bytes; leaf: Bytes; entry: Bytes; path: Bytes[]; origin: string; signers: Signer[] }

const KIND_LOG = 1, KIND_WITNESS = 4;

function fromBase64(text: string): Bytes {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  if (btoa(String.fromCharCode(...bytes)) !== text) throw new Error('base64 with a second spelling');
  return bytes;
}

function whole(text: string): number {
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text)) throw new Error(`"${text}" is no plain number`);
  return Number(text);
}

const leafHash = (entry: Bytes): Promise<Bytes> => sha256(Uint8Array.of(0), entry);
const nodeHash = (left: Bytes, right: Bytes): Promise<Bytes> => sha256(Uint8Array.of(1), left, right);

/** The largest power of two below n. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** The root that PATH(index, D[size]) of RFC 6962 2.1.1 leads to, by the recursion that defines it. */
export async function rootFromPath(leaf: Bytes, index: number, size: number, path: readonly Bytes[]): Promise<Bytes> {
  if (size === 1) {
    if (path.length > 0 || index !== 0) throw new Error('the proof has the wrong length');
    return leaf;
  }
  const last = path.at(-1);
  if (last === undefined) throw new Error('the proof has the wrong length');
  const k = split(size);
  if (index < k) return nodeHash(await rootFromPath(leaf, index, k, path.slice(0, -1)), last);
  return nodeHash(last, await rootFromPath(leaf, index - k, size - k, path.slice(0, -1)));
}

/** A name says which key is meant: "selvedge/" and the key. */
async function signerOf(line: string, text: string): Promise<Signer | null> {
  const [dash, name = '', blob64 = '', ...rest] = line.split(' ');
  if (dash !== '\u2014' || rest.length > 0) throw new Error('this is no line of a signature');
  if (!name.startsWith('selvedge/')) return null;
  const key = parseKey(name.slice('selvedge/'.length)), blob = fromBase64(blob64);
  for (const kind of [KIND_LOG, KIND_WITNESS]) {
    const id = (await sha256(utf8(`${name}\n`), Uint8Array.of(kind), key)).subarray(0, 4);
    if (!equal(id, blob.subarray(0, 4))) continue;
    const time = kind === KIND_WITNESS ? Number(new DataView(blob.buffer, blob.byteOffset + 4, 8).getBigUint64(0)) : null;
    const message = time === null ? utf8(text) : concat(utf8(`cosignature/v1\ntime ${time}\n`), utf8(text));
    const signature = blob.slice(time === null ? 4 : 12);
    if (signature.length !== 64 || !(await ed25519Verify(key, message, signature))) throw new Error(`the signature of ${name} does not hold`);
    return { name, role: time === null ? 'log' : 'witness', time };
  }
  return null;
}

/** Throws where anything is not as it must be. The entry is in the proof, as its extra data; the log's own signature must be there. */
export async function checkProof(proof: string): Promise<Checked> {
  const lines = proof.split('\n');
  if (lines[0] !== 'c2sp.org/tlog-proof@v1' || !lines[1]?.startsWith('extra ') || !lines[2]?.startsWith('index ')) throw new Error('this is no proof with its entry');
  const entry = fromBase64(lines[1].slice(6)), index = whole(lines[2].slice(6)), gap = lines.indexOf('', 3);
  const path = lines.slice(3, gap).map(fromBase64);
  if (path.length > 63 || path.some((each) => each.length !== 32)) throw new Error('the proof has hashes that are none');
  const note = lines.slice(gap + 1).join('\n');
  const cut = note.lastIndexOf('\n\n');
  if (cut < 0 || !note.endsWith('\n')) throw new Error('the checkpoint is cut off');
  const text = note.slice(0, cut + 1);
  const [origin = '', size64 = '', root64 = ''] = text.split('\n');
  const size = whole(size64), root = fromBase64(root64);
  const signers: Signer[] = [];
  for (const line of note.slice(cut + 2, -1).split('\n')) {
    const signer = await signerOf(line, text);
    if (signer !== null) signers.push(signer);
  }
  if (!signers.some((each) => each.role === 'log' && each.name === origin)) throw new Error('the log did not sign this');
  if (index >= size) throw new Error('the entry is beyond the end of the log');
  const leaf = await leafHash(entry);
  if (!equal(await rootFromPath(leaf, index, size, path), root)) throw new Error('the entry is not in this log');
  return { index, size, root, leaf, entry, path, origin, signers };
}

export const asText = fromUtf8;
