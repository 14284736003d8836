// The WebAssembly module in Node: its size, every line of the interop vectors, and decoding from what is left.
// req: A18, B1

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const BYTES_MAX = 60_000;
const [file, vectors] = process.argv.slice(2);
const code = readFileSync(file);
const module = new WebAssembly.Module(code);
const { exports: codec } = new WebAssembly.Instance(module, {});

function require(good, what) {
  if (good) return;
  console.error(`wasm: ${what}`);
  process.exit(1);
}

require(code.length < BYTES_MAX, `the module has ${code.length} bytes`);
require(WebAssembly.Module.imports(module).length === 0, 'the module imports something');
codec._initialize();

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const bytesAt = (at, length) => new Uint8Array(codec.memory.buffer, at, length);
const wordAt = (at) => new DataView(codec.memory.buffer).getUint32(at, true);

function handIn(bytes) {
  const at = codec.malloc(bytes.length);
  require(at !== 0, 'out of memory');
  bytesAt(at, bytes.length).set(bytes);
  return at;
}

// splitmix64, as the vectors' README has it.
function makeObject(seed, bytes) {
  const mask = (1n << 64n) - 1n;
  const out = new DataView(new ArrayBuffer(Math.ceil(bytes / 8) * 8));
  let state = seed;
  for (let at = 0; at < bytes; at += 8) {
    state = (state + 0x9E3779B97F4A7C15n) & mask;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xBF58476D1CE4E5B9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94D049BB133111EBn) & mask;
    out.setBigUint64(at, z ^ (z >> 31n), true);
  }
  return new Uint8Array(out.buffer, 0, bytes);
}

const place = codec.malloc(8);
codec.fountain_cache_create(0, place);
const cache = wordAt(place);

function encode(encoder, esis, t) {
  const list = handIn(new Uint8Array(Uint32Array.from(esis).buffer));
  const out = codec.malloc(esis.length * t);
  require(codec.fountain_encoder_symbols(encoder, list, esis.length, out, esis.length * t) === 0, 'encoding failed');
  const symbols = bytesAt(out, esis.length * t).slice();
  codec.free(list);
  codec.free(out);
  return esis.map((_, i) => symbols.subarray(i * t, (i + 1) * t));
}

// A tenth of the source is lost, and repair symbols with an extra one are there instead.
function checkDecode(object, encoder, k, t) {
  const esis = [];
  for (let esi = 0; esi < k; ++esi) if (esi % 10 !== 3) esis.push(esi);
  for (let esi = k + 50; esis.length < k + 2; ++esi) esis.push(esi);
  const symbols = encode(encoder, esis, t);
  require(codec.fountain_decoder_create(BigInt(object.length), t, cache, place) === 0, 'no decoder');
  const decoder = wordAt(place);
  const buffer = codec.malloc(t);
  esis.forEach((esi, i) => {
    bytesAt(buffer, t).set(symbols[i]);
    require(codec.fountain_decoder_add(decoder, esi, buffer, t) === 0, `K=${k}: symbol ${esi} was not taken`);
  });
  require(codec.fountain_decoder_decode(decoder) === 0, `K=${k}: not decoded`);
  const out = codec.malloc(object.length);
  require(codec.fountain_decoder_block(decoder, out, object.length) === 0, `K=${k}: no block`);
  require(Buffer.compare(bytesAt(out, object.length), object) === 0, `K=${k}: other bytes`);
  for (const piece of [buffer, out]) codec.free(piece);
  codec.fountain_decoder_free(decoder);
}

const objects = new Map();
for (const line of readFileSync(`${vectors}/vectors.txt`, 'utf8').split('\n')) {
  if (line === '' || line.startsWith('#')) continue;
  const [seed, bytes, t, esi, digest] = line.split(' ');
  const id = [seed, bytes, t].join(' ');
  if (!objects.has(id)) objects.set(id, []);
  objects.get(id).push({ esi: Number(esi), digest });
}

let checked = 0;
for (const [id, lines] of objects) {
  const [seed, bytes, t] = id.split(' ').map(Number);
  const object = makeObject(BigInt(seed), bytes);
  const source = handIn(object);
  require(codec.fountain_encoder_create(source, bytes, t, cache, place) === 0, `no encoder for ${id}`);
  const encoder = wordAt(place);
  const symbols = encode(encoder, lines.map((line) => line.esi), t);
  lines.forEach(({ esi, digest }, i) => {
    require(sha256(symbols[i]) === digest, `${id}: symbol ${esi} differs`);
    ++checked;
  });
  checkDecode(object, encoder, codec.fountain_encoder_k(encoder), t);
  codec.fountain_encoder_free(encoder);
  codec.free(source);
}
require(checked === 442, `${checked} vectors`);
codec.fountain_cache_free(cache);
console.log(`wasm: ${code.length} bytes, ${checked} vectors, ${objects.size} objects decoded`);
