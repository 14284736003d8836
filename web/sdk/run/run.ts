// Runs one rewritten program on the engine that runs this file, as docs/spec/metering.md and docs/spec/trace.md have it. What a program can call, and what a
// run is committed to, is C++ from the same source as on a machine (src/wasi/abi.cc, runner.wasm); here are the engine, fuel, and the ends.
//
// The counterpart on a machine is src/host/domain/runner/engine.cc. In a browser and in Node.

import { encodeFields, type FieldValue, parseDescription } from '../../src/schema.js';
import { fromUtf8 } from '../../src/bytes.js';

export interface Task {
  module: Uint8Array; identity: Uint8Array; hasStart: boolean; pagesMin: number; args: string[]; environment: string[];
  input: Uint8Array; files: { path: string; content: Uint8Array }[]; seed: bigint; fuelLimit: bigint; memoryPagesMax: number; outputBytesMax: number;
  /** A checkpoint to go on from: this runner has none yet, and refuses. */
  resume: Uint8Array;
}
export interface Segment { fuel: bigint; digest: Uint8Array }
export interface Result {
  end: number; exitCode: number; fuel: bigint; memoryBytes: number; comparable: boolean; trace: Uint8Array; segments: Segment[]; message: string; output: Uint8Array;
}
/** State is a service's, and a page runs none: ENOSYS. */
const noState = (): number => 52;

export interface Pace {
  /** Asked at every grant of fuel: a promise, and the program stands still until it resolves, where the engine can do that (JSPI). */
  rest(): Promise<void> | undefined;
}

/** As DomainEnd (src/host/domain/domain_pool.h). */
export const End = { exited: 0, trapped: 1, outOfFuel: 2, outOfMemory: 3, outputTooLarge: 4, killed: 6, refused: 8 } as const;

const PAGE_BYTES = 65536;
const MARK = 1n << 26n;
const SEGMENTS_MAX = 32_768;
/** Fuel of a slice: a few milliseconds on most machines. The first ones are shorter, as nothing is known of the machine yet. */
const SLICE = 1n << 22n;
const YIELD_DEPTH = 1, YIELD_GROW = 2;
const START = parseDescription('{identity:bytes32,args:[text],environment:[text],input:bytes,files:[{path:text,content:bytes}],seed:u64,output_bytes_max:u64}');

// JSPI, as far as it is used here; not in TypeScript's library yet.
const jspi = WebAssembly as unknown as { Suspending?: new (run: (...args: never[]) => unknown) => WebAssembly.ImportValue; promising?: (run: unknown) => () => Promise<void> };
export const canStandStill = jspi.Suspending !== undefined && jspi.promising !== undefined;

interface RunnerExports {
  memory: WebAssembly.Memory;
  _initialize(): void;
  run_alloc(size: number): number;
  run_free(at: number): void;
  run_board(): number;
  run_text(): number;
  run_functions(): number;
  run_name(i: number): number;
  run_types(i: number): number;
  run_begin(at: number, size: number): number;
  run_call(i: number): number;
  run_segment(used: bigint, words: number, count: number): void;
  run_output(): number;
  run_content_id(at: number, size: number): void;
  run_end(end: number, exitCode: number, fuel: bigint): void;
}
interface GuestExports {
  __sv_memory: WebAssembly.Memory;
  __sv_begin(pages: number): void;
  __sv_fuel_get(): bigint;
  __sv_fuel_set(fuel: bigint): void;
  __sv_slot_get(i: number): bigint;
  __sv_start?(): void;
  _start(): void;
}

/** Thrown through a program to end it. */
class Ended extends Error {}

/** The C++ half: loaded once, used by one run after the other. */
export class Calls {
  readonly #exports: RunnerExports;
  guest: WebAssembly.Memory | null = null;
  fuelUsed: () => bigint = () => 0n;
  readonly functions: { name: string; types: string }[];

