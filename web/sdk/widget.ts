// A small panel in which a page shows what its visitor lends, and lets them hold it or end it. Credits and ranks appear when a fabric has them; none has yet.

import type { EdgeNode } from './edge.js';

export interface WidgetOptions {
  container: string | HTMLElement;
  theme?: 'light' | 'dark' | 'auto';
  showStats?: boolean;
}

const LIGHT = '--back: #fff; --ink: #1d2430; --line: #c9cfda; --bar: #15803d; --room: #e5e9f0;';
const DARK = '--back: #1b212c; --ink: #e8ebf1; --line: #4a5366; --bar: #4ade80; --room: #323a49;';
const STYLE = `
  :host { display: block; ${LIGHT} } :host([theme=dark]) { ${DARK} }
  @media (prefers-color-scheme: dark) { :host([theme=auto]) { ${DARK} } }
  section { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; max-width: 420px; }
  h2 { font-size: 16px; margin: 0 0 10px; }
  dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 14px; margin: 10px 0; } dt { opacity: .8; } dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
  .room { height: 10px; border-radius: 5px; background: var(--room); overflow: hidden; } .bar { height: 100%; background: var(--bar); transition: width .2s; }
  .row { display: flex; gap: 8px; } button { flex: 1; min-height: 36px; font: inherit; color: inherit; background: none; border: 1px solid var(--line); border-radius: 8px; cursor: pointer; }
  button:focus-visible { outline: 3px solid #2563eb; outline-offset: 2px; }
`;
const EVERY_MS = 500;

function time(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes < 1 ? `${Math.floor(seconds)} s` : minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Shows `node`, until it ends or the returned function is called. */
export function createWidget(node: EdgeNode, options: WidgetOptions): () => void {
  const place = typeof options.container === 'string' ? document.querySelector(options.container) : options.container;
  if (place === null) throw new Error(`there is no ${String(options.container)} in this page`);
  const host = document.createElement('selvedge-widget');
  host.setAttribute('theme', options.theme ?? 'auto');
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  root.innerHTML = `<section aria-label="What this page lends"><h2>Lending a part of this device</h2><div class="room" role="meter" aria-label="of one processor core" aria-valuemin="0"
    aria-valuemax="100"><div class="bar"></div></div><dl></dl><div class="row"><button type="button" id="hold">Pause</button><button type="button" id="end">Stop</button></div></section>`;
  const find = <T extends HTMLElement>(selector: string): T => root.querySelector<T>(selector) as T;
  let held = false;
  find('#hold').addEventListener('click', () => {
    held = !held;
    if (held) node.pause();
    else node.resume();
    show();
  });
  find('#end').addEventListener('click', () => node.disconnect({ forget: true }));

  const rows = (): [string, string][] => {
    const stats = node.stats();
    const now: [string, string][] = [['now', stats.reason === '' ? `${Math.round(stats.share * 100)} % of one core` : `${Math.round(stats.share * 100)} %: ${stats.reason}`]];
    if (options.showStats === false) return now;
    return [...now, ['connected', stats.connected ? 'yes' : 'no'], ['done', `${stats.tasksCompleted} ${stats.tasksCompleted === 1 ? 'task' : 'tasks'}`],
      ['under way', String(stats.tasksRunning)], ['for', time(stats.uptime)]];
  };
  function show(): void {
    const share = Math.round(node.stats().share * 100);
    find('.bar').style.width = `${share}%`;
    find('.room').setAttribute('aria-valuenow', String(share));
    find('#hold').textContent = held ? 'Resume' : 'Pause';
    const list = find('dl');
    const text = rows();
    if (list.children.length !== 2 * text.length) list.replaceChildren(...text.flatMap(() => [document.createElement('dt'), document.createElement('dd')]));
    text.flat().forEach((each, i) => {
      const at = list.children[i] as HTMLElement;
      if (at.textContent !== each) at.textContent = each;
    });
  }
  show();
  place.append(host);
  const timer = setInterval(show, EVERY_MS);
  for (const name of ['connected', 'task']) node.addEventListener(name, show);
  const end = (): void => {
    clearInterval(timer);
    for (const name of ['connected', 'task']) node.removeEventListener(name, show);
    host.remove();
  };
  node.addEventListener('ended', end, { once: true });
  return end;
}
