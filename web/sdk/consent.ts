// What a visitor is asked, what they answered, and the small control by which they change their mind. spec: R1
//
// Both live in shadow trees, so that the page's styles do not change what is said. Nothing is loaded or connected before a yes.

export interface Asked {
  site: string;             // who asks, as a person knows them
  key: string;              // and as the network does
  cpuPercent: number;
  memoryMegabytes: number;
  kilobytesPerSecond?: number;   // of the network; without it there is none
  ms: number;               // for how long
  whole?: boolean;          // an earlier yes counts only if it reaches to the end of that
}

interface Remembered { yes: boolean; cpuPercent: number; memoryMegabytes: number; kilobytesPerSecond: number; until: number }
const REMEMBERED = 'selvedge.consent.';
const NO_DAYS = 30;

const STYLE = `
  :host { all: initial; }
  * { box-sizing: border-box; font: 15px/1.45 system-ui, sans-serif; color: #1d2430; }
  .sheet { position: fixed; z-index: 2147483647; right: 16px; bottom: 16px; width: min(400px, calc(100vw - 32px)); background: #fff; border: 1px solid #c9cfda;
    border-radius: 12px; padding: 18px 20px; box-shadow: 0 8px 32px #0003; }
  h2 { font-weight: 650; font-size: 17px; margin: 0 0 8px; }
  p, ul { margin: 0 0 10px; } ul { padding-left: 20px; }
  .row { display: flex; gap: 8px; margin-top: 14px; }
  button { flex: 1; min-height: 40px; border-radius: 8px; border: 1px solid #8891a3; background: #fff; cursor: pointer; }
  button.yes { background: #14532d; border-color: #14532d; color: #fff; }
  button:focus-visible { outline: 3px solid #2563eb; outline-offset: 2px; }
  code { font: 12px ui-monospace, monospace; overflow-wrap: anywhere; }
  .mark { position: fixed; z-index: 2147483646; right: 12px; bottom: 12px; display: flex; gap: 6px; align-items: center; background: #fff; border: 1px solid #c9cfda;
    border-radius: 999px; padding: 4px 6px 4px 12px; font-size: 13px; box-shadow: 0 2px 8px #0002; }
  .mark button { flex: none; min-height: 28px; padding: 0 10px; border-radius: 999px; font-size: 13px; }
  @media (prefers-color-scheme: dark) { * { color: #e8ebf1; } .sheet, .mark, button { background: #1b212c; border-color: #4a5366; } button.yes { background: #86efac; color: #052e16; } }
`;

function shadow(): { host: HTMLElement; root: ShadowRoot } {
  const host = document.createElement('selvedge-consent');
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  return { host, root };
}

function element(name: string, text: string, ...children: Node[]): HTMLElement {
  const out = document.createElement(name);
  out.textContent = text;
  out.append(...children);
  return out;
}

function button(text: string, press: () => void, kind = ''): HTMLButtonElement {
  const out = element('button', text) as HTMLButtonElement;
  out.className = kind;
  out.type = 'button';
  out.addEventListener('click', press);
  return out;
}

function kept(asked: Asked, now: number): Remembered | null {
  try {
    const answer = JSON.parse(localStorage.getItem(REMEMBERED + asked.key) ?? 'null') as Remembered | null;
    if (answer === null || answer.until <= now) return null;
    if (answer.yes && asked.whole && answer.until < now + asked.ms) return null;
    if (answer.yes && (answer.cpuPercent < asked.cpuPercent || answer.memoryMegabytes < asked.memoryMegabytes || answer.kilobytesPerSecond < (asked.kilobytesPerSecond ?? 0))) return null;
    return answer;
  } catch {
    return null;
  }
}

/** An answer that covers what is asked and is still good. */
export const remembered = (asked: Asked, now: number): boolean | null => kept(asked, now)?.yes ?? null;

/** When what was agreed to ends, Unix milliseconds; 0: nothing was. */
export function agreedUntil(asked: Asked): number {
  const answer = kept(asked, Date.now());
  return answer?.yes ? answer.until : 0;
}

/** Every answer that was given on this page's origin. */
export function forget(): void {
  for (const name of Object.keys(localStorage)) if (name.startsWith(REMEMBERED)) localStorage.removeItem(name);
}

const DAY_MS = 86_400_000, MINUTE_MS = 60_000;

function duration(ms: number): string {
  const [count, unit] = ms >= DAY_MS ? [Math.round(ms / DAY_MS), 'day'] : ms >= 90 * MINUTE_MS ? [Math.round(ms / (60 * MINUTE_MS)), 'hour'] : [Math.max(1, Math.round(ms / MINUTE_MS)), 'minute'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

function remember(asked: Asked, yes: boolean, now: number): void {
  const until = now + (yes ? asked.ms : NO_DAYS * DAY_MS);
  const answer: Remembered = { yes, cpuPercent: asked.cpuPercent, memoryMegabytes: asked.memoryMegabytes, kilobytesPerSecond: asked.kilobytesPerSecond ?? 0, until };
  localStorage.setItem(REMEMBERED + asked.key, JSON.stringify(answer));
}

/** Asks, unless it is known. */
export async function consent(asked: Asked): Promise<boolean> {
  const known = remembered(asked, Date.now());
  if (known !== null) return known;
  const yes = await new Promise<boolean>((resolve) => {
    const { host, root } = shadow();
    const answer = (said: boolean) => (): void => {
      host.remove();
      resolve(said);
    };
    const sheet = element('section', '');
    sheet.className = 'sheet';
    sheet.setAttribute('role', 'dialog');
    sheet.setAttribute('aria-labelledby', 'asks');
    const title = element('h2', `May ${asked.site} use a part of this device?`);
    title.id = 'asks';
    const terms = element('ul', '', element('li', `at most ${asked.cpuPercent} % of one processor core, less while you use the page, nothing on a low battery`),
      element('li', `at most ${asked.memoryMegabytes} MB of memory` + (asked.kilobytesPerSecond === undefined ? ', and nothing of the network' : `, and ${asked.kilobytesPerSecond} kB/s of the network`)), element('li', `while this page is open, for ${duration(asked.ms)}; you can stop at any time`));
    const what = element('p', 'It would run calculations that their site needs, shut away from your files, this page and your other tabs. They get the results, and see your network address, as every site does that you visit.');
    const row = element('div', '', button('No', answer(false)), button('Yes, lend it', answer(true), 'yes'));
    row.className = 'row';
    sheet.append(title, what, terms, element('p', 'Who asks: ', element('code', asked.key)), row);
    sheet.addEventListener('keydown', (event) => event.key === 'Escape' && answer(false)());
    root.append(sheet);
    document.body.append(host);
    root.querySelector('button')?.focus({ preventScroll: true });
  });
  remember(asked, yes, Date.now());
  return yes;
}

/** The control that stays while something is lent. */
export class Mark {
  readonly #host: HTMLElement;
  readonly #text: HTMLElement;

  constructor(stop: () => void) {
    const { host, root } = shadow();
    this.#host = host;
    this.#text = element('span', 'Lending');
    this.#text.setAttribute('role', 'status');
    const mark = element('div', '', this.#text, button('Stop', stop));
    mark.className = 'mark';
    root.append(mark);
    document.body.append(host);
  }

  show(text: string): void {
    if (this.#text.textContent !== text) this.#text.textContent = text;
  }

  remove(): void {
    this.#host.remove();
  }
}