  private constructor(exports: RunnerExports) {
    this.#exports = exports;
    exports._initialize();
    this.functions = Array.from({ length: exports.run_functions() }, (_, i) => ({ name: this.#text(exports.run_name(i)), types: this.#text(exports.run_types(i)) }));
  }

  static async load(source: Response | BufferSource): Promise<Calls> {
    let calls: Calls | null = null;
    let exports: RunnerExports | null = null;
    const far = (at: number, size: number): Uint8Array => new Uint8Array((calls?.guest as WebAssembly.Memory).buffer, at, size);
    const near = (at: number, size: number): Uint8Array => new Uint8Array((exports as RunnerExports).memory.buffer, at >>> 0, size >>> 0);
    const imports = {
      env: {
        guest_size: () => calls?.guest?.buffer.byteLength ?? 0,
        guest_read: (at: number, to: number, size: number) => near(to, size).set(far(at, size >>> 0)),
        guest_write: (at: number, from: number, size: number) => far(at, size >>> 0).set(near(from, size)),
        fuel_used: () => calls?.fuelUsed() ?? 0n,
        tab_bug: (at: number, size: number) => {
          throw new Error(`the runner found a bug of its own: ${fromUtf8(near(at, size))}`);
        },
      },
    };
    const { instance } = source instanceof Response ? await WebAssembly.instantiateStreaming(source, imports) : await WebAssembly.instantiate(source, imports);
    exports = instance.exports as unknown as RunnerExports;
    calls = new Calls(exports);
    return calls;
  }

  #text(at: number): string {
    const bytes = new Uint8Array(this.#exports.memory.buffer, at >>> 0);
    return fromUtf8(bytes.slice(0, bytes.indexOf(0)));
  }

  board(): BigUint64Array {
    return new BigUint64Array(this.#exports.memory.buffer, this.#exports.run_board(), 16);
  }

  bytes(at: number, size: number): Uint8Array {
    return new Uint8Array(this.#exports.memory.buffer).slice(at >>> 0, (at >>> 0) + size);
  }

  /** Why the task cannot run; empty: it can. */
  begin(task: Task): string {
    const start = encodeFields({
      identity: task.identity, args: task.args, environment: task.environment, input: task.input, files: task.files, seed: task.seed,
      output_bytes_max: BigInt(task.outputBytesMax),
    } as unknown as FieldValue, START);
    const at = this.#exports.run_alloc(start.length);
    new Uint8Array(this.#exports.memory.buffer).set(start, at >>> 0);
    const can = this.#exports.run_begin(at, start.length);
    this.#exports.run_free(at);
    return can ? '' : this.#text(this.#exports.run_text());
  }

  /** An errno, or 65536 and how the run ends. */
  call(function_: number, args: readonly (number | bigint)[]): number {
    const board = this.board();
    for (let i = 0; i < args.length; ++i) {
      const value = args[i] as number | bigint;
      board[i] = typeof value === 'bigint' ? BigInt.asUintN(64, value) : BigInt(value >>> 0);
    }
    return this.#exports.run_call(function_);
  }

  segment(used: bigint, words: bigint[]): { boundary: bigint; digest: Uint8Array } {
    const at = this.#exports.run_alloc(8 * words.length + 8) >>> 0;
    const array = new BigUint64Array(this.#exports.memory.buffer, at, words.length);
    words.forEach((word, i) => {
      array[i] = BigInt.asUintN(64, word);
    });
    this.#exports.run_segment(used, at, words.length);
    this.#exports.run_free(at);
    return { boundary: this.board()[0] as bigint, digest: this.bytes(this.#exports.run_board() + 8, 32) };
  }

  output(): { tooLarge: boolean; exitCode: number; bytes: Uint8Array } {
    const at = this.#exports.run_output();
    const [tooLarge, size, exitCode] = this.board();
    return { tooLarge: tooLarge !== 0n, exitCode: Number(exitCode) | 0, bytes: this.bytes(at, Number(size)) };
  }

  /** The name of content, as everywhere in the fabric. */
  contentId(bytes: Uint8Array): string {
    const at = this.#exports.run_alloc(Math.max(1, bytes.length));
    new Uint8Array(this.#exports.memory.buffer).set(bytes, at >>> 0);
    this.#exports.run_content_id(at, bytes.length);
    this.#exports.run_free(at);
    return this.#text(this.#exports.run_text());
  }

  end(end: number, exitCode: number, fuel: bigint): Uint8Array {
    this.#exports.run_end(end, exitCode, fuel);
    return this.bytes(this.#exports.run_board(), 32);
  }
}

class Run {
  #exports!: GuestExports;
  #granted = 0n;
  #mark = 0n;
  #boundary = 0n;
  #segments: Segment[] = [];
  #ended = false;
  #end: number = End.exited;
  #message = '';
  #comparable = true;

  constructor(readonly calls: Calls, readonly task: Task, readonly pace: Pace | undefined) {}

  #stop(end: number, message: string, comparable = true): never {
    if (!this.#ended) {
      this.#ended = true;
      [this.#end, this.#message, this.#comparable] = [end, message, comparable];
    }
    throw new Ended();
  }

  #used(): bigint {
    return this.#granted - this.#exports.__sv_fuel_get();
  }

  /** At least what is missing. */
  #grant(missing: bigint): bigint {
    const limit = this.task.fuelLimit;
    if (this.#ended || missing > limit - this.#granted) this.#stop(End.outOfFuel, 'the fuel limit of the task was reached');
    const used = this.#granted + missing;
    if (used > 0n) this.#mark = used - 1n - ((used - 1n) % MARK);
    if (this.#mark >= this.#boundary) this.#endSegment(used);
    let slice = MARK - (this.#granted % MARK);
    for (const bound of [SLICE, limit - this.#granted]) if (bound < slice) slice = bound;
    if (missing > slice) slice = missing;
    this.#granted += slice;
    return slice;
  }

  #endSegment(used: bigint): void {
    const slots = Number(this.#exports.__sv_slot_get(-1));
    const { boundary, digest } = this.calls.segment(used, Array.from({ length: slots }, (_, i) => this.#exports.__sv_slot_get(i)));
    this.#boundary = boundary;
    if (this.#segments.length < SEGMENTS_MAX) this.#segments.push({ fuel: used, digest });
  }

  /** Takes fuel for what a host function did, and compares it as a loop's head does. */
  #charge(cost: bigint): void {
    let left = this.#exports.__sv_fuel_get() - cost;
    if (left < 0n) left += this.#grant(-left);
    this.#exports.__sv_fuel_set(left);
  }

  #yield(reason: number, missing: number): number {
    if (reason === YIELD_DEPTH) this.#stop(End.trapped, 'trap: the call depth limit was reached');
    if (reason === YIELD_GROW) this.#stop(End.outOfMemory, 'the browser could not provide the memory', false);
    return Number(this.#grant(BigInt(missing >>> 0)));
  }

  #imports(standsStill: boolean): WebAssembly.Imports {
    const wasi: Record<string, WebAssembly.ImportValue> = {};
    this.calls.functions.forEach(({ name }, i) => {
      wasi[name] = (...args: (number | bigint)[]): number => {
        if (this.#ended) this.#stop(End.trapped, 'ended');
        const answer = this.calls.call(i, args);
        if (answer === 65537) this.#stop(End.exited, '');
        if (answer >= 65536) this.#stop(End.outputTooLarge, 'more output than the task allows');
        const cost = this.calls.board()[0] as bigint;
        if (cost > 0n) this.#charge(cost);
        return answer;
      };
    });
    const yields = (reason: number, missing: number): number | Promise<number> => {
      const rest = this.pace?.rest();
      return rest === undefined ? this.#yield(reason, missing) : rest.then(() => this.#yield(reason, missing));
    };
    return {
      wasi_snapshot_preview1: wasi, selvedge: { checkpoint: () => undefined },
      selvedge_state: { get: noState, put: noState, delete: noState, next: noState },
      __sv_host: { yield: standsStill && jspi.Suspending ? new jspi.Suspending(yields) : (reason: number, missing: number) => this.#yield(reason, missing) },
    };
  }

  async #execute(standsStill: boolean): Promise<void> {
    const enter = (run: (() => void) | undefined): Promise<void> | void => (standsStill && run ? jspi.promising?.(run)() : run?.());
    this.#exports.__sv_begin(Math.min(this.task.memoryPagesMax, 65_536));
    if (this.task.pagesMin > this.task.memoryPagesMax) {
      this.#stop(End.outOfMemory, `the module starts with ${this.task.pagesMin} pages of memory; the task allows ${this.task.memoryPagesMax}`);
    }
    if (this.task.hasStart) await enter(this.#exports.__sv_start);
    await enter(this.#exports._start);
  }

  async run(module: WebAssembly.Module): Promise<Result> {
    const standsStill = canStandStill && this.pace !== undefined;
    this.#exports = (await WebAssembly.instantiate(module, this.#imports(standsStill))).exports as unknown as GuestExports;
    this.calls.guest = this.#exports.__sv_memory;
    this.calls.fuelUsed = () => this.#used();
    const refused = this.#exports.__sv_memory.buffer.byteLength === this.task.pagesMin * PAGE_BYTES ? this.calls.begin(this.task) : "the module's memory is not what was announced";
    if (refused !== '') return failed(End.refused, refused);
    this.#boundary = this.calls.board()[0] as bigint;
    try {
      await this.#execute(standsStill);
    } catch (error) {
      if (!this.#ended) this.#caught(error);
    }
    return this.#conclude();
  }

  /** A trap says something about the program. Anything else is the engine's own trouble: its stack, its memory. */
  #caught(error: unknown): void {
    this.#comparable = error instanceof WebAssembly.RuntimeError;
    this.#end = this.#comparable ? End.trapped : End.outOfMemory;
    this.#message = `trap: ${error instanceof Error ? error.message : String(error)}`;
  }

  #conclude(): Result {
    const limit = this.task.fuelLimit;
    let used = this.#used();
    if (this.#comparable && used > limit) {
      // Fuel is checked at loops and calls only; what was overdrawn on the last straight line counts all the same.
      [this.#end, this.#message] = [End.outOfFuel, 'the fuel limit of the task was reached'];
    }
    const output = this.calls.output();
    if (output.tooLarge && this.#comparable && this.#end === End.exited) [this.#end, this.#message] = [End.outputTooLarge, 'more output than the task allows'];
    // A trap loses what was charged since fuel was last written down, but never a whole mark.
    if (this.#mark > used) used = this.#mark;
    if (this.#end === End.outOfFuel || used > limit) used = limit;
    const exitCode = this.#end === End.exited ? output.exitCode : 0;
    const trace = this.#comparable ? this.calls.end(this.#end, exitCode, used) : new Uint8Array(32);
    const memoryBytes = this.#exports.__sv_memory.buffer.byteLength;
    this.calls.guest = null;
    return {
      end: this.#end, exitCode, fuel: used, memoryBytes, comparable: this.#comparable, trace, segments: this.#comparable ? this.#segments : [], message: this.#message,
      output: output.bytes,
    };
  }
}

function failed(end: number, message: string): Result {
  return { end, exitCode: 0, fuel: 0n, memoryBytes: 0, comparable: false, trace: new Uint8Array(32), segments: [], message, output: new Uint8Array() };
}

/** Compiles and runs it. Each run has an instance of its own. */
export async function run(calls: Calls, task: Task, pace?: Pace): Promise<Result> {
  if (task.resume.length > 0) return failed(End.refused, 'a browser does not go on from a checkpoint yet');
  let module: WebAssembly.Module;
  try {
    module = await WebAssembly.compile(task.module as BufferSource);
  } catch (error) {
    return failed(End.outOfMemory, `the engine does not compile it: ${error instanceof Error ? error.message : String(error)}`);
  }
  return new Run(calls, task, pace).run(module);
}
