// Random modules on three engines that share no code: V8 here, JavaScriptCore in a process, and wabt's interpreter.
// Compared are the trace (output, memory, fuel and how it ended, V8 and JavaScriptCore), and the trap's kind, fuel and a sum over
// the memory (all three; wabt only where functions do not call themselves, because its stack is small: such modules run once more
// on V8 instead, with grants of nothing but what is missing). A module without floats must also do what it did before it was rewritten.
//
//   node [v8 flags] engines_random_test.mjs BIN_DIR FIRST_SEED COUNT [jit|nojit [PART [SECONDS]]]
//   node [v8 flags] engines_random_test.mjs BIN_DIR SEED,SEED,...
//
// On a difference the module's seed is printed; `randomModule(seed)` makes it again. PART: wabt runs one module in so many, because
// it takes most of the time. SECONDS: no batch begins later than that.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onInterpreter, onJavaScriptCore, rewriteAll } from './engines.mjs';
import { randomModule } from './random_module.mjs';
import { runHere, trapKind } from './run_module.mjs';

const [binDir, firstSeed, count, tier = 'jit', part = '1', seconds = 'Infinity'] = process.argv.slice(2);
const BATCH = 500; // modules for each process of JavaScriptCore, which keeps what it compiled
const LIMIT = 300_000n;

const work = mkdtempSync(join(tmpdir(), 'selvedge-random-'));
const seen = {};
let failures = 0, interpretedCount = 0;

/// Runs a module that was not rewritten: what it must still do afterwards.
function plain(bytes) {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  let trap = '';
  try {
    exports._start();
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) return undefined; // the engine's own stack
    trap = trapKind(error.message);
  }
  return { trap, sum: exports.sum() };
}

function compare(seed, what, a, b) {
  const text = (x) => JSON.stringify(x, (_, v) => (typeof v === 'bigint' ? String(v) : v));
  if (text(a) === text(b)) return;
  ++failures;
  console.log(`DIFFERENT seed ${seed}, ${what}:\n  ${text(a)}\n  ${text(b)}`);
}

function run(wasm, identity, slice) {
  const ran = runHere(wasm, identity, ['program'], Buffer.alloc(0), LIMIT, slice);
  const fuel = ran.granted() - ran.exports.__sv_fuel_get();
  ran.unlimited();
  return { answer: { ...ran.answer, trap: ran.trap }, summary: { trap: ran.trap, sum: ran.exports.sum(), fuel } };
}

function batch(seeds) {
  const modules = seeds.map((seed) => randomModule(seed, tier !== 'nojit'));
  const paths = seeds.map((seed) => join(work, `${seed}.wasm`)), outs = seeds.map((seed) => join(work, `${seed}.out.wasm`));
  modules.forEach((module, i) => writeFileSync(paths[i], module.bytes));
  const rewritten = rewriteAll(binDir, paths, outs);
  const there = onJavaScriptCore(binDir, paths, LIMIT, tier);
  const here = seeds.map((seed, i) => {
    const wasm = new WebAssembly.Module(readFileSync(outs[i])), identity = Buffer.from(rewritten[i].identity, 'hex');
    const { answer, summary } = run(wasm, identity);
    compare(seed, 'V8 and JavaScriptCore', answer, there[i]);
    const how = answer.trap || answer.end;
    seen[how] = (seen[how] ?? 0) + 1;
    if (modules[i].isRecursive) compare(seed, 'slices', answer, run(wasm, identity, 1).answer);
    if (!modules[i].hasFloats && how !== 'depth' && how !== 'out_of_fuel') {
      const before = plain(modules[i].bytes);
      if (before) compare(seed, 'rewritten and as it was', { trap: summary.trap, sum: summary.sum }, before);
    }
    return { ...summary, stopped: how === 'depth' || how === 'out_of_fuel' };
  });
  const interpreted = seeds.map((_, i) => i).filter((i) => !modules[i].isRecursive && seeds[i] % Number(part) === 0);
  onInterpreter(work, interpreted.map((i) => outs[i]), LIMIT).forEach((other, k) => {
    const i = interpreted[k];
    const { stopped, ...mine } = here[i];
    if (other.trap === 'unreachable' && stopped) other.trap = mine.trap;
    compare(seeds[i], 'V8 and wabt', mine, other);
    ++interpretedCount;
  });
  for (const path of [...paths, ...outs]) rmSync(path);
}

const listed = firstSeed.includes(',') ? firstSeed.split(',').map(Number) : undefined;
const seeds = listed ?? Array.from({ length: Number(count) }, (_, i) => Number(firstSeed) + i);
let done = 0;
try {
  for (; done < seeds.length && failures <= 20 && performance.now() < 1000 * Number(seconds); done += BATCH) batch(seeds.slice(done, done + BATCH));
} finally {
  rmSync(work, { recursive: true });
}
console.log(`${Math.min(done, seeds.length)} modules from seed ${seeds[0]}, ${tier}: ${interpretedCount} of them interpreted, ${failures} differences; ended: ${JSON.stringify(seen)}`);
process.exit(failures === 0 ? 0 : 1);
