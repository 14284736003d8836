// The WebAssembly specification's own tests, as far as our profile goes, rewritten and run on V8, JavaScriptCore and wabt's
// interpreter. Each module gets a _start that makes the suite's calls and compares what they return; each call that must
// trap becomes a module of its own. All engines must agree on how it ended, on fuel and on memory; a module must do what
// it did before; every module that the suite calls invalid or malformed must be refused.
//
//   node spec_suite_test.mjs BIN_DIR CACHE_DIR
//
// The suite is the copy in the source package of binaryen, which is fetched with apt-get once; its commands that wabt does not read
// (binaryen's own extensions) are left out.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { onInterpreter, onJavaScriptCore, rewriteAll } from './engines.mjs';
import { runHere, trapKind } from './run_module.mjs';
import { Surgery } from './surgery.mjs';

const [binDir, cacheDir] = process.argv.slice(2);
const LIMIT = 100_000_000n;
const EXCEPTIONS = {
  'resizing.wast 2': 'grows its memory beyond what a task here may have',
  'old_float_exprs.wast 35': 'expects that demote(promote(x)) keeps the payload of a NaN, which is open; ours has none',
};

/// The folder with the .wast files, or undefined: then it was said why.
function fetchSuite() {
  const found = () => existsSync(cacheDir) && readdirSync(cacheDir).map((name) => join(cacheDir, name, 'test', 'spec')).find(existsSync);
  if (found()) return found();
  const apt = join(cacheDir, 'apt');
  for (const part of ['lists/partial', 'cache/archives/partial', 'parts']) mkdirSync(join(apt, part), { recursive: true });
  try {
    const known = readdirSync('/etc/apt/sources.list.d', { withFileTypes: true }).map((f) => join('/etc/apt/sources.list.d', f.name)).concat('/etc/apt/sources.list').filter(existsSync)
      .map((path) => readFileSync(path, 'utf8')).join('\n').replaceAll(/^\s*#.*$/gm, '');
    const url = known.match(/https?:\/\/\S*debian\b(?!-)\S*/)?.[0], keys = known.match(/signed-by[:=]\s*([^\s\]]+)/i)?.[1];
    if (!url) throw new Error('no Debian archive is configured');
    writeFileSync(join(apt, 'parts', 'src.list'), `deb-src ${keys ? `[signed-by=${keys}] ` : ''}${url} bookworm main\n`);
    const options = ['Dir::Etc::SourceList=/dev/null', `Dir::Etc::SourceParts=${apt}/parts`, `Dir::State::Lists=${apt}/lists`, `Dir::Cache=${apt}/cache`, 'APT::Sandbox::User=root'].flatMap((o) => ['-o', o]);
    const run = (...args) => execFileSync('apt-get', ['-qq', ...options, ...args], { cwd: cacheDir, stdio: 'pipe', timeout: 120_000 });
    run('update');
    run('source', '--download-only', 'binaryen');
    execFileSync('tar', ['xf', readdirSync(cacheDir).find((name) => /\.orig\.tar/.test(name)), '--wildcards', '*/test/spec/*.wast'], { cwd: cacheDir });
  } catch {
    console.log('SKIP apt-get cannot fetch the source of binaryen');
    return undefined;
  } finally {
    rmSync(apt, { recursive: true });
  }
  return found();
}

// --- from text to commands ------------------------------------------------------------------------------------------------

/// Where the top-level forms of a text begin and end.
function forms(text) {
  const out = [];
  let depth = 0, begin = 0;
  for (const token of text.matchAll(/;;[^\n]*|\(;[^]*?;\)|"(?:[^"\\]|\\[^])*"|[()]/g)) {
    if (token[0] === '(' && depth++ === 0) begin = token.index;
    if (token[0] === ')' && --depth === 0) out.push([begin, token.index + 1]);
  }
  return out;
}

