// Many modules on each engine, for the tests that compare them: the rewriter, JavaScriptCore in a domain process, and wabt's
// interpreter, each in one process for all of them. V8 is in run_module.mjs.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENDS, trapKind } from './run_module.mjs';

/// JavaScriptCore's tiers: functions become hot after a few calls, or are interpreted (which knows no vectors).
const TIERS = {
  jit: { JSC_thresholdForBBQOptimizeAfterWarmUp: '3', JSC_thresholdForBBQOptimizeSoon: '1', JSC_thresholdForOMGOptimizeAfterWarmUp: '20', JSC_thresholdForOMGOptimizeSoon: '5' },
  nojit: { JSC_useJIT: '0' },
};

const lines = (text) => text.trim().split('\n');

/// For each module what the rewriter said: { identity, ... } with the result at outs[i], or { refused }.
export function rewriteAll(binDir, paths, outs) {
  const input = paths.map((path, i) => `${path} ${outs[i]}\n`).join('');
  return lines(execFileSync(join(binDir, 'selvedge-rewrite'), ['--batch'], { input, encoding: 'utf8', maxBuffer: 1 << 26 })).map((line) => JSON.parse(line));
}

/// For each module, as it was, what a domain process answers, and the trap's kind; or { refused }.
export function onJavaScriptCore(binDir, paths, limit, tier) {
  const input = paths.map((path) => `${path} ${limit}\n`).join('');
  const out = execFileSync(join(binDir, 'selvedge-domain'), ['--batch'], { input, env: { ...process.env, ...TIERS[tier] }, encoding: 'utf8', maxBuffer: 1 << 26 });
  return lines(out).map((line) => {
    const { message, ...answer } = JSON.parse(line);
    if (answer.refused) return answer;
    return { ...answer, end: ENDS[answer.end], trap: answer.end === 1 ? trapKind(message) : '' };
  });
}

/// The host of wabt's interpreter: grants what is missing and nothing more, up to the limit.
const HOST = (limit) => `(module
  (global $left (mut i64) (i64.const ${limit}))
  (func (export "yield") (param $reason i32) (param $missing i32) (result i32)
    (if (local.get $reason) (then unreachable))
    (if (i64.gt_u (i64.extend_i32_u (local.get $missing)) (global.get $left)) (then unreachable))
    (global.set $left (i64.sub (global.get $left) (i64.extend_i32_u (local.get $missing))))
    (local.get $missing))
  (func (export "left") (result i64) (global.get $left))
  (func (export "unlimited") (global.set $left (i64.const 0x7fffffffffffffff))))`;

/// Rewritten modules on wabt's interpreter: the trap's kind ("unreachable" also for a limit, because the host there can only
/// trap), what the export `sum` gives afterwards if there is one, and fuel.
export function onInterpreter(work, paths, limit, hasSum = true) {
  writeFileSync(join(work, 'host.wat'), HOST(limit));
  execFileSync('wat2wasm', [join(work, 'host.wat'), '-o', join(work, 'host.wasm')]);
  let line = 0;
  const invoke = (module, field, ...args) => ({ type: 'action', line: ++line, action: { type: 'invoke', module, field, args }, expected: [] });
  const commands = paths.flatMap((path, i) => [
    { type: 'module', line: ++line, name: `$host${i}`, filename: 'host.wasm' },
    { type: 'register', line: ++line, name: `$host${i}`, as: '__sv_host' },
    { type: 'module', line: ++line, name: `$m${i}`, filename: path.slice(work.length + 1) },
    invoke(`$m${i}`, '__sv_begin', { type: 'i32', value: '1024' }), invoke(`$m${i}`, '_start'), invoke(`$host${i}`, 'left'), invoke(`$host${i}`, 'unlimited'),
    invoke(`$m${i}`, '__sv_fuel_get'), ...(hasSum ? [invoke(`$m${i}`, 'sum')] : [])]);
  writeFileSync(join(work, 'run.json'), JSON.stringify({ source_filename: 'run', commands }));
  let text;
  try {
    text = execFileSync('spectest-interp', ['-C', '2000', '-V', '200000', join(work, 'run.json')], { encoding: 'utf8', maxBuffer: 1 << 26, timeout: 600_000 });
  } catch (error) {
    text = error.stdout ?? '';
  }
  const results = lines(text).map((one) => one.match(/^(\w+)\(.*?\) => ?(.*)$/)).filter(Boolean);
  const each = hasSum ? 6 : 5;
  return paths.map((_, i) => {
    const said = Object.fromEntries(results.slice(each * i, each * (i + 1)).map((one) => [one[1], one[2]]));
    const number = (name) => BigInt.asIntN(64, BigInt(said[name]?.match(/i64:(\d+)/)?.[1] ?? -1));
    const trap = said._start?.startsWith('error') ? trapKind(said._start) : '';
    return { trap, sum: hasSum ? number('sum') : 0n, fuel: BigInt(limit) - number('left') - number('__sv_fuel_get') };
  });
}
