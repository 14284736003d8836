// Every numeric instruction with operands that the engine knows when it compiles, with operands that it does not, and with one
// of each: V8 and JavaScriptCore must give the same, bit by bit, once the module was rewritten. An engine's mistakes in
// folding constants show here. A vector instruction in each function keeps JavaScriptCore from interpreting it.
//
//   node engines_constants_test.mjs BIN_DIR
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onJavaScriptCore, rewriteAll } from './engines.mjs';
import { numericRows, vectorRows } from './random_module.mjs';
import { runHere } from './run_module.mjs';
import { leb, sleb } from './surgery.mjs';

const [binDir] = process.argv.slice(2);
const CHUNK = 3000; // functions of one module
const LIMIT = 10_000_000n;
const TYPES = { i: 0x7f, l: 0x7e, f: 0x7d, d: 0x7c, v: 0x7b };
const STORES = { i: [0x36, 0], l: [0x37, 0], f: [0x38, 0], d: [0x39, 0], v: [0xfd, 11, 0] };

const bytesOf = (value, count) => Array.from({ length: count }, (_, i) => Number((BigInt.asUintN(64, BigInt(value)) >> BigInt(8 * i)) & 0xffn));
const f32 = (value) => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];
const f64 = (value) => [0x44, ...new Uint8Array(Float64Array.of(value).buffer)];
const vector = (...halves) => [0xfd, 12, ...halves.flatMap((half) => bytesOf(half, 8))];
const FLOATS = [0, -0, 1, -1, 0.5, -1.5, 2.5, Infinity, -Infinity, 2147483648, -2147483648, 4294967296, 2 ** 63, -(2 ** 63), 2 ** 64, 1e-40];
const VALUES = {
  i: [0, 1, -1, 31, 32, 33, 0x7fffffff, -0x80000000, -968663218, 65536].map((v) => [0x41, ...sleb(v)]),
  l: [0n, 1n, -1n, 63n, 64n, 65n, (1n << 63n) - 1n, -(1n << 63n), -708409061548430977n, 1n << 32n].map((v) => [0x42, ...sleb(v)]),
  f: [...FLOATS.map(f32), [0x43, 0, 0, 0xc0, 0x7f], [0x43, 0, 0, 0xc0, 0xff], [0x43, 1, 0, 0xa0, 0x7f]],
  d: [...FLOATS, 2147483647.5, 1e39].map(f64).concat([[0x44, ...bytesOf(0x7ff8n << 48n, 8)], [0x44, ...bytesOf(0xfff8n << 48n, 8)]]),
  v: [vector(0n, 0n), vector(-1n, -1n), vector(0x80000000_00000000n, 0x7fc00000_80000000n), vector(0x7ff80000_00000000n, 0x3ff00000_00000000n),
    vector(0x0001ff80_7f000280n, 0xbf800000_3f000000n)],
};

function* cases() {
  for (const [opcode, operands, result, immediate, lanes] of [...numericRows(), ...vectorRows()]) {
    if (!result || immediate === 'MemArg' || immediate === 'MemLane' || immediate === 'V128') continue;
    const tail = { Lane: [lanes - 1], Shuffle: Array.from({ length: 16 }, (_, i) => (7 * i) % 32) }[immediate] ?? [];
    const modes = operands.length === 1 ? [[1]] : operands.length === 2 ? [[1, 1], [1, 0], [0, 1]] : [[1, 1, 1], [0, 1, 1], [1, 1, 0]];
    const choose = (types) => (types ? choose(types.slice(1)).flatMap((rest) => VALUES[types[0]].map((value) => [value, ...rest])) : [[]]);
    for (const values of choose(operands)) for (const known of modes) yield { code: [...opcode, ...tail], operands, result, values, known };
  }
}

/// What traps alone would end the run, so it is asked first, of V8.
function traps({ code, operands, result, values }) {
  const { instance } = build([{ code, operands, result, values, known: operands }]);
  try {
    instance().exports._start();
  } catch {
    return true;
  }
  return false;
}

const sized = (bytes) => [...leb(bytes.length), ...bytes];
const list = (items) => [...leb(items.length), ...items.flat()];

function build(chunk) {
  const signatures = [...new Set(chunk.map((c) => c.operands + '>' + c.result))];
  const types = [[0x60, 0, 0], ...signatures.map((s) => [0x60, ...list([...s.split('>')[0]].map((t) => [TYPES[t]])), 1, TYPES[s.split('>')[1]]])];
  const bodies = chunk.map((c) => sized([0, 0x41, 0, 0xfd, 15, 0x1a, ...c.values.flatMap((value, i) => (c.known[i] ? value : [0x20, i])), ...c.code, 0x0b]));
  const start = chunk.flatMap((c, i) => [0x41, ...sleb(16 * i), ...c.values.flat(), 0x10, ...leb(i), ...STORES[c.result], 0]);
  const section = (id, bytes) => [id, ...sized(bytes)];
  const bytes = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section(1, list(types)),
    ...section(3, list([...chunk.map((c) => leb(1 + signatures.indexOf(c.operands + '>' + c.result))), [0]])), ...section(5, [1, 0, 2]),
    ...section(7, [1, ...sized([...Buffer.from('_start')]), 0, ...leb(chunk.length)]), ...section(10, list([...bodies, sized([0, ...start, 0x0b])]))]);
  return { bytes, instance: () => new WebAssembly.Instance(new WebAssembly.Module(bytes)) };
}

const work = mkdtempSync(join(tmpdir(), 'selvedge-constants-'));
let failures = 0;

function agrees(chunk) {
  const path = join(work, 'it.wasm'), out = join(work, 'it.out.wasm');
  writeFileSync(path, build(chunk).bytes);
  const [said] = rewriteAll(binDir, [path], [out]);
  const here = runHere(new WebAssembly.Module(readFileSync(out)), Buffer.from(said.identity, 'hex'), ['program'], Buffer.alloc(0), LIMIT).answer;
  return here.end === 'exited' && here.trace === onJavaScriptCore(binDir, [path], LIMIT, 'jit')[0].trace;
}

/// Finds the cases by halves.
function look(chunk) {
  if (failures > 20 || agrees(chunk)) return;
  if (chunk.length === 1) {
    ++failures;
    console.log(`DIFFERENT opcode ${chunk[0].code.map((b) => b.toString(16))}, operands ${JSON.stringify(chunk[0].values)}, known ${chunk[0].known}`);
    return;
  }
  look(chunk.slice(0, chunk.length / 2));
  look(chunk.slice(chunk.length / 2));
}

let chunk = [], total = 0;
const trapping = /^(6[d-f]|70|7f|8[0-2]|a[89a-f]|b[0-1])$/;
try {
  for (const one of cases()) {
    if (trapping.test(one.code[0].toString(16)) && traps(one)) continue;
    ++total;
    if (chunk.push(one) < CHUNK) continue;
    look(chunk);
    chunk = [];
  }
  if (chunk.length) look(chunk);
} finally {
  rmSync(work, { recursive: true });
}
console.log(`${total} combinations, ${failures} differences`);
console.log(failures === 0 ? 'PASS' : 'FAIL');
process.exitCode = failures === 0 ? 0 : 1;
