// Adds a _start to a WebAssembly module: a function that calls its exports with given arguments and traps where they return
// something else than they should. What they return is also mixed into a global, which is stored in memory at the end, so
// that a comparison of memories compares all of it.

const TYPES = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const LETTERS = Object.keys(TYPES);
const LANE_BYTES = { i8: 1, i16: 2, i32: 4, i64: 8, f32: 4, f64: 8 };

export function leb(value) {
  const out = [];
  for (value >>>= 0; value >= 0x80; value >>>= 7) out.push((value & 0x7f) | 0x80);
  return [...out, value];
}
export function sleb(value) {
  const out = [];
  for (value = BigInt(value); ; value >>= 7n) {
    const low = Number(value & 0x7fn);
    if ((value >> 6n === 0n) || (value >> 6n === -1n)) return [...out, low];
    out.push(low | 0x80);
  }
}
const sized = (bytes) => [...leb(bytes.length), ...bytes];
const little = (value, count) => Array.from({ length: count }, (_, i) => Number((BigInt.asUintN(64, BigInt(value)) >> BigInt(8 * i)) & 0xffn));

class Reader {
  constructor(bytes, at = 0) {
    Object.assign(this, { bytes, at });
  }
  u32() {
    let out = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++];
      out += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return out;
    }
  }
  take(count) {
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
  list(item) {
    return Array.from({ length: this.u32() }, () => item(this));
  }
}

export class Surgery {
  /// Nothing for a module that imports anything.
  static of(bytes) {
    const out = new Surgery();
    out.sections = new Map();
    const reader = new Reader(bytes, 8);
    while (reader.at < bytes.length) {
      const id = reader.take(1)[0];
      const body = reader.take(reader.u32());
      if (id !== 0) out.sections.set(id, body);
    }
    if (out.count(2) > 0) return undefined;
    const names = (type) => LETTERS.find((letter) => TYPES[letter] === type) ?? 'ref';
    const read = (id, item) => (out.sections.has(id) ? new Reader(out.sections.get(id)).list(item) : []);
    out.types = read(1, (r) => (r.take(1), [r.list((x) => names(x.take(1)[0])), r.list((x) => names(x.take(1)[0]))]));
    out.functions = read(3, (r) => r.u32());
    out.exports = new Map(read(7, (r) => [new TextDecoder('utf-8', { ignoreBOM: true }).decode(r.take(r.u32())), { kind: r.take(1)[0], index: r.u32() }]));
    return out;
  }
  count(id) {
    return this.sections.has(id) ? new Reader(this.sections.get(id)).u32() : 0;
  }

  /// The module with nothing exported but the new _start, or nothing when no call can be made.
  withCalls(calls) {
    const code = calls.flatMap((call) => this.call(call) ?? []);
    if (code.length === 0) return undefined;
    const [result, type, start] = [this.count(6), this.types.length, this.functions.length];
    const end = [0x3f, 0, 0x04, 0x40, 0x41, 0, 0x23, ...leb(result), 0x37, 0, 0, 0x0b, 0x0b];
    const body = [5, ...LETTERS.flatMap((letter) => [1, TYPES[letter]]), ...code, ...end];
    const added = { 1: [0x60, 0, 0], 3: leb(type), 5: this.count(5) ? [] : [0, 1], 6: [TYPES.i64, 1, 0x42, 0, 0x0b], 10: sized(body) };
    const out = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    for (const id of [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11]) {
      let section = this.sections.get(id);
      if (id === 7) section = [1, ...sized([...Buffer.from('_start')]), 0, ...leb(start)];
      else if (added[id]?.length) {
        const items = section ? section.subarray(leb(this.count(id)).length) : [];
        section = [...leb(this.count(id) + 1), ...items, ...added[id]];
      }
      if (section) out.push(id, ...sized([...section]));
    }
    return Uint8Array.from(out);
  }

  call({ action, expected = [] }) {
    const { kind, index } = this.exports.get(action.field) ?? {};
    if (action.type !== 'invoke' || kind !== 0) return undefined;
    const [params, results] = this.types[this.functions[index]];
    if ([...params, ...results].includes('ref') || params.length !== action.args.length) return undefined;
    const code = [...action.args.flatMap((arg) => this.constant(arg)), 0x10, ...leb(index)];
    for (let i = results.length - 1; i >= 0; --i) code.push(...this.check(results[i], expected[i]));
    return code;
  }
  bytesOf({ type, lane_type: lanes, value }) {
    if (type !== 'v128') return little(value, LANE_BYTES[type]);
    return value.flatMap((lane) => little(lane, LANE_BYTES[lanes]));
  }
  constant(value) {
    if (value.type === 'i32') return [0x41, ...sleb(BigInt.asIntN(32, BigInt(value.value)))];
    if (value.type === 'i64') return [0x42, ...sleb(BigInt.asIntN(64, BigInt(value.value)))];
    const opcode = { f32: [0x43], f64: [0x44], v128: [0xfd, 12] }[value.type];
    return [...opcode, ...this.bytesOf(value)];
  }

  /// Takes the value on the stack. `expected`: nothing when it has to be some NaN.
  check(type, expected) {
    const local = LETTERS.indexOf(type), get = [0x20, local], trap = [0x04, 0x40, 0x00, 0x0b];
    const bits = { i32: [0xad], i64: [], f32: [0xbc, 0xad], f64: [0xbd], v128: [0xfd, 29, 0, ...get, 0xfd, 29, 1, 0x85] }[type];
    const result = this.count(6);
    const mix = [0x23, ...leb(result), 0x42, ...sleb(0x9e3779b97f4a7c15n - (1n << 64n)), 0x7e, ...get, ...bits, 0x85, 0x24, ...leb(result)];
    const code = [0x21, local, ...mix];
    const isNan = !expected || String(expected.value).startsWith('nan');
    if (type === 'v128') {
      if (!expected) return code;
      const size = LANE_BYTES[expected.lane_type];
      const known = expected.value.map((lane) => !String(lane).startsWith('nan'));
      const mask = known.flatMap((one) => Array(size).fill(one ? 255 : 0));
      const wanted = expected.value.flatMap((lane, i) => little(known[i] ? lane : 0, size));
      // Equal in all bytes under the mask.
      return [...code, ...get, 0xfd, 12, ...mask, 0xfd, 78, 0xfd, 12, ...wanted, 0xfd, 35, 0xfd, 99, 0x45, ...trap];
    }
    if (isNan) return type === 'f32' || type === 'f64' ? [...code, ...get, ...get, type === 'f32' ? 0x5b : 0x61, ...trap] : code;
    if (type === 'f32') return [...code, ...get, 0xbc, ...this.constant({ type: 'i32', value: expected.value }), 0x47, ...trap];
    if (type === 'f64') return [...code, ...get, 0xbd, ...this.constant({ type: 'i64', value: expected.value }), 0x52, ...trap];
    return [...code, ...get, ...this.constant({ type, value: expected.value }), type === 'i32' ? 0x47 : 0x52, ...trap];
  }
}
