// The same rewritten module on two engines: V8 here, JavaScriptCore in a domain process. Output, fuel, how it ended
// and the whole memory must agree, which the trace commitment says in one hash. This file is also an independent
// implementation of what docs/spec/metering.md specifies: WASI profile, fuel grants and trace.
//
//   node [v8 flags] engines_test.mjs BIN_DIR GUESTS_DIR
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [binDir, guestsDir] = process.argv.slice(2);
const PAGES_MAX = (64 << 20) / 65536;
const OUTPUT_MAX = 16 << 20;
const SLICE = 77_777; // not the runner's, because slices must not show
const ENDS = ['exited', 'trapped', 'out_of_fuel', 'out_of_memory', 'output_too_large'];
const EPOCH_NS = 1_577_836_800n * 1_000_000_000n;

const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest();
const tag = (name) => Buffer.concat([Buffer.from([name.length]), Buffer.from(name)]);
const number = (value) => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)));
  return out;
};

class Ended extends Error {
  constructor(end, exitCode = 0) {
    super(ENDS[end]);
    Object.assign(this, { end, exitCode });
  }
}

function wasi(run) {
  const view = () => new DataView(run.exports.__sv_memory.buffer);
  const bytes = () => new Uint8Array(run.exports.__sv_memory.buffer);
  const inside = (at, size) => at >>> 0 <= bytes().length && size <= bytes().length - (at >>> 0);
  const vectors = (at, count) => {
    const out = [];
    for (let i = 0; i < count; ++i) out.push([view().getUint32(at + 8 * i, true), view().getUint32(at + 8 * i + 4, true)]);
    return out;
  };
  return {
    args_sizes_get(count, size) {
      view().setUint32(count, run.args.length, true);
      view().setUint32(size, run.args.reduce((n, a) => n + Buffer.byteLength(a) + 1, 0), true);
      return 0;
    },
    args_get(pointers, text) {
      for (const arg of run.args) {
        view().setUint32(pointers, text, true);
        const raw = Buffer.from(arg + '\0');
        bytes().set(raw, text);
        pointers += 4;
        text += raw.length;
      }
      return 0;
    },
    environ_sizes_get(count, size) {
      view().setUint32(count, 0, true);
      view().setUint32(size, 0, true);
      return 0;
    },
    environ_get: () => 0,
    clock_res_get(id, at) {
      view().setBigUint64(at, 1n, true);
      return 0;
    },
    clock_time_get(id, precision, at) {
      view().setBigUint64(at, (id === 0 ? EPOCH_NS : 0n) + run.used(), true);
      return 0;
    },
    fd_close: (fd) => (fd >>> 0 <= 2 ? 0 : 8),
    fd_fdstat_get(fd, at) {
      if (fd >>> 0 > 2) return 8;
      bytes().fill(0, at, at + 24);
      view().setBigUint64(at + 8, fd === 0 ? 2n : 64n, true);
      return 0;
    },
    fd_prestat_get: () => 8,
    fd_prestat_dir_name: () => 8,
    fd_seek: (fd) => (fd >>> 0 <= 2 ? 70 : 8),
    fd_read(fd, at, count, done) {
      if (fd !== 0) return 8;
      let total = 0;
      for (const [to, size] of vectors(at, count)) {
        const piece = run.input.subarray(run.readAt, run.readAt + size);
        bytes().set(piece, to);
        run.readAt += piece.length;
        total += piece.length;
      }
      view().setUint32(done, total, true);
      return 0;
    },
    fd_write(fd, at, count, done) {
      if (fd !== 1 && fd !== 2) return 8;
      let total = 0;
      for (const [from, size] of vectors(at, count)) {
        if (!inside(from, size)) return 21;
        total += size;
        if (fd === 1) {
          if (run.outputBytes + size > OUTPUT_MAX) throw new Ended(4);
          run.output.push(Buffer.from(bytes().slice(from, from + size)));
          run.outputBytes += size;
        }
      }
      view().setUint32(done, total, true);
      return 0;
    },
    proc_exit(code) {
      throw new Ended(0, code);
    },
    random_get(at, size) {
      if (size >>> 0 > 65536) return 28;
      for (let n = 0; n < size; n += 32) {
        const block = sha256('selvedge.wasm.random', number(run.seed), number(run.randomBlocks++));
        bytes().set(block.subarray(0, Math.min(32, size - n)), at + n);
      }
      return 0;
    },
    sched_yield: () => 0,
  };
}

