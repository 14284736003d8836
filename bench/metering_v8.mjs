// node metering_v8.mjs REWRITER MODULE ROUNDS KERNEL KERNEL_ROUNDS: times a kernel as it is and rewritten, in turns, and
// prints: median ms as it is, median ms rewritten, median of the ratios of neighbouring runs, fuel. Part of metering_bench.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [rewriter, original, roundsText, ...args] = process.argv.slice(2);
const rounds = Number(roundsText);
const WARM_UP = 3; // runs in which the optimising compiler takes over
const SLICE = 2_000_000;

/// An instance and a function that runs it once from a fresh memory: [ms, output, fuel].
function prepare(module) {
  let granted = 0;
  let output = '';
  const argv = ['program', ...args].map((a) => Buffer.from(a + '\0'));
  const host = { yield: (reason, missing) => ((granted += Math.max(SLICE, missing)), Math.max(SLICE, missing)) };
  class Exit extends Error {}
  const wasi = {
    args_sizes_get(count, size) {
      view().setUint32(count, argv.length, true);
      view().setUint32(size, Buffer.concat(argv).length, true);
      return 0;
    },
    args_get(pointers, text) {
      for (const arg of argv) {
        view().setUint32(pointers, text, true);
        new Uint8Array(memory()).set(arg, text);
        pointers += 4;
        text += arg.length;
      }
      return 0;
    },
    fd_write(fd, at, count, done) {
      let total = 0;
      for (let i = 0; i < count; ++i) {
        const from = view().getUint32(at + 8 * i, true);
        const size = view().getUint32(at + 8 * i + 4, true);
        output += Buffer.from(memory(), from, size).toString();
        total += size;
      }
      view().setUint32(done, total, true);
      return 0;
    },
    fd_fdstat_get(fd, at) {
      new Uint8Array(memory()).fill(0, at, at + 24);
      return 0;
    },
    fd_close: () => 0,
    fd_seek: () => 70,
    proc_exit() {
      throw new Exit();
    },
  };
  const { exports } = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi, __sv_host: host });
  const memory = () => (exports.__sv_memory ?? exports.memory).buffer;
  const view = () => new DataView(memory());
  const image = new Uint8Array(memory()).slice();
  return () => {
    new Uint8Array(memory()).set(image);
    granted = 0;
    output = '';
    exports.__sv_begin?.(1024);
    const start = process.cpuUsage();
    try {
      exports._start();
    } catch (error) {
      if (!(error instanceof Exit)) throw error;
    }
    const used = process.cpuUsage(start);
    return [(used.user + used.system) / 1000, output, exports.__sv_fuel_get ? granted - Number(exports.__sv_fuel_get()) : 0];
  };
}

const folder = mkdtempSync(join(tmpdir(), 'selvedge-metering-'));
try {
  const rewritten = join(folder, 'rewritten.wasm');
  execFileSync(rewriter, [original, rewritten]);
  const plain = prepare(new WebAssembly.Module(readFileSync(original)));
  const metered = prepare(new WebAssembly.Module(readFileSync(rewritten)));
  const times = [];
  let fuel = 0;
  for (let i = -WARM_UP; i < rounds; ++i) {
    // Who goes first changes, so that neither profits from the other's caches.
    const results = [];
    for (const which of i & 1 ? [0, 1] : [1, 0]) results[which] = [plain, metered][which]();
    if (results[0][1] !== results[1][1]) throw new Error(`the rewritten module says ${results[1][1]}, not ${results[0][1]}`);
    fuel = results[1][2];
    if (i >= 0) times.push([results[0][0], results[1][0]]);
  }
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  console.log(median(times.map((t) => t[0])), median(times.map((t) => t[1])), median(times.map((t) => t[1] / t[0])), fuel);
} finally {
  rmSync(folder, { recursive: true });
}
