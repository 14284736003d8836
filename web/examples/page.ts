// What the examples' pages have in common.

import type { EdgeNet as EdgeNetType } from '../sdk/edge.js';

/** Doors of the site, and of machines that lend to it: the page's own, and ?relay=... */
export const relays = [location.origin, ...new URLSearchParams(location.search).getAll('relay')];

export const find = <T extends Element = HTMLElement>(selector: string): T => document.querySelector<T>(selector) as T;

type Child = Node | string | number;
export function make<K extends keyof HTMLElementTagNameMap>(name: K, attributes: Record<string, string | number> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const out = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) out.setAttribute(key, String(value));
  out.append(...children.map((child) => (typeof child === 'object' ? child : String(child))));
  return out;
}

export const short = (key: string): string => `${key.slice(0, 8)}…`;
export const time = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
export const count = (value: bigint | number): string => value.toLocaleString('en').replaceAll(',', ' ');

export async function about(): Promise<{ node: string; owner: string }> {
  return (await (await fetch('/node')).json()) as { node: string; owner: string };
}

/** The link to a page that lends, with the same doors as this one. */
export const lendingPage = (): string => `/${location.search}`;

export type Net = typeof EdgeNetType;
