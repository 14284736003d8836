// A run begun on one engine and finished on another: JavaScriptCore in a locked-down domain, and V8 here.
//   node checkpoint_test.mjs BIN GUESTS
import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runHere } from './run_module.mjs';

const [bin, guests] = process.argv.slice(2);
const path = join(guests, 'longrun-resumable.wasm');
const folder = mkdtempSync(join(tmpdir(), 'selvedge-checkpoint-'));
const FUEL = 100_000_000_000n;
const ARGS = ['24'];

const domain = (...options) =>
  JSON.parse(execFileSync(join(bin, 'selvedge-domain-once'), [...options, join(bin, 'selvedge-domain'), path, String(FUEL), ...ARGS],
    { input: '', stdio: ['pipe', 'pipe', 'ignore'] }));
const rewritten = execFileSync(join(bin, 'selvedge-rewrite'), [path, join(folder, 'module.wasm')]).toString();
const identity = Buffer.from(JSON.parse(rewritten).identity, 'hex');
const module = new WebAssembly.Module(readFileSync(join(folder, 'module.wasm')));
const here = (options) => runHere(module, identity, ['program', ...ARGS], Buffer.alloc(0), FUEL, undefined, options).answer;
const same = (a, b, what) => {
  for (const part of ['end', 'exit_code', 'output_sha256', 'trace']) assert.strictEqual(a[part], b[part], `${what}: ${part}`);
  assert.strictEqual(Number(a.fuel), Number(b.fuel), `${what}: fuel`);
};

try {
  const whole = domain();
  assert.strictEqual(whole.end, 'exited');
  const kept = join(folder, 'state');
  same(domain('--checkpoint', kept, '20'), whole, 'a run that is looked at');
  const state = readFileSync(kept);
  const fuel = state.readBigUInt64BE(22 + 32);
  assert.ok(fuel > 0n && fuel < BigInt(whole.fuel));

  let mine;
  const states = [];
  same(here({ onCheckpoint: (at, encode) => { states.push(encode()); if (at === fuel) mine = states.at(-1); } }), whole, 'V8 alone');
  assert.ok(states.length >= 2, 'the stack was put aside several times');
  assert.deepStrictEqual(mine, state, 'both engines have the same state at the same fuel');

  same(here({ resume: state }), whole, 'begun by JavaScriptCore, finished by V8');
  for (const [i, each] of states.entries()) {
    writeFileSync(kept, each);
    same(domain('--resume', kept), whole, `begun by V8, finished by JavaScriptCore, ${i}`);
  }

  // No changed byte of what says which run it is gets through; a changed stack is the program's own affair and no danger.
  for (const at of [0, 30, 50]) {
    const changed = Buffer.from(state);
    changed[at] ^= 1;
    writeFileSync(kept, changed);
    assert.strictEqual(domain('--resume', kept).end, 'refused', `byte ${at}`);
  }
  console.log(`ok: ${states.length} checkpoints of ${state.length} bytes, fuel ${whole.fuel}`);
} finally {
  rmSync(folder, { recursive: true });
}
