// One run of a rewritten module on the engine that runs this file: an independent implementation of what docs/spec/metering.md
// specifies of the runner's side: WASI profile, fuel grants and marks, trace. Used by the tests that compare engines.
import { createHash } from 'node:crypto';

const PAGES_MAX = (64 << 20) / 65536;
const OUTPUT_MAX = 16 << 20;
const MARK = 1n << 26n;
// Of segments, docs/spec/trace.md.
const SEGMENT_MIN = 4n * MARK, SEGMENT_PER_BYTE = 512n, SEGMENT_PART_SHIFT = 10n;
export const ENDS = ['exited', 'trapped', 'out_of_fuel', 'out_of_memory', 'output_too_large'];
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

const CHECKPOINT_FUEL = 1n << 26n;
const BLOCK = 4096;

/// docs/spec/checkpoints.md: the state of a run whose stack lies in its memory.
function encodeCheckpoint(run) {
  const u32 = (value) => {
    const out = Buffer.alloc(4);
    out.writeUInt32BE(value >>> 0);
    return out;
  };
  const x = run.exports;
  const memory = Buffer.from(x.__sv_memory.buffer);
  const runs = [];
  for (let at = 0; at < memory.length; at += BLOCK) {
    const block = memory.subarray(at, at + BLOCK);
    if (block.every((byte) => byte === 0)) continue;
    const last = runs.at(-1);
    if (last && last.at + last.size === at) last.size += BLOCK;
    else runs.push({ at, size: BLOCK });
  }
  const slots = Array.from({ length: Number(x.__sv_slot_get(-1)) }, (_, i) => number(x.__sv_slot_get(i)));
  return Buffer.concat([
    Buffer.from('selvedge checkpoint 1\n'), run.task, number(run.used()), number(run.mark), number(run.boundary), number(run.outputHashed),
    u32(run.segments.length), ...run.segments.flatMap(([fuel, digest]) => [number(fuel), Buffer.from(digest, 'hex')]), u32(run.area), u32(memory.length / 65536),
    u32(slots.length), ...slots, u32(runs.length), ...runs.flatMap(({ at, size }) => [u32(at), u32(size), memory.subarray(at, at + size)]),
    number(run.readAt), number(run.randomBlocks), number(0), u32(0), ...run.written, ...run.output,
  ]);
}

/// Puts an instance that has begun back to a checkpoint.
function takeUp(run, bytes) {
  let at = 22 + 32; // behind the magic words and the task
  const u32 = () => bytes.readUInt32BE((at += 4) - 4);
  const u64 = () => bytes.readBigUInt64BE((at += 8) - 8);
  const x = run.exports;
  [run.granted, run.mark, run.boundary, run.outputHashed] = [u64(), u64(), u64(), Number(u64())];
  for (let left = u32(); left > 0; --left) run.segments.push([u64(), bytes.subarray(at, (at += 32)).toString('hex')]);
  if (run.segments.length > 0) run.chain = Buffer.from(run.segments.at(-1)[1], 'hex');
  run.area = u32();
  const pages = u32();
  const slots = u32();
  for (let i = 0; i < slots; ++i) x.__sv_slot_set(i, BigInt.asIntN(64, u64()));
  x.__sv_memory.grow(pages - x.__sv_memory.buffer.byteLength / 65536);
  const memory = new Uint8Array(x.__sv_memory.buffer).fill(0);
  for (let left = u32(); left > 0; --left) {
    const [to, size] = [u32(), u32()];
    memory.set(bytes.subarray(at, at + size), to);
    at += size;
  }
  [run.readAt, run.randomBlocks] = [Number(u64()), u64()];
  u64(); // slept
  at += 4 + bytes.readUInt32BE(at); // what the program said on its standard error
  run.written = [bytes.subarray(at, at + run.outputHashed)];
  run.outputHash.update(run.written[0]);
  run.output = [bytes.subarray(at + run.outputHashed)];
  run.outputBytes = bytes.length - at;
  run.nextUnwind = (run.granted / CHECKPOINT_FUEL + 1n) * CHECKPOINT_FUEL;
  x.__sv_fuel_set(0n);
}

/// Calls _start until it returns for good. `onCheckpoint(fuel, encode)` sees each place where the stack is put aside.
function runMain(run, rewind, onCheckpoint) {
  for (;;) {
    if (rewind) {
      run.stack = 'rewinding';
      run.exports.asyncify_start_rewind(run.area);
    }
    run.exports._start();
    if (run.stack !== 'unwinding') return;
    run.exports.asyncify_stop_unwind();
    onCheckpoint?.(run.used(), () => encodeCheckpoint(run));
    rewind = true;
  }
}

/// Where the segment ends that begins at so much fuel, with so large a memory.
function boundary(fuel, memoryBytes) {
  let length = SEGMENT_MIN;
  for (const least of [SEGMENT_PER_BYTE * BigInt(memoryBytes), fuel >> SEGMENT_PART_SHIFT]) if (least > length) length = least;
  return ((fuel + length + MARK - 1n) / MARK) * MARK;
}