function runHere(module, identity, args, input, fuelLimit) {
  const run = { args, input, seed: 0n, readAt: 0, randomBlocks: 0n, output: [], outputBytes: 0, granted: 0n };
  run.used = () => run.granted - run.exports.__sv_fuel_get();
  const yieldFuel = (reason) => {
    if (reason === 1) throw new Ended(1);
    if (reason === 2) throw new Error('the engine could not grow the memory');
    if (run.granted >= fuelLimit) throw new Ended(2);
    const slice = fuelLimit - run.granted < SLICE ? fuelLimit - run.granted : BigInt(SLICE);
    run.granted += slice;
    return Number(slice);
  };
  run.exports = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi(run), __sv_host: { yield: yieldFuel } }).exports;
  let end = 0;
  let exitCode = 0;
  run.exports.__sv_begin(PAGES_MAX);
  try {
    run.exports.__sv_start?.();
    run.exports._start();
  } catch (error) {
    if (error instanceof Ended) [end, exitCode] = [error.end, error.exitCode];
    else if (error instanceof WebAssembly.RuntimeError) end = 1;
    else throw error;
  }
  let fuel = run.used();
  if (fuel > fuelLimit || end === 2) [end, fuel] = [2, fuelLimit];
  if (end !== 0) exitCode = 0;
  const output = sha256(...run.output);
  const argsDigest = sha256(tag('selvedge.wasm.args'), number(args.length), ...args.flatMap((a) => [number(Buffer.byteLength(a)), a]));
  const memory = new Uint8Array(run.exports.__sv_memory.buffer);
  const trace = sha256(tag('selvedge.wasm.trace'), identity, argsDigest, sha256(input), number(run.seed), number(end),
    number(exitCode >>> 0), number(fuel), output, sha256(memory));
  return { end: ENDS[end], exit_code: exitCode, fuel: Number(fuel), memory_bytes: memory.length,
    output_sha256: output.toString('hex'), trace: trace.toString('hex') };
}

const LIMIT = 2_000_000_000n;
const prose = 'The selvedge keeps the rest from unravelling; so does the fabric.\n'.repeat(2000);
const CASES = [
  ['hello', ['a', 'bc']], ['cat', [], prose], ['worldly', []], ['textstats', [], prose], ['leak', ['secret']],
  ['recurse', ['1000']], ['recurse', []], ['hog', []],
  ['trap', ['divide']], ['trap', ['loop']], ['trap', ['load']], ['trap', ['call']], ['trap', ['exit']], ['trap', ['unreachable']],
  ['spin', [], '', 5_000_000n], ['flood', ['300']],
  ['kernels', ['mix', '20']], ['kernels', ['matmul', '5']], ['kernels', ['sieve', '3']], ['kernels', ['sort', '5']],
  ['kernels', ['interpret', '20']], ['kernels', ['fib', '24']],
];

const work = mkdtempSync(join(tmpdir(), 'selvedge-engines-'));
let failures = 0;
const modules = new Map();
try {
  for (const [guest, args, input = '', limit = LIMIT] of CASES) {
    if (!modules.has(guest)) {
      const out = join(work, `${guest}.wasm`);
      const said = JSON.parse(execFileSync(join(binDir, 'selvedge-rewrite'), [join(guestsDir, `${guest}.wasm`), out]));
      modules.set(guest, [new WebAssembly.Module(readFileSync(out)), Buffer.from(said.identity, 'hex')]);
    }
    const here = runHere(...modules.get(guest), ['program', ...args], Buffer.from(input), limit);
    const there = JSON.parse(execFileSync(join(binDir, 'selvedge-domain-once'),
      [join(binDir, 'selvedge-domain'), join(guestsDir, `${guest}.wasm`), String(limit), ...args],
      { input, stdio: ['pipe', 'pipe', 'ignore'] }));
    const same = JSON.stringify(here) === JSON.stringify(there);
    console.log(`${same ? 'same     ' : 'DIFFERENT'} ${guest} ${args.join(' ')}: ${here.end}, fuel ${here.fuel}`);
    if (same) continue;
    ++failures;
    console.log('  v8 ', here, '\n  jsc', there);
  }
} finally {
  rmSync(work, { recursive: true });
}
process.exit(failures === 0 ? 0 : 1);
