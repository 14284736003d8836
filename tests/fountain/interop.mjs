// Both ways between our codec (the program `packets`) and npm's raptorq: source and repair, with losses.
//
// The npm package labels a repair packet with its internal symbol id K' + i, where RFC 6330 has the ESI K + i, so labels
// are translated: in its packets, whatever is K' or more is K' - K too high, and what it is given has to be as much higher.
// req: A18, B1

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [codec, packets] = process.argv.slice(2);
const raptorq = await import(`${codec}/raptorq.js`);
await raptorq.default(readFileSync(`${codec}/raptorq_bg.wasm`));

// Objects of one block (K, K' of RFC 6330 Table 2); the symbol size is a multiple of 8, as the package wants it.
const shapes = [
  { k: 1, kPrime: 10, bytes: 40, t: 64 },
  { k: 10, kPrime: 10, bytes: 640, t: 64 },
  { k: 11, kPrime: 12, bytes: 11 * 256 - 3, t: 256 },
  { k: 100, kPrime: 101, bytes: 100 * 1024 - 500, t: 1024 },
  { k: 1000, kPrime: 1002, bytes: 1000 * 128, t: 128 },
  { k: 2000, kPrime: 2005, bytes: 2000 * 1280 - 1, t: 1280 },
];

function makeObject(bytes) {
  const out = new Uint8Array(bytes);
  let state = bytes;
  for (let i = 0; i < bytes; ++i) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    out[i] = state >>> 16;
  }
  return out;
}

const run = (args, input) => execFileSync(packets, args.map(String), { input, maxBuffer: 1 << 28 });
const same = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;
const esiOf = (packet) => (packet[1] << 16) | (packet[2] << 8) | packet[3];

function relabel(packet, esi) {
  const out = Uint8Array.from(packet);
  out.set([esi >> 16, esi >> 8, esi], 1);
  return out;
}

function require(good, what) {
  if (good) return;
  console.error(`interop: ${what}`);
  process.exit(1);
}

// Every third source packet is lost, and as many repair packets and two more are there instead.
function lose(packets, k) {
  const kept = packets.filter((packet) => esiOf(packet) < k && esiOf(packet) % 3 !== 0);
  return kept.concat(packets.filter((packet) => esiOf(packet) >= k).slice(0, k - kept.length + 2));
}

for (const { k, kPrime, bytes, t } of shapes) {
  const object = makeObject(bytes);
  const repair = Math.ceil(k / 3) + 2;
  const theirs = raptorq.Encoder.with_defaults(object, t).encode(repair)
    .map((packet) => (esiOf(packet) >= kPrime ? relabel(packet, esiOf(packet) - (kPrime - k)) : Uint8Array.from(packet)));
  const all = run(['encode', t, repair], object);
  const ours = [];
  for (let at = 0; at < all.length; at += t + 4) ours.push(Uint8Array.from(all.subarray(at, at + t + 4)));

  require(ours.length === k + repair && theirs.length === k + repair, `K=${k}: ${ours.length} and ${theirs.length} packets`);
  const byEsi = new Map(theirs.map((packet) => [esiOf(packet), packet]));
  for (const packet of ours) {
    require(byEsi.has(esiOf(packet)) && same(packet, byEsi.get(esiOf(packet))), `K=${k}: symbol ${esiOf(packet)} differs`);
  }
  require(same(run(['decode', bytes, t], Buffer.concat(lose(theirs, k))), object), `K=${k}: we decode their symbols`);
  const decoder = raptorq.Decoder.with_defaults(BigInt(bytes), t);
  let decoded;
  for (const packet of lose(ours, k)) {
    decoded ??= decoder.decode(esiOf(packet) >= k ? relabel(packet, esiOf(packet) + (kPrime - k)) : packet);
  }
  require(decoded !== undefined && same(decoded, object), `K=${k}: they decode our symbols`);
}
console.log(`interop: ${shapes.length} objects agree with npm raptorq, both ways`);