/// The suite's commands, without the forms that wabt does not read; a module that it does not read takes its commands along.
function commandsOf(path, folder) {
  let text = readFileSync(path, 'utf8').replaceAll(/\(assert_return_(canonical_|arithmetic_)?nan\b/g, '(assert_return');
  mkdirSync(folder);
  for (let tries = 0; tries < 100; ++tries) {
    writeFileSync(join(folder, 'in.wast'), text);
    try {
      execFileSync('wast2json', [join(folder, 'in.wast'), '-o', join(folder, 'out.json')], { stdio: 'pipe' });
      return JSON.parse(readFileSync(join(folder, 'out.json'))).commands;
    } catch (error) {
      const line = Number(String(error.stderr).match(/in\.wast:(\d+):/)?.[1]);
      if (!line) return [];
      const at = text.split('\n').slice(0, line).join('\n').length;
      const all = forms(text);
      const bad = all.findLastIndex(([begin]) => begin < at);
      if (bad < 0) return [];
      let last = bad;
      const starts = (i, word) => text.startsWith(word, all[i][0]);
      if (starts(bad, '(module')) while (last + 1 < all.length && !starts(last + 1, '(module')) ++last;
      const gone = text.slice(all[bad][0], all[last][1]);
      text = text.slice(0, all[bad][0]) + gone.replaceAll(/[^\n]/g, ' ') + text.slice(all[last][1]);
    }
  }
  return [];
}

/// The modules to run, as { name, bytes, traps }, and the paths of those to refuse.
function collect(file, commands, folder, wanted) {
  let current, calls = [], index = 0;
  const name = () => `${file} ${index}`;
  const finish = () => {
    if (!current || calls.length === 0) return;
    const bytes = current.withCalls(calls);
    if (bytes) wanted.run.push({ name: name(), bytes, calls: calls.length });
  };
  for (const command of commands) {
    if (command.type === 'module') {
      finish();
      ++index;
      calls = [];
      current = Surgery.of(readFileSync(join(folder, command.filename)));
      if (current === undefined) ++wanted.importing;
    } else if (/^assert_(invalid|malformed)$/.test(command.type) && command.module_type === 'binary') {
      wanted.refuse.push({ name: `${file} line ${command.line}: ${command.text}`, path: join(folder, command.filename) });
    } else if (current && /^(assert_return|action)$/.test(command.type) && !command.action.module) {
      calls.push(command);
    } else if (current && /^assert_(trap|exhaustion)$/.test(command.type) && command.action?.type === 'invoke' && !command.action.module) {
      const bytes = current.withCalls([{ action: command.action, expected: [] }]);
      if (bytes) wanted.run.push({ name: `${name()} line ${command.line}: ${command.text}`, bytes, calls: 1, deep: command.type === 'assert_exhaustion', traps: true });
    }
  }
  finish();
}

// --- running --------------------------------------------------------------------------------------------------------------

function main(suite, work) {
  const wanted = { run: [], refuse: [], importing: 0 };
  for (const file of readdirSync(suite).filter((one) => one.endsWith('.wast') && !one.includes('.fail.'))) {
    const folder = join(work, basename(file, '.wast'));
    collect(file, commandsOf(join(suite, file), folder), folder, wanted);
  }
  const failures = [];
  const paths = wanted.run.map((one, i) => join(work, `${i}.wasm`)), outs = wanted.run.map((one, i) => join(work, `${i}.out.wasm`));
  wanted.run.forEach((one, i) => writeFileSync(paths[i], one.bytes));
  const rewritten = rewriteAll(binDir, paths, outs);
  const there = onJavaScriptCore(binDir, paths, LIMIT, 'jit');
  let outside = 0, calls = 0, unmet = 0;
  const here = wanted.run.map((one, i) => {
    if (rewritten[i].refused) {
      // Outside the profile or its limits is not a failure; to call a module invalid that is valid would be.
      ++outside;
      if (rewritten[i].refused === 'invalid') failures.push(`${one.name}: refused as ${rewritten[i].refused}`);
      return undefined;
    }
    calls += one.calls;
    const ran = runHere(new WebAssembly.Module(readFileSync(outs[i])), Buffer.from(rewritten[i].identity, 'hex'), ['program'], Buffer.alloc(0), LIMIT);
    const answer = { ...ran.answer, trap: ran.trap };
    if (JSON.stringify(answer) !== JSON.stringify(there[i])) failures.push(`${one.name}: V8 ${JSON.stringify(answer)}\n  JavaScriptCore ${JSON.stringify(there[i])}`);
    if (answer.trap && EXCEPTIONS[one.name]) return undefined;
    // Some of the suite's older files expect bits of NaNs that are open, so that V8 may not meet them as the module was.
    const before = one.deep ? 'depth' : plain(one.bytes);
    const isRight = answer.trap === before || (!one.traps && answer.trap === '');
    if (!isRight) failures.push(`${one.name}: ended ${answer.trap || answer.end}, before ${before || 'well'}`);
    if (!one.traps && before) ++unmet;
    return { trap: ran.trap, fuel: BigInt(ran.answer.fuel), startsAlone: !ran.exports.__sv_start };
  });
  const interpreted = here.map((_, i) => i).filter((i) => here[i]?.startsAlone && !wanted.run[i].deep);
  onInterpreter(work, interpreted.map((i) => outs[i]), LIMIT, false).forEach((other, k) => {
    const { trap, fuel } = here[interpreted[k]];
    if (other.trap !== trap || other.fuel !== fuel) failures.push(`${wanted.run[interpreted[k]].name}: V8 ${trap} ${fuel}, wabt ${other.trap} ${other.fuel}`);
  });
  rewriteAll(binDir, wanted.refuse.map((one) => one.path), wanted.refuse.map(() => '/dev/null')).forEach((said, i) => {
    if (!said.refused) failures.push(`accepted: ${wanted.refuse[i].name}`);
  });
  console.log(`${here.filter(Boolean).length} modules with ${calls} calls, ${interpreted.length} of them also on wabt; ${unmet} do not end well on V8 as they were; ${outside} outside the profile, ${wanted.importing} that import; ${wanted.refuse.length} to refuse`);
  return failures;
}

/// How a module that was not rewritten ends.
function plain(bytes) {
  try {
    new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports._start();
  } catch (error) {
    return trapKind(error.message);
  }
  return '';
}

const suite = fetchSuite();
if (suite) {
  const work = mkdtempSync(join(tmpdir(), 'selvedge-suite-'));
  try {
    const failures = main(suite, work);
    failures.slice(0, 40).forEach((one) => console.log(`FAIL ${one}`));
    console.log(failures.length === 0 ? 'PASS' : `${failures.length} failures`);
    process.exitCode = failures.length === 0 ? 0 : 1;
  } finally {
    rmSync(work, { recursive: true });
  }
}
