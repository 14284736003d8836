// Random WebAssembly modules from a seed, for the tests that compare engines: valid, within the profile, and rich in what is
// easy to get wrong: nested loops and blocks with branches of every kind, recursion, calls through the table, NaNs with all
// sorts of bits, vectors, bulk memory. Not every module ends by itself; the fuel limit ends it.
//
// The numeric instructions are read from the rewriter's own tables, so that each one that is accepted is tested.
import { readFileSync } from 'node:fs';
import { leb, sleb } from './surgery.mjs';

const here = new URL('.', import.meta.url);
const TYPES = { i: 0x7f, l: 0x7e, f: 0x7d, d: 0x7c, v: 0x7b };

/// [bytes, operand letters, result letter, immediate, lanes, alignment]
export function numericRows() {
  const table = readFileSync(new URL('opcodes.cc', here), 'utf8');
  const rows = [];
  const rowsOf = (name) => [...table.slice(table.indexOf(`${name}[] = {`)).split('};')[0].matchAll(/\{"([\w.]+)", "([a-z]*)>([a-z]?)", \d+/g)];
  rowsOf('kSimpleRows').forEach((m, i) => rows.push([[0x45 + i], m[2], m[3]]));
  rowsOf('kSaturatingRows').forEach((m, i) => rows.push([[0xfc, i], m[2], m[3]]));
  rowsOf('kMemoryRows').forEach((m, i) => rows.push([[0x28 + i], m[2], m[3], 'MemArg', 0, 0]));
  return rows;
}

export function vectorRows() {
  const text = readFileSync(new URL('opcodes_simd.h', here), 'utf8');
  const rows = [];
  for (const m of text.matchAll(/\{0x(\w\w), "[\w.]+", "([a-z]*)>([a-z]?)"(?:, Immediate::k(\w+))?(?:, (\d+))?(?:, (\d+))?(?:, Nan::\w+)?(?:, (\d+))?\}/g)) {
    const op = parseInt(m[1], 16);
    rows.push([[0xfd, ...leb(op)], m[2], m[3], m[4] && m[4] !== 'None' ? m[4] : undefined, Number(m[7] ?? 0), 0]);
  }
  return rows;
}

const sized = (bytes) => [...leb(bytes.length), ...bytes];
const vector = (items) => [...leb(items.length), ...items.flat()];

let scalars, vectors;
const chosen = {};

function rowsFor(letters) {
  const rows = [...scalars, ...vectors].filter((row) => [...row[1], ...row[2]].every((letter) => letters.includes(letter)));
  return { byResult: Object.fromEntries([...letters].map((t) => [t, rows.filter((r) => r[2] === t)])), stores: rows.filter((r) => r[2] === '') };
}

/// a * b modulo 2^64, in halves: BigInt would take most of the time in which modules are made.
function product(ah, al, bh, bl) {
  const a0 = al & 0xffff, a1 = al >>> 16, b0 = bl & 0xffff, b1 = bl >>> 16;
  const low = a0 * b0;
  const middle = a1 * b0 + (low >>> 16);
  const other = a0 * b1 + (middle & 0xffff);
  const high = a1 * b1 + Math.floor(middle / 65536) + Math.floor(other / 65536);
  return [(high + Math.imul(ah, bl) + Math.imul(al, bh)) >>> 0, (((other & 0xffff) << 16) | (low & 0xffff)) >>> 0];
}

/// SplitMix64.
class Random {
  constructor(seed) {
    const start = (BigInt(seed) * 0x9e3779b97f4a7c15n + 0x1234567n) & 0xffffffffffffffffn;
    [this.high, this.low] = [Number(start >> 32n), Number(start & 0xffffffffn)];
  }
  step() {
    const low = this.low + 0x7f4a7c15;
    this.low = low >>> 0;
    this.high = (this.high + 0x9e3779b9 + (low > 0xffffffff ? 1 : 0)) >>> 0;
    let [h, l] = product((this.high ^ (this.high >>> 30)) >>> 0, (this.low ^ ((this.high << 2) | (this.low >>> 30))) >>> 0, 0xbf58476d, 0x1ce4e5b9);
    [h, l] = product((h ^ (h >>> 27)) >>> 0, (l ^ ((h << 5) | (l >>> 27))) >>> 0, 0x94d049bb, 0x133111eb);
    this.out = (l ^ ((h << 1) | (l >>> 31))) >>> 0;
    return (h ^ (h >>> 31)) >>> 0;
  }
  next() {
    const high = this.step();
    return (BigInt(high) << 32n) | BigInt(this.out);
  }
  below(n) {
    const high = this.step();
    return (high * 2097152 + (this.out >>> 11)) % n;
  }
  pick(list) {
    return list[this.below(list.length)];
  }
  chance(percent) {
    return this.below(100) < percent;
  }
}

const SPECIAL_I32 = [0, 1, -1, 2, 7, 31, 64, 255, 65535, 65536, 0x7fffffff, -0x80000000];
const SPECIAL_F32 = [0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7fa00001, 0xffc12345, 0x7f7fffff, 1, 0x4f000000, 0xcf000000, 0x5f000000];
const SPECIAL_F64 = [0n, 1n << 63n, 0x3ffn << 52n, 0xbffn << 52n, 0x7ffn << 52n, 0xfffn << 52n, 0x7ff8n << 48n, 0xfff8n << 48n, 0x7ff4000000000001n, 0xfff8123456789abcn, 0x41e0n << 48n, 0x43e0n << 48n, 1n];

class Generator {
  constructor(seed, allowVectors) {
    this.random = new Random(seed);
    const kind = this.random.below(100);
    this.vectors = allowVectors && kind < 40;
    this.letters = this.vectors ? 'ilfdv' : kind < 75 ? 'ilfd' : 'il';
    scalars ??= numericRows();
    vectors ??= vectorRows();
    // Else a function calls only those before it: wabt's interpreter has a small stack, whatever it is told.
    this.isRecursive = this.random.chance(35);
    Object.assign(this, (chosen[this.letters] ??= rowsFor(this.letters)));
  }

  // --- expressions: each leaves one value -----------------------------------------------------------------------------

  constant(type) {
    const r = this.random;
    const bytes = (value, n) => Array.from({ length: n }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
    switch (type) {
      case 'i': return [0x41, ...sleb(r.chance(60) ? r.pick(SPECIAL_I32) : Number(BigInt.asIntN(32, r.next())))];
      case 'l': return [0x42, ...sleb(r.chance(60) ? r.pick(SPECIAL_I32) : BigInt.asIntN(64, r.next()))];
      case 'f': return [0x43, ...bytes(r.chance(70) ? BigInt(r.pick(SPECIAL_F32)) : r.next(), 4)];
      case 'd': return [0x44, ...bytes(r.chance(70) ? r.pick(SPECIAL_F64) : r.next(), 8)];
      default: return [0xfd, 0x0c, ...(r.chance(30) ? bytes(0n, 16) : [...this.constant('f').slice(1), ...this.constant('f').slice(1), ...this.constant('d').slice(1)])];
    }
  }
  address(depth) {
    // Mostly inside the memory.
    if (this.random.chance(4)) return this.expression('i', depth - 1);
    return [...this.expression('i', depth - 1), 0x41, ...sleb(0x3fff), 0x71];
  }
  immediate(row) {
    const lane = () => this.random.below(row[4]);
    switch (row[3]) {
      case 'MemArg': return [0, ...leb(this.random.below(64))];
      case 'MemLane': return [0, ...leb(this.random.below(64)), lane()];
      case 'Lane': return [lane()];
      case 'Shuffle': return Array.from({ length: 16 }, lane);
      case 'V128': return Array.from({ length: 16 }, () => this.random.below(256));
      default: return [];
    }
  }
  instruction(row, depth) {
    const isMemory = row[3] === 'MemArg' || row[3] === 'MemLane';
    const operands = [...row[1]].flatMap((type, i) => (isMemory && i === 0 ? this.address(depth) : this.expression(type, depth - 1)));
    return [...operands, ...row[0], ...this.immediate(row)];
  }
  expression(type, depth) {
    const r = this.random;
    const locals = this.locals.flatMap((t, i) => (t === type ? [i] : []));
    if (depth <= 0 || r.chance(15)) {
      if (locals.length && r.chance(70)) return [0x20, ...leb(r.pick(locals))];
      return r.chance(20) ? [0x23, ...leb(this.letters.indexOf(type))] : this.constant(type);
    }
    const choice = r.below(100);
    if (choice < 60) return this.instruction(r.pick(this.byResult[type]), depth);
    if (choice < 66 && locals.length) return [...this.expression(type, depth - 1), 0x22, ...leb(r.pick(locals))];
    if (choice < 72) return [...this.expression(type, depth - 1), ...this.expression(type, depth - 1), ...this.expression('i', depth - 1), ...(r.chance(50) ? [0x1b] : [0x1c, 1, TYPES[type]])];
    if (choice < 80) return this.valueBlock(type, depth);
    if (choice < 88) return this.call(type, depth);
    if (choice < 90 && type === 'i') return r.chance(80) ? [0x3f, 0] : [0x41, ...sleb(r.below(3)), 0x40, 0];
    return [...this.expression(type, depth - 1)];
  }
  /// A block, loop or if that gives a value, with a branch that brings another to its end.
  valueBlock(type, depth) {
    const r = this.random;
    const kind = r.below(3);
    const t = TYPES[type];
    this.labels.push(kind === 1 ? '' : type);
    const middle = () => {
      if (kind === 1 || !r.chance(60)) return this.statements(1, depth - 2);
      return [...this.statements(1, depth - 2), ...this.expression(type, depth - 2), ...this.expression('i', depth - 2), 0x0d, 0, 0x1a];
    };
    let out;
    if (kind === 0) out = [0x02, t, ...middle(), ...this.expression(type, depth - 1), 0x0b];
    else if (kind === 1) out = [0x03, t, ...middle(), ...this.expression(type, depth - 1), 0x0b];
    else {
      this.labels.pop();
      const condition = this.expression('i', depth - 1);
      this.labels.push(type);
      out = [...condition, 0x04, t, ...middle(), ...this.expression(type, depth - 1), 0x05, ...middle(), ...this.expression(type, depth - 1), 0x0b];
    }
    this.labels.pop();
    return out;
  }
  call(type, depth) {
    const r = this.random;
    const fitting = this.functions.flatMap((f, i) => (f.result === type && (this.isRecursive || i < this.index) ? [i] : []));
    if (!fitting.length) return this.constant(type);
    const index = r.pick(fitting);
    const args = [...this.functions[index].params].flatMap((p) => this.expression(p, depth - 2));
    if (r.chance(70)) return [...args, 0x10, ...leb(index)];
    const slot = r.chance(85) || !this.isRecursive ? [0x41, ...sleb(index)] : this.expression('i', 0);
    return [...args, ...slot, 0x11, ...leb(this.functions[index].type), 0];
  }

  // --- statements: leave nothing --------------------------------------------------------------------------------------

  statements(count, depth) {
    const out = [];
    for (let i = 0; i < count; ++i) out.push(...this.statement(depth));
    return out;
  }
  /// A branch out to a label that takes nothing, or as a loop's next turn.
  branch(depth) {
    const r = this.random;
    const plain = this.labels.flatMap((t, i) => (t === '' ? [this.labels.length - 1 - i] : []));
    if (!plain.length) return [];
    const choice = r.below(10);
    if (choice < 7) return [...this.expression('i', depth - 1), 0x0d, ...leb(r.pick(plain))];
    const targets = Array.from({ length: r.below(4) }, () => leb(r.pick(plain)));
    // Behind an unconditional branch nothing runs, so it stands in an arm.
    const jump = choice < 9 ? [0x0c, ...leb(r.pick(plain) + 1)] : [...this.expression('i', depth - 1), 0x0e, ...vector(targets.map((t) => leb(t[0] + 1))), ...leb(r.pick(plain) + 1)];
    this.labels.push('-');
    const dead = r.chance(30) ? this.statements(1, 0) : [];
    this.labels.pop();
    return [...this.expression('i', depth - 1), 0x04, 0x40, ...jump, ...dead, 0x0b];
  }
  statement(depth) {
    const r = this.random;
    const choice = r.below(100);
    if (choice < 25) {
      const local = r.below(this.locals.length);
      return [...this.expression(this.locals[local], depth), 0x21, ...leb(local)];
    }
    if (choice < 45) return this.instruction(r.pick(this.stores), depth);
    if (choice < 50) {
      const global = r.below(this.letters.length);
      return [...this.expression(this.letters[global], depth), 0x24, ...leb(global)];
    }
    if (depth <= 0) return [];
    if (choice < 58) return this.branch(depth);
    if (choice < 66) return this.scope([...this.expression('i', depth - 1), 0x04, 0x40], () => [...this.statements(1 + r.below(2), depth - 1), ...(r.chance(50) ? [0x05, ...this.statements(1 + r.below(2), depth - 1)] : [])]);
    if (choice < 72) return this.scope([0x02, 0x40], () => this.statements(1 + r.below(3), depth - 1));
    if (choice < 88) return this.loop(depth);
    if (choice < 94) return this.bulk(depth);
    if (choice < 95) return r.chance(50) ? [0x01] : [...this.expression('i', 1), 0x45, 0x04, 0x40, r.chance(50) ? 0x00 : 0x01, 0x0b];
    const type = r.pick([...this.letters]);
    return [...this.expression(type, depth), 0x1a];
  }
  scope(opening, body) {
    this.labels.push('');
    const out = [...opening, ...body(), 0x0b];
    this.labels.pop();
    return out;
  }
  /// Counts a local of its own up to a small number, so that most loops end; the body may branch to its head at any time.
  loop(depth) {
    const r = this.random;
    const counter = this.counters[this.labels.length % this.counters.length];
    const start = [0x41, 0, 0x21, ...leb(counter)];
    return [...start, ...this.scope([0x03, 0x40], () => {
      const count = [0x20, ...leb(counter), 0x41, 1, 0x6a, 0x22, ...leb(counter), 0x41, ...sleb(1 + r.below(r.chance(10) ? 3000 : 40)), 0x48];
      const body = this.statements(1 + r.below(3), depth - 1);
      const shape = r.below(4);
      if (shape === 0) return [...body, ...count, 0x0d, 0];
      if (shape === 1) return [...count, 0x04, 0x40, ...this.inside(() => this.statements(1, depth - 1)), 0x0c, 1, 0x0b, ...body];
      if (shape === 2) return [0x02, 0x40, ...count, 0x45, 0x0d, 0, ...this.inside(() => this.statements(2, depth - 1)), 0x0c, 1, 0x0b];
      // A switch in a loop, each case going on by itself.
      const cases = r.below(3) + 2;
      let out = [];
      for (let i = 0; i < cases; ++i) out.push(0x02, 0x40);
      for (let i = 0; i < cases; ++i) this.labels.push('-');
      out.push(...count, 0x45, 0x0d, ...leb(cases - 1), ...this.expression('i', 1), 0x41, ...sleb(7), 0x71, 0x0e, ...vector(Array.from({ length: cases - 1 }, (_, i) => leb(i))), ...leb(r.below(cases)));
      for (let i = 0; i < cases; ++i) {
        this.labels.pop();
        out.push(0x0b);
        if (i < cases - 1) out.push(...this.statements(1, depth - 1), 0x0c, ...leb(cases - 1 - i));
      }
      return out;
    })];
  }
  inside(body) {
    this.labels.push('-');
    const out = body();
    this.labels.pop();
    return out;
  }
  bulk(depth) {
    const r = this.random;
    const small = () => [...this.expression('i', depth - 2), 0x41, ...sleb(0xfff), 0x71];
    const choice = r.below(6);
    switch (!this.isRecursive && (choice === 3 || choice === 4) ? 5 : choice) {
      case 0: return [...small(), ...small(), ...small(), 0xfc, 10, 0, 0];
      case 1: return [...small(), ...small(), ...small(), 0xfc, 11, 0];
      case 2: return [...small(), 0x41, ...sleb(r.below(20)), 0x41, ...sleb(r.below(24)), 0xfc, 8, 1, 0];
      case 3: return [0x41, ...sleb(r.below(8)), 0x41, ...sleb(r.below(4)), 0x41, ...sleb(r.below(5)), 0xfc, 12, 1, 0];
      case 4: return [0x41, ...sleb(r.below(8)), 0x41, ...sleb(r.below(4)), 0x41, ...sleb(r.below(5)), 0xfc, 14, 0, 0];
      default: return r.chance(20) ? [0xfc, 9, 1] : r.chance(20) ? [0xfc, 13, 1] : [];
    }
  }

  // --- the module -----------------------------------------------------------------------------------------------------

  body(params, result) {
    const r = this.random;
    const declared = Array.from({ length: 2 + r.below(6) }, () => r.pick([...this.letters]));
    this.locals = [...params, ...declared];
    this.counters = [0, 1, 2, 3].map((i) => this.locals.length + i);
    this.labels = [];
    const code = [...this.statements(2 + r.below(5), 2 + r.below(3)), ...(result ? this.expression(result, 3) : [])];
    const locals = [...declared.map((t) => [1, TYPES[t]]), [4, TYPES.i]];
    return sized([...vector(locals), ...code, 0x0b]);
  }
  build() {
    const r = this.random;
    const count = 3 + r.below(6);
    const types = [[0x60, 0, 0]];
    this.functions = [];
    for (let i = 0; i < count; ++i) {
      const params = Array.from({ length: r.below(4) }, () => r.pick([...this.letters]));
      const result = r.pick([...this.letters]);
      types.push([0x60, ...vector(params.map((p) => [TYPES[p]])), 1, TYPES[result]]);
      this.functions.push({ params, result, type: i + 1 });
    }
    const bodies = this.functions.map((f, i) => ((this.index = i), this.body(f.params, f.result)));
    this.functions.push({ params: [], result: '', type: 0 });
    // The entry calls each function and writes down what it gave and what the globals hold.
    this.locals = ['i'];
    this.labels = [];
    const entry = [];
    const stores = { i: [0x36, 2], l: [0x37, 3], f: [0x38, 2], d: [0x39, 3], v: [0xfd, 0x0b, 4] };
    this.functions.slice(0, -1).forEach((f, i) => {
      entry.push(0x41, ...sleb(0x8000 + 16 * i), ...f.params.flatMap((p) => this.constant(p)), 0x10, ...leb(i), ...stores[f.result], 0);
    });
    [...this.letters].forEach((t, i) => entry.push(0x41, ...sleb(0x9000 + 16 * i), 0x23, i, ...stores[t], 0));
    bodies.push(sized([1, 1, TYPES.i, ...entry, 0x0b]));
    // sum: all words of the memory, mixed.
    this.functions.push({ params: [], result: 'l', type: types.length });
    types.push([0x60, 0, 1, TYPES.l]);
    bodies.push(sized([2, 1, TYPES.i, 1, TYPES.l, 0x03, 0x40, 0x20, 1, 0x42, ...sleb(0x9e3779b97f4a7c15n - (1n << 64n)), 0x7e, 0x20, 0, 0x29, 3, 0, 0x7c,
      0x22, 1, 0x42, 29, 0x88, 0x20, 1, 0x85, 0x21, 1, 0x20, 0, 0x41, 8, 0x6a, 0x22, 0, 0x3f, 0, 0x41, 16, 0x74, 0x47, 0x0d, 0, 0x0b, 0x20, 1, 0x0b]));
    const name = (text) => sized([...Buffer.from(text)]);
    const section = (id, bytes) => [id, ...sized(bytes)];
    return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
      ...section(1, vector(types)),
      ...section(3, vector(this.functions.map((f) => leb(f.type)))),
      ...section(4, [1, 0x70, 0, ...leb(count + 2)]),
      ...section(5, [1, 1, 1, 3]),
      ...section(6, vector([...this.letters].map((t) => [TYPES[t], 1, ...this.constant(t), 0x0b]))),
      ...section(7, vector([[...name('_start'), 0, ...leb(count)], [...name('sum'), 0, ...leb(count + 1)]])),
      ...section(9, [2, 0, 0x41, 0, 0x0b, ...vector(Array.from({ length: count }, (_, i) => leb(i))), 1, 0, ...vector([0, 1, 2, 0].map((i) => leb(i % count)))]),
      ...section(12, [2]),
      ...section(10, vector(bodies)),
      ...section(11, [2, 0, 0x41, ...sleb(100), 0x0b, ...sized([...Buffer.from('selvedge')]), 1, ...sized([...Buffer.from('passive segment data')])])]);
  }
}

/// { bytes, hasVectors, hasFloats, isRecursive }. Exports _start: () -> (), and sum: () -> i64 over all of the memory.
export function randomModule(seed, allowVectors = true) {
  const generator = new Generator(seed, allowVectors);
  return { bytes: generator.build(), hasVectors: generator.vectors, hasFloats: generator.letters.includes('f'), isRecursive: generator.isRecursive };
}
