// Random modules on three engines that share no code: V8 here, JavaScriptCore in a process, and wabt's interpreter.
// Compared are the trace (output, memory, fuel and how it ended, V8 and JavaScriptCore), and the trap's kind, fuel and a sum over
// the memory (all three; wabt only where functions do not call themselves, because its stack is small). A module without floats must also do what it did before it was rewritten.
//
//   node [v8 flags] engines_random_test.mjs BIN_DIR FIRST_SEED COUNT [jit|nojit]
//
// On a difference the module's seed is printed; `randomModule(seed)` makes it again. With `nojit` JavaScriptCore interprets,
// and there are no vectors, which its interpreter does not know; otherwise functions become hot after a few calls.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomModule } from './random_module.mjs';
import { ENDS, runHere, trapKind } from './run_module.mjs';

const [binDir, firstSeed, count, tier = 'jit'] = process.argv.slice(2);
const BATCH = 100; // modules for each process of JavaScriptCore, which keeps what it compiled
const LIMIT = 300_000n;
const tiers = {
  jit: { JSC_thresholdForBBQOptimizeAfterWarmUp: '3', JSC_thresholdForBBQOptimizeSoon: '1', JSC_thresholdForOMGOptimizeAfterWarmUp: '20', JSC_thresholdForOMGOptimizeSoon: '5' },
  nojit: { JSC_useJIT: '0' },
};

const work = mkdtempSync(join(tmpdir(), 'selvedge-random-'));
const seen = {};
let failures = 0;
let interpretedCount = 0;

/// The host of wabt's interpreter: grants what is missing and nothing more, up to the limit.
const HOST = `(module
  (global $left (mut i64) (i64.const ${LIMIT}))
  (func (export "yield") (param $reason i32) (param $missing i32) (result i32)
    (if (local.get $reason) (then unreachable))
    (if (i64.gt_u (i64.extend_i32_u (local.get $missing)) (global.get $left)) (then unreachable))
    (global.set $left (i64.sub (global.get $left) (i64.extend_i32_u (local.get $missing))))
    (local.get $missing))
  (func (export "left") (result i64) (global.get $left))
  (func (export "unlimited") (global.set $left (i64.const 0x7fffffffffffffff))))`;

function interpreted() {
  let line = 0;
  const invoke = (module, field, ...args) => ({ type: 'action', line: ++line, action: { type: 'invoke', module, field, args }, expected: [] });
  const commands = [
    { type: 'module', line: ++line, name: '$host', filename: 'host.wasm' },
    { type: 'register', line: ++line, name: '$host', as: '__sv_host' },
    { type: 'module', line: ++line, name: '$it', filename: 'rewritten.wasm' },
    invoke('$it', '__sv_begin', { type: 'i32', value: '1024' }), invoke('$it', '_start'), invoke('$host', 'left'), invoke('$host', 'unlimited'),
    invoke('$it', '__sv_fuel_get'), invoke('$it', 'sum')];
  writeFileSync(join(work, 'run.json'), JSON.stringify({ source_filename: 'run', commands }));
  let text;
  try {
    text = execFileSync('spectest-interp', ['-C', '100000', '-V', '4000000', join(work, 'run.json')], { encoding: 'utf8', maxBuffer: 1 << 26, timeout: 120_000 });
  } catch (error) {
    text = error.stdout ?? '';
  }
  const lines = Object.fromEntries(text.split('\n').map((one) => one.match(/^(\w+)\(.*?\) => ?(.*)$/)?.slice(1)).filter(Boolean));
  const number = (name) => BigInt.asIntN(64, BigInt(lines[name]?.match(/i64:(\d+)/)?.[1] ?? -1));
  const trap = lines._start?.startsWith('error') ? trapKind(lines._start) : '';
  return { trap, sum: number('sum'), fuel: LIMIT - number('left') - number('__sv_fuel_get') };
}

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

function batch(seeds) {
  const paths = seeds.map((seed) => join(work, `${seed}.wasm`));
  const modules = seeds.map((seed) => randomModule(seed, tier !== 'nojit'));
  modules.forEach((module, i) => writeFileSync(paths[i], module.bytes));
  const lines = execFileSync(join(binDir, 'selvedge-domain'), ['--batch'], { input: paths.map((p) => `${p} ${LIMIT}\n`).join(''), env: { ...process.env, ...tiers[tier] }, encoding: 'utf8', maxBuffer: 1 << 26 }).trim().split('\n');
  seeds.forEach((seed, i) => {
    const { message, ...there } = JSON.parse(lines[i] ?? '{}');
    const out = join(work, 'rewritten.wasm');
    const said = JSON.parse(execFileSync(join(binDir, 'selvedge-rewrite'), [paths[i], out]));
    const run = runHere(new WebAssembly.Module(readFileSync(out)), Buffer.from(said.identity, 'hex'), ['program'], Buffer.alloc(0), LIMIT);
    compare(seed, 'V8 and JavaScriptCore', { ...run.answer, trap: run.trap }, { ...there, end: ENDS[there.end], trap: there.end === 1 ? trapKind(message) : '' });
    const how = run.trap || run.answer.end;
    seen[how] = (seen[how] ?? 0) + 1;
    const { trap } = run;
    const fuel = run.granted() - run.exports.__sv_fuel_get();
    run.unlimited();
    const here = { trap, sum: run.exports.sum(), fuel };
    if (!modules[i].hasFloats && trap !== 'depth' && run.answer.end !== 'out_of_fuel') {
      const before = plain(modules[i].bytes);
      if (before) compare(seed, 'rewritten and as it was', { trap, sum: here.sum }, before);
    }
    if (modules[i].isRecursive) return;
    ++interpretedCount;
    const other = interpreted();
    // The host there can only trap.
    if (other.trap === 'unreachable' && (trap === 'depth' || run.answer.end === 'out_of_fuel')) other.trap = trap;
    compare(seed, 'V8 and wabt', here, other);
  });
}

try {
  writeFileSync(join(work, 'host.wat'), HOST);
  execFileSync('wat2wasm', [join(work, 'host.wat'), '-o', join(work, 'host.wasm')]);
  for (let done = 0; done < Number(count); done += BATCH) {
    batch(Array.from({ length: Math.min(BATCH, Number(count) - done) }, (_, i) => Number(firstSeed) + done + i));
    if (failures > 20) break;
  }
} finally {
  rmSync(work, { recursive: true });
}
console.log(`${count} modules from seed ${firstSeed}, ${tier}: ${interpretedCount} of them interpreted, ${failures} differences; ended: ${JSON.stringify(seen)}`);
process.exit(failures === 0 ? 0 : 1);
