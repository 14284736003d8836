// The pieces that all pages are made of.
import type { ComponentChildren } from 'preact';
import { createContext } from 'preact';
import { useContext, useState } from 'preact/hooks';

import { Refused } from './api';
import { none, short } from './format';

export type Tell = (text: string, bad?: boolean) => void;
export const TellContext = createContext<Tell>(() => undefined);
export function useTell(): Tell { return useContext(TellContext); }

export function Panel({ title, note, actions, children }: { title: string; note?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren }) {
  return (
    <section class="panel">
      <header><h2>{title}</h2>{actions && <div class="actions">{actions}</div>}</header>
      {note && <p class="note">{note}</p>}
      {children}
    </section>
  );
}

export function Empty({ children }: { children: ComponentChildren }) { return <p class="empty">{children}</p>; }

export function Chip({ kind, children }: { kind: 'good' | 'warn' | 'bad' | 'calm'; children: ComponentChildren }) { return <span class={`chip ${kind}`}>{children}</span>; }

/** A key or an id: short, whole when asked for, and copied by a click. */
export function Id({ value, label }: { value: string | null; label?: string }) {
  const tell = useTell();
  if (value === null || none(value)) return <span class="muted">unknown</span>;
  const copy = (): void => {
    navigator.clipboard?.writeText(value).then(() => tell('Copied.'), () => tell(value));
  };
  return <button type="button" class="id" title={`${value}: click to copy`} onClick={copy}>{label ?? short(value)}</button>;
}

/** How much of what is allowed is used. `limit` 0: nothing is allowed. */
export function Meter({ name, value, limit, text }: { name: string; value: number; limit: number; text: string }) {
  const part = limit > 0 ? Math.min(1, value / limit) : 0;
  return (
    <div class="meter">
      <div class="meter-text"><span>{name}</span><span class="number">{text}</span></div>
      <svg class={`bar ${part > 0.9 ? 'full' : ''}`} role="meter" aria-label={`${name}: ${text}`} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(part * 100)}
        viewBox="0 0 100 4" preserveAspectRatio="none">
        <rect class="track" width="100" height="4" /><rect class="fill" width={part * 100} height="4" />
      </svg>
    </div>
  );
}

const SPARK_WIDTH = 120;
const SPARK_HEIGHT = 28;

/** The last two minutes, newest at the right. `limit`: what is allowed, drawn as a line; 0: none. */
export function Spark({ name, values, limit }: { name: string; values: number[]; limit: number }) {
  const most = Math.max(limit, ...values, 1);
  const y = (value: number): number => SPARK_HEIGHT - 1 - (value / most) * (SPARK_HEIGHT - 3);
  const from = SPARK_WIDTH - values.length;
  const points = values.map((value, i) => `${from + i},${y(value).toFixed(1)}`).join(' ');
  return (
    <svg class="spark" role="img" aria-label={`${name}, the last two minutes`} viewBox={`0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`} preserveAspectRatio="none">
      {limit > 0 && <line class="limit" x1="0" x2={SPARK_WIDTH} y1={y(limit)} y2={y(limit)} />}
      {values.length > 1 && <polygon points={`${from},${SPARK_HEIGHT} ${points} ${SPARK_WIDTH - 1},${SPARK_HEIGHT}`} />}
      {values.length > 1 && <polyline points={points} />}
    </svg>
  );
}

/** Does something once, says how it ended, and cannot be pressed meanwhile. With `sure`, asks first. */
export function Action({ kind, sure, run, children }: { kind?: 'primary' | 'danger'; sure?: string; run: () => Promise<string | void>; children: ComponentChildren }) {
  const tell = useTell();
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  const go = async (): Promise<void> => {
    setAsking(false);
    setBusy(true);
    try {
      const said = await run();
      if (said) tell(said);
    } catch (why) {
      tell(why instanceof Refused || why instanceof Error ? why.message : String(why), true);
    }
    setBusy(false);
  };
  if (asking) {
    return (
      <span class="asking" role="group" aria-label={sure}>
        <span>{sure}</span>
        <button type="button" class="danger" onClick={() => void go()} ref={(button) => button?.focus()}>Yes</button>
        <button type="button" onClick={() => setAsking(false)}>No</button>
      </span>
    );
  }
  return <button type="button" class={kind ?? ''} disabled={busy} aria-busy={busy} onClick={() => (sure ? setAsking(true) : void go())}>{children}</button>;
}

export function Table({ label, head, children }: { label: string; head: string[]; children: ComponentChildren }) {
  return (
    <div class="table" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead><tr>{head.map((each) => (each === '' ? <td key={each} /> : <th key={each} scope="col" class={each.startsWith('>') ? 'number' : ''}>{each.replace('>', '')}</th>))}</tr></thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export function save(name: string, type: string, content: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
