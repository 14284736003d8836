// Values of scripts as Web IDL takes them: what is missing gets its default, what is of another type is converted or is a TypeError.
// https://webidl.spec.whatwg.org/#js-type-mapping

export type Convert<T> = (value: unknown, what: string) => T;

export const double: Convert<number> = (value, what) => {
  const out = Number(value);
  if (!Number.isFinite(out)) throw new TypeError(`${what} is not a finite number`);
  return out;
};

export const boolean: Convert<boolean> = (value) => Boolean(value);

/** Modulo 2 to the `bits`. */
function unsigned(bits: number): Convert<number> {
  return (value, what) => {
    if (typeof value === 'bigint' || typeof value === 'symbol') throw new TypeError(`${what} is not a number`);
    const number = Number(value);
    if (!Number.isFinite(number)) return 0;
    return Number(BigInt.asUintN(bits, BigInt(Math.trunc(number))));
  };
}
export const unsignedShort = unsigned(16), unsignedLong = unsigned(32), unsignedLongLong = unsigned(64);

/** Lone surrogates become U+FFFD. */
export const usvString: Convert<string> = (value, what) => {
  if (typeof value === 'symbol') throw new TypeError(`${what} is a symbol`);
  return String(value).replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]|[\uD800-\uDFFF]/g, (each) => (each.length === 2 ? each : '\uFFFD'));
};

export function enumeration<T extends string>(...values: readonly T[]): Convert<T> {
  return (value, what) => {
    const text = usvString(value, what) as T;
    if (!values.includes(text)) throw new TypeError(`${what} is "${text}", which is none of ${values.join(', ')}`);
    return text;
  };
}

export function sequence<T>(of: Convert<T>): Convert<T[]> {
  return (value, what) => {
    if (typeof value !== 'object' || value === null || typeof (value as Iterable<unknown>)[Symbol.iterator] !== 'function') throw new TypeError(`${what} is no sequence`);
    return Array.from(value as Iterable<unknown>, (each, i) => of(each, `${what}[${i}]`));
  };
}

export const arrayBuffer: Convert<ArrayBuffer> = (value, what) => {
  if (!(value instanceof ArrayBuffer)) throw new TypeError(`${what} is no ArrayBuffer`);
  return value;
};

export function object<T>(type: abstract new (...args: never[]) => T): Convert<T> {
  return (value, what) => {
    if (!(value instanceof type)) throw new TypeError(`${what} is no ${type.name}`);
    return value;
  };
}

export interface Member { type: Convert<unknown>; required?: true; default?: unknown }

/** A dictionary: what is there and what has a default is in the result, and nothing else. */
export function dictionary<T>(members: Record<string, Member>): Convert<T> {
  const names = Object.keys(members).sort();
  return (value, what) => {
    if (value !== undefined && value !== null && typeof value !== 'object' && typeof value !== 'function') throw new TypeError(`${what} is no dictionary`);
    const out: Record<string, unknown> = {};
    for (const name of names) {
      const member = members[name] as Member;
      const given = value === undefined || value === null ? undefined : (value as Record<string, unknown>)[name];
      if (given !== undefined) out[name] = member.type(given, `${what}.${name}`);
      else if (member.required) throw new TypeError(`${what}.${name} is required`);
      else if ('default' in member) out[name] = structuredClone(member.default);
    }
    return out as T;
  };
}

/** Every other call of an operation with too few arguments is a TypeError. */
export function need(args: ArrayLike<unknown>, count: number, what: string): void {
  if (args.length < count) throw new TypeError(`${what}: ${count} ${count === 1 ? 'argument' : 'arguments'} required, ${args.length} given`);
}
