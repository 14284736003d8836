// The dashboard: opens a session from a link, keeps the live view, and shows one page at a time.
import { render, type ComponentChildren, type FunctionComponent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { open, signedIn, signOut } from './api';
import { AuditPage } from './audit';
import { none, short } from './format';
import { findings, HealthPage } from './health';
import { LeasesPage } from './leases';
import { LiveContext, useFeed, type Live } from './live';
import { NetworkPage } from './network';
import { NowPage } from './now';
import { TellContext } from './parts';
import { ReceiptsPage } from './receipts';
import { StoragePage } from './storage';
import { WorkPage } from './work';

interface Page { path: string; name: string; show: FunctionComponent; mark?: (live: Live) => number }

const PAGES: Page[] = [
  { path: '', name: 'Now', show: NowPage },
  { path: 'leases', name: 'Leases', show: LeasesPage, mark: (live) => live.asks.filter((ask) => !ask.asked && ask.allowed === '' && ask.refused === '').length },
  { path: 'work', name: 'Work', show: WorkPage, mark: (live) => live.domains.filter((each) => each.stage === 'running').length },
  { path: 'storage', name: 'Storage', show: StoragePage },
  { path: 'network', name: 'Network', show: NetworkPage },
  { path: 'receipts', name: 'Receipts', show: ReceiptsPage },
  { path: 'audit', name: 'Audit', show: AuditPage },
  { path: 'health', name: 'Health', show: HealthPage, mark: (live) => findings(live).length },
];

const TOLD_MS = 8000;

function useHash(): string {
  const [hash, set] = useState(location.hash);
  useEffect(() => {
    const changed = (): void => set(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return hash.replace(/^#\/?/, '');
}

/** What runs a program here: the tier in words (selvedge doctor says more). */
function tier(live: Live): string {
  if (!live.status) return '';
  return live.status.isolation === 'process' ? 'processes, locked down' : live.status.isolation;
}

function Shell({ onSignedOut }: { onSignedOut: (why: string) => void }) {
  const live = useFeed(onSignedOut);
  const path = useHash();
  const page = PAGES.find((each) => each.path === path) ?? PAGES[0]!;
  const [told, setTold] = useState<{ text: string; bad: boolean } | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const main = useRef<HTMLElement>(null);
  const tell = (text: string, bad = false): void => {
    clearTimeout(timer.current);
    setTold({ text, bad });
    timer.current = setTimeout(() => setTold(null), TOLD_MS);
  };
  useEffect(() => {
    document.title = `${page.name} · Selvedge`;
    scrollTo(0, 0);
  }, [page.path]);
  const Show = page.show;
  return (
    <LiveContext.Provider value={{ ...live }}>
      <TellContext.Provider value={tell}>
        <nav aria-label="Pages">
          <a class="skip" href={`#/${page.path}`} onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>To the content</a>
          <a class="brand" href="#/"><img src="/icon.svg" alt="" width="28" height="28" /><span>Selvedge</span></a>
          <ul>
            {PAGES.map((each) => {
              const mark = each.mark?.(live) ?? 0;
              return <li key={each.path}><a href={`#/${each.path}`} aria-current={each === page ? 'page' : undefined}>{each.name}{mark > 0 && <span class="mark">{mark}</span>}</a></li>;
            })}
          </ul>
          <p class="who">
            {live.status && !none(live.status.node) && <>node {short(live.status.node)}<br />{tier(live)}<br /></>}
            <button type="button" class="link" onClick={() => void signOut().then(() => onSignedOut('Signed out.'))}>Sign out</button>
          </p>
        </nav>
        <main ref={main} tabIndex={-1}>
          <h1>{page.name}</h1>
          {live.trouble && <p class="why" role="alert">{live.trouble}</p>}
          <Show />
        </main>
        <div class="told" role="status" aria-live="polite">{told && <p class={told.bad ? 'bad' : ''}>{told.text} <button type="button" aria-label="Close" onClick={() => setTold(null)}>×</button></p>}</div>
      </TellContext.Provider>
    </LiveContext.Provider>
  );
}

function Door({ children }: { children: ComponentChildren }) {
  return (
    <main class="door">
      <img src="/icon.svg" alt="" width="56" height="56" />
      <h1>Selvedge</h1>
      {children}
    </main>
  );
}

function App() {
  const [state, setState] = useState<'opening' | 'in' | 'out'>(signedIn() ? 'in' : 'opening');
  const [why, setWhy] = useState('');
  useEffect(() => {
    const token = /^#open=([a-z2-7]+)$/.exec(location.hash)?.[1];
    if (token !== undefined) {
      // The token has worked once after this, and stays in no history.
      history.replaceState(null, '', '/#/');
      open(token).then(() => setState('in'), (error: Error) => { setWhy(error.message); setState(signedIn() ? 'in' : 'out'); });
    } else if (!signedIn()) {
      setState('out');
    }
  }, []);
  if (state === 'in') return <Shell onSignedOut={(text) => { setWhy(text); setState('out'); }} />;
  if (state === 'opening') return <Door><p>Opening …</p></Door>;
  return <Door><p>{why || 'This page shows and rules a machine, so it opens with a link that only its owner can ask for.'}</p><p>On that machine: <code>selvedge dash</code></p></Door>;
}

render(<App />, document.getElementById('app')!);