/// What a domain process answers, and besides: the segments' fuel and digests, the trap's kind, the instance's exports, what was granted so far,
/// and a way to call exports afterwards without a limit. `sliceMax` is not the runner's, because slices must not show. `resume`: the checkpoint
/// to go on from.
export function runHere(module, identity, args, input, fuelLimit, sliceMax = 77_777, { resume, onCheckpoint } = {}) {
  const run = { args, input, seed: 0n, readAt: 0, randomBlocks: 0n, output: [], outputBytes: 0, outputHash: createHash('sha256'), granted: 0n, mark: 0n, segments: [],
    written: [], outputHashed: 0, stack: 'running', area: 0, nextUnwind: CHECKPOINT_FUEL };
  run.used = () => run.granted - run.exports.__sv_fuel_get();
  const endSegment = (used) => {
    const { __sv_slot_get: state, __sv_memory: memory } = run.exports;
    const words = Array.from({ length: Number(state(-1)) }, (_, i) => number(state(i)));
    const written = run.output.splice(0);
    run.outputHash.update(Buffer.concat(written));
    run.written.push(...written);
    run.outputHashed = run.outputBytes;
    run.chain = sha256(tag('selvedge.wasm.segment'), run.chain, number(used), sha256(tag('selvedge.wasm.words'), ...words), sha256(new Uint8Array(memory.buffer)),
      sha256(...written), number(run.readAt), number(run.randomBlocks));
    run.boundary = boundary(used, memory.buffer.byteLength);
    run.segments.push([used, run.chain.toString('hex')]);
  };
  const yieldFuel = (reason, missing) => {
    if (reason === 1) throw new Ended(1);
    if (reason === 2) throw new Error('the engine could not grow the memory');
    const left = fuelLimit - run.granted;
    if (BigInt(missing) > left) throw new Ended(2);
    const used = run.granted + BigInt(missing);
    if (used > 0n) run.mark = used - 1n - ((used - 1n) % MARK);
    if (run.mark >= run.boundary) endSegment(used);
    let slice = MARK - (run.granted % MARK);
    for (const least of [BigInt(sliceMax), left]) if (least < slice) slice = least;
    if (BigInt(missing) > slice) slice = BigInt(missing);
    run.granted += slice;
    return Number(slice);
  };
  const checkpoint = (area, size) => {
    const x = run.exports;
    if (!run.inMain || !x.asyncify_start_unwind) return;
    if (run.stack === 'rewinding') {
      run.stack = 'running';
      x.asyncify_stop_rewind();
      return;
    }
    const memory = new DataView(x.__sv_memory.buffer);
    if (run.used() < run.nextUnwind || size >>> 0 < 64 || (area >>> 0) + (size >>> 0) > memory.byteLength) return;
    memory.setUint32(area >>> 0, area + 8, true);
    memory.setUint32((area >>> 0) + 4, area + size, true);
    run.area = area >>> 0;
    run.nextUnwind = (run.used() / CHECKPOINT_FUEL + 1n) * CHECKPOINT_FUEL;
    run.stack = 'unwinding';
    x.asyncify_start_unwind(area);
  };
  run.exports = new WebAssembly.Instance(module, {
    wasi_snapshot_preview1: wasi(run), __sv_host: { yield: yieldFuel }, selvedge: { checkpoint },
  }).exports;
  const argsDigest = sha256(tag('selvedge.wasm.args'), number(args.length), ...args.flatMap((a) => [number(Buffer.byteLength(a)), a]));
  run.chain = run.task = sha256(tag('selvedge.wasm.task'), identity, argsDigest, sha256(input), number(run.seed));
  run.boundary = boundary(0n, run.exports.__sv_memory.buffer.byteLength);
  let end = 0;
  let exitCode = 0;
  let trap = '';
  run.exports.__sv_begin(PAGES_MAX);
  try {
    if (resume) takeUp(run, resume);
    else run.exports.__sv_start?.();
    run.inMain = true;
    runMain(run, Boolean(resume), onCheckpoint);
  } catch (error) {
    if (error instanceof Ended) [end, exitCode, trap] = [error.end, error.exitCode, error.end === 1 ? 'depth' : ''];
    else if (error instanceof WebAssembly.RuntimeError) [end, trap] = [1, trapKind(error.message)];
    else throw error;
  }
  const counted = run.used();
  let fuel = counted > run.mark ? counted : run.mark;
  if (fuel > fuelLimit || end === 2) [end, fuel] = [2, fuelLimit];
  if (end !== 0) exitCode = 0;
  const output = run.outputHash.update(Buffer.concat(run.output)).digest();
  const memory = new Uint8Array(run.exports.__sv_memory.buffer);
  const trace = sha256(tag('selvedge.wasm.trace'), run.chain, number(end), number(exitCode >>> 0), number(fuel), output, sha256(memory));
  const answer = { end: ENDS[end], exit_code: exitCode, fuel: Number(fuel), memory_bytes: memory.length,
    output_sha256: output.toString('hex'), trace: trace.toString('hex') };
  const unlimited = () => (fuelLimit = 1n << 60n);
  return { answer, trap, segments: run.segments, exports: run.exports, granted: () => run.granted, unlimited };
}

/// One name for a trap, whatever the engine calls it: V8, JavaScriptCore or wabt's interpreter.
export function trapKind(message) {
  const kinds = [
    [/depth/i, 'depth'], [/unreachable/i, 'unreachable'], [/by zero/i, 'zero'],
    [/overflow|unrepresentable|invalid conversion|trunc/i, 'range'],
    [/table|element|indirect|null function|signature/i, 'table'], [/bounds/i, 'memory'],
  ];
  return kinds.find(([pattern]) => pattern.test(message))?.[1] ?? message;
}
