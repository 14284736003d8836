// The runner of a browser against that of a machine: the same programs, files and seeds end alike, to the last bit of their traces. Here on V8, there on
// JavaScriptCore. Both have what programs can call from one source (src/wasi), so what is compared is fuel, ends, segments and the engines.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Calls, canStandStill, run, type Task } from '../sdk/run/run.js';

const bin = process.env['SELVEDGE_BIN'] ?? '', guests = process.env['SELVEDGE_GUESTS'] ?? '', runner = process.env['SELVEDGE_RUNNER_WASM'] ?? '';
const here = existsSync(join(bin, 'selvedge-domain-once')) && existsSync(runner) && readFileSync(runner).length > 0;
const skip = here ? false : 'no runner was built here for browsers, or none for this machine';
const LIMIT = 2_000_000_000n;
const ENDS = ['exited', 'trapped', 'out_of_fuel', 'out_of_memory', 'output_too_large', 'forbidden', 'killed', 'crashed', 'refused'];
const PROSE = 'The selvedge keeps the rest from unravelling; so does the fabric.\n'.repeat(2000);

interface Case { guest: string; args?: string[]; input?: string; limit?: bigint; files?: Record<string, string>; env?: string[]; memory?: number }
const CASES: Case[] = [
  { guest: 'hello', args: ['a', 'bc'] }, { guest: 'cat', input: PROSE }, { guest: 'worldly' }, { guest: 'textstats', input: PROSE }, { guest: 'words', input: PROSE },
  { guest: 'leak', args: ['secret'] }, { guest: 'recurse', args: ['1000'] }, { guest: 'hog' }, { guest: 'spin', limit: 5_000_000n }, { guest: 'flood', args: ['300'] },
  ...['divide', 'loop', 'load', 'call', 'exit', 'unreachable'].map((how) => ({ guest: 'trap', args: [how] })),
  { guest: 'kernels', args: ['mix', '1000'] }, { guest: 'kernels', args: ['sort', '300'] }, { guest: 'kernels', args: ['interpret', '20'] },
  { guest: 'files', args: ['list', '/', 'read', 'a.txt', 'read', 'in/b', 'env', 'COLOUR', 'write', 'a.txt', 'x'], files: { 'a.txt': 'first', 'in/b': 'second' }, env: ['COLOUR=blue'] },
  { guest: 'files', args: ['mkdir', '/out/d', 'write', '/out/d/a', 'made', 'write', '/tmp/b', 'forgotten', 'list', '/out'] },
  { guest: 'files', args: ['read', 'none'], memory: 1 << 20 },
];

const work = mkdtempSync(join(tmpdir(), 'selvedge-run-'));
after(() => rmSync(work, { recursive: true }));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function onTheMachine(one: Case): Record<string, unknown> {
  const files = Object.entries(one.files ?? {}).flatMap(([name, content], i) => {
    writeFileSync(join(work, `file${i}`), content);
    return ['--file', `${name}=${join(work, `file${i}`)}`];
  });
  const options = [...files, ...(one.env ?? []).flatMap((each) => ['--env', each]), '--memory', String(one.memory ?? 64 << 20)];
  const words = [join(bin, 'selvedge-domain'), join(guests, `${one.guest}.wasm`), String(one.limit ?? LIMIT), ...options, ...(one.args ?? [])];
  return JSON.parse(execFileSync(join(bin, 'selvedge-domain-once'), words, { input: one.input ?? '', stdio: ['pipe', 'pipe', 'ignore'], encoding: 'utf8' })) as Record<string, unknown>;
}

function taskOf(one: Case): Task {
  const rewritten = join(work, `${one.guest}.wasm`);
  const said = JSON.parse(execFileSync(join(bin, 'selvedge-rewrite'), [join(guests, `${one.guest}.wasm`), rewritten], { encoding: 'utf8' })) as { identity: string; pages_min: number };
  return {
    module: new Uint8Array(readFileSync(rewritten)), identity: new Uint8Array(Buffer.from(said.identity, 'hex')), hasStart: false, pagesMin: said.pages_min,
    args: ['program', ...(one.args ?? [])], environment: one.env ?? [], input: new Uint8Array(Buffer.from(one.input ?? '')),
    files: Object.entries(one.files ?? {}).map(([path, content]) => ({ path, content: new Uint8Array(Buffer.from(content)) })),
    seed: 0n, fuelLimit: one.limit ?? LIMIT, memoryPagesMax: (one.memory ?? 64 << 20) / 65536, outputBytesMax: 16 << 20, resume: new Uint8Array(),
  };
}

test('a browser runs programs as a machine does', { skip }, async () => {
  const calls = await Calls.load(readFileSync(runner));
  for (const one of CASES) {
    const result = await run(calls, taskOf(one));
    const answer = {
      end: ENDS[result.end], exit_code: result.exitCode, fuel: Number(result.fuel), memory_bytes: result.memoryBytes, output_sha256: sha256(result.output), trace: hex(result.trace),
    };
    assert.deepEqual(answer, onTheMachine(one), `${one.guest} ${(one.args ?? []).join(' ')}: ${result.message}`);
  }
});

test('a program that stands still now and then ends as one that does not', { skip: skip || (canStandStill ? false : 'this engine cannot stand still') }, async () => {
  const calls = await Calls.load(readFileSync(runner));
  let rests = 0;
  const pace = { rest: () => (rests++ % 3 === 0 ? new Promise<void>((resolve) => setTimeout(resolve, 0)) : undefined) };
  for (const one of CASES) {
    const [slow, fast] = [await run(calls, taskOf(one), pace), await run(calls, taskOf(one))];
    assert.deepEqual([slow.end, slow.exitCode, slow.fuel, hex(slow.trace)], [fast.end, fast.exitCode, fast.fuel, hex(fast.trace)], one.guest);
  }
  assert.ok(rests > 10);
});

test('what cannot run is refused', { skip }, async () => {
  const calls = await Calls.load(readFileSync(runner));
  const task = taskOf({ guest: 'hello' });
  assert.equal((await run(calls, { ...task, resume: new Uint8Array(9) })).end, 8);
  assert.equal((await run(calls, { ...task, pagesMin: task.pagesMin + 1 })).end, 8);
  assert.equal((await run(calls, { ...task, files: [{ path: '../x', content: new Uint8Array() }] })).end, 8);
  const broken = await run(calls, { ...task, module: new Uint8Array(20) });
  assert.deepEqual([broken.end, broken.comparable], [3, false]);
});
