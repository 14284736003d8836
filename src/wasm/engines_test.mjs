// The same rewritten module on two engines: V8 here, JavaScriptCore in a domain process. Output, fuel, how it ended
// and the whole memory must agree, which the trace commitment says in one hash.
//
//   node [v8 flags] engines_test.mjs BIN_DIR GUESTS_DIR
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runHere } from './run_module.mjs';

const [binDir, guestsDir] = process.argv.slice(2);
const LIMIT = 2_000_000_000n;
const prose = 'The selvedge keeps the rest from unravelling; so does the fabric.\n'.repeat(2000);
const CASES = [
  ['hello', ['a', 'bc']], ['cat', [], prose], ['worldly', []], ['textstats', [], prose], ['leak', ['secret']],
  ['recurse', ['1000']], ['recurse', []], ['hog', []],
  ['trap', ['divide']], ['trap', ['loop']], ['trap', ['load']], ['trap', ['call']], ['trap', ['exit']], ['trap', ['unreachable']],
  ['spin', [], '', 5_000_000n], ['flood', ['300']],
  ['kernels', ['mix', '20']], ['kernels', ['matmul', '5']], ['kernels', ['sieve', '3']], ['kernels', ['sort', '5']],
  ['kernels', ['interpret', '20']], ['kernels', ['fib', '24']],
  ['kernels', ['mix', '1000']], ['kernels', ['sort', '300']], ['kernels', ['interpret', '300']], // some segments long
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
    const { answer: here, segments } = runHere(...modules.get(guest), ['program', ...args], Buffer.from(input), limit);
    const there = JSON.parse(execFileSync(join(binDir, 'selvedge-domain-once'),
      [join(binDir, 'selvedge-domain'), join(guestsDir, `${guest}.wasm`), String(limit), ...args],
      { input, stdio: ['pipe', 'pipe', 'ignore'] }));
    const same = JSON.stringify(here) === JSON.stringify(there);
    console.log(`${same ? 'same     ' : 'DIFFERENT'} ${guest} ${args.join(' ')}: ${here.end}, fuel ${here.fuel}, ${segments.length} segments`);
    if (same) continue;
    ++failures;
    console.log('  v8 ', here, '\n  jsc', there);
  }
} finally {
  rmSync(work, { recursive: true });
}
process.exit(failures === 0 ? 0 : 1);
