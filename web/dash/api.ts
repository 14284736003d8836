// The node's local API, over the dashboard's own server (docs/dashboard.md, docs/api.md).
//
// A session has two halves: a cookie, which no script sees, and a key in this page's storage, which no other port of this machine is sent.

const KEY = 'selvedge-key';

/** The session is over: only a new link from the command helps. */
export class SignedOut extends Error {}

/** What the node said no to. `code` is for programs, the message for people. */
export class Refused extends Error {
  constructor(readonly code: string, message: string) { super(message); }
}

interface Line {
  result?: unknown;
  error?: { message: string; data?: { errc?: string } };
  method?: string;
  params?: { progress: unknown };
}

export function signedIn(): boolean { return localStorage.getItem(KEY) !== null; }

/** Takes the token of a link, once. */
export async function open(token: string): Promise<void> {
  const answer = await fetch('/open', { method: 'POST', body: token });
  const text = await answer.text();
  if (!answer.ok) throw new SignedOut(text.trim());
  localStorage.setItem(KEY, (JSON.parse(text) as { key: string }).key);
}

export async function signOut(): Promise<void> {
  await fetch('/close', { method: 'POST', headers: { 'X-Selvedge-Key': localStorage.getItem(KEY) ?? '' } });
  localStorage.removeItem(KEY);
}

/** One request, and each line of its answer. */
async function* lines(method: string, params: object, signal?: AbortSignal): AsyncGenerator<Line> {
  const answer = await fetch('/api', {
    method: 'POST',
    headers: { 'X-Selvedge-Key': localStorage.getItem(KEY) ?? '' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: signal ?? null,
  });
  if (answer.status === 401) {
    localStorage.removeItem(KEY);
    throw new SignedOut((await answer.text()).trim());
  }
  if (!answer.ok || answer.body === null) throw new Refused('io', (await answer.text()).trim());
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const parts = rest.split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) if (part !== '') yield JSON.parse(part) as Line;
  }
}

export async function call<T>(method: string, params: object = {}): Promise<T> {
  for await (const line of lines(method, params)) {
    if (line.error) throw new Refused(line.error.data?.errc ?? '', line.error.message);
    if ('result' in line) return line.result as T;
  }
  throw new Refused('unavailable', 'The node went away before it answered.');
}

export interface Told { call: number; result?: unknown; error?: { message: string } }

/** Tells what each call answers, at first and whenever that changes, until `signal`. Ends by throwing. */
export async function watch(calls: { method: string; params?: object }[], periodMs: number, tell: (told: Told) => void, signal: AbortSignal): Promise<never> {
  for await (const line of lines('watch', { calls, period_ms: periodMs }, signal)) {
    if (line.error) throw new Refused(line.error.data?.errc ?? '', line.error.message);
    if (line.params) tell(line.params.progress as Told);
  }
  throw new Refused('unavailable', 'The node went away.');
}
