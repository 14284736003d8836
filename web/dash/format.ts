// Numbers and names as a person reads them.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(count: number): string {
  let unit = 0;
  while (count >= 1024 && unit < UNITS.length - 1) count /= 1024, unit += 1;
  return `${unit > 0 && count < 10 ? count.toFixed(1) : Math.round(count)} ${UNITS[unit]}`;
}

export function count(value: number): string {
  if (value < 10_000) return String(Math.round(value));
  if (value < 1_000_000) return `${(value / 1000).toFixed(value < 100_000 ? 1 : 0)} k`;
  if (value < 1_000_000_000) return `${(value / 1_000_000).toFixed(1)} M`;
  return `${(value / 1_000_000_000).toFixed(1)} G`;
}

export function plural(n: number, one: string, many: string): string { return n === 1 ? `1 ${one}` : `${count(n)} ${many}`; }

/** Of a processor or of anything that a thousandth is a part of. */
export function percent(permille: number): string { return `${permille % 10 === 0 || permille >= 100 ? Math.round(permille / 10) : (permille / 10).toFixed(1)} %`; }

export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  const both = (large: string, rest: number, small: string): string => (rest > 0 ? `${large} ${rest} ${small}` : large);
  if (s < 86_400) return both(`${Math.floor(s / 3600)} h`, Math.floor((s % 3600) / 60), 'min');
  return both(`${Math.floor(s / 86_400)} d`, Math.floor((s % 86_400) / 3600), 'h');
}

export function micros(us: number): string {
  if (us < 1000) return `${us} µs`;
  return us < 1_000_000 ? `${(us / 1000).toFixed(1)} ms` : `${(us / 1_000_000).toFixed(2)} s`;
}

export function until(unixSeconds: number): string {
  const left = unixSeconds - Date.now() / 1000;
  return left > 0 ? `in ${duration(left)}` : `${duration(-left)} ago`;
}

export function clock(ms: number): string {
  const at = new Date(ms);
  const day = at.toDateString() === new Date().toDateString() ? '' : `${at.toLocaleDateString(undefined, { month: 'short', day: 'numeric' })} `;
  return day + at.toLocaleTimeString(undefined, { hour12: false });
}

/** The beginning of a key or an id: enough to tell them apart. */
export function short(id: string): string { return id.startsWith('baf') ? `${id.slice(0, 4)}…${id.slice(-6)}` : id.slice(0, 8); }

export function none(key: string): boolean { return key === '' || /^y+$/.test(key); }
