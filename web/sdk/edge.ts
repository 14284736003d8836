// @selvedge/edge: a page's part of the fabric, by one script tag.
//
//   <script type="module">
//     import { EdgeNet } from 'https://NODE/sdk/edge.js';
//     const node = await EdgeNet.init({ siteId: 'OWNER KEY', relays: ['https://NODE'], contribution: { cpuLimit: 0.3 } });
//   </script>
//
// The visitor is asked first. After a yes, their tab is a machine that works for the owner named by `siteId`, and for nobody else.

import { keyText, parseKey } from '../src/names.js';
import { agreedUntil, type Asked, consent, forget, Mark } from './consent.js';
import { forgetIdentity, identity } from './identity.js';
import { type JobProgress, JobRefused, type JobRequest, type JobResult, Jobs } from './jobs.js';
import { Throttle } from './throttle.js';
import { createWidget, type WidgetOptions } from './widget.js';
import { workerFrom } from './workers.js';
import type { Door, FromCore, StartCore, ToCore } from './wire.js';

export type { JobOptions, JobProgress, JobRequest, Mismatch } from './jobs.js';
export { JobRefused, JobResult } from './jobs.js';
export type { Worker as JobWorker } from './verify.js';

export interface Task { id: string; state: 'started' | 'done' | 'stopped'; outcome?: string; fuel?: bigint; ms?: number }
export interface Stats { connected: boolean; doors: number; tasksCompleted: number; tasksRunning: number; uptime: number; share: number; reason: string; node: string }

export interface Contribution {
  cpuLimit?: number;
  memoryLimit?: number;
  bandwidthLimit?: number;
  days?: number;
  /** Programs that may run here: their content ids, the names of a bundle's entries, or what the site calls them. Without it, all that the site sends. */
  tasks?: string[];
}

export interface InitOptions {
  /** Whose work this page's visitors do: the owner's key, as `selvedge status` shows it. */
  siteId: string;
  /** A name for people; without it, the page's host. */
  siteName?: string;
  /** Where `selvedge up --web` listens: a node of that owner, and nodes that store for it. */
  relays: string[];
  /** Of one core, 0 to 1; bytes; bytes a second; how long a yes is good for; which programs. `false`: this page lends nothing, asks its visitor nothing, and may submit(). */
  contribution?: false | Contribution;
  idle?: { focusRequired?: boolean; minIdleTime?: number; respectBattery?: boolean };
  onTask?: (task: Task) => void;
  /** Of every change of what this page has had done. */
  onJob?: (progress: JobProgress) => void;
  /** Called where a fabric has credits; none has yet. */
  onCredit?: (credits: number, total: number) => void;
  onError?: (error: Error) => void;
  onLog?: (text: string) => void;
}

/** The visitor said no, or has before. */
export class ConsentDenied extends Error {
  override name = 'ConsentDenied';
}

type Events = { task: Task; job: JobProgress; error: Error; connected: number; ended: undefined };

const DEFAULTS = { cpuLimit: 0.3, memoryLimit: 256 * 1024 * 1024, bandwidthLimit: 1024 * 1024, days: 7, minIdleTime: 5000 };
const SHARE_EVERY_MS = 100;

/** Where this script is from: the rest of it lies beside. */
const BASE = (() => {
  const classic = typeof document === 'undefined' ? null : (document.currentScript as HTMLScriptElement | null);
  return classic?.src || import.meta.url;
})();

/** Whose nodes they are makes no difference: each proves its key, and to whom the tab is lent, the visitor signs. Those that store for the owner save it a way. */
async function doors(options: InitOptions): Promise<Door[]> {
  const site = keyText(parseKey(options.siteId));
  if (options.relays.length === 0) throw new Error('relays: name one node at least');
  return Promise.all(options.relays.map(async (relay) => {
    const url = relay.replace(/\/+$/, '');
    let about: { node: string; owner: string };
    try {
      about = (await (await fetch(`${url}/node`)).json()) as { node: string; owner: string };
    } catch {
      throw new Error(`there is no node at ${url}: it is the address of selvedge up --web`);
    }
    return { url, node: parseKey(about.node), own: about.owner === site };
  }));
}

export class EdgeNode extends EventTarget {
  readonly #options: InitOptions;
  readonly #throttle: Throttle;
  readonly #worker: Worker;
  readonly #mark: Mark | null;
  readonly #jobs: Jobs;
  readonly #own: boolean;
  readonly #began = performance.now();
  readonly #asks = new Map<number, { resolve: (text: string) => void; reject: (why: Error) => void }>();
  readonly #listening = new AbortController();
  #stats: Stats = { connected: false, doors: 0, tasksCompleted: 0, tasksRunning: 0, uptime: 0, share: 0, reason: '', node: '' };
  #lastAsk = 0;
  #told = -1;
  #frame = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #ready: () => void = () => undefined;
  #unready: (why: Error) => void = () => undefined;
  readonly ready = new Promise<void>((resolve, reject) => {
    [this.#ready, this.#unready] = [resolve, reject];
  });

  /** Not to be called by pages: EdgeNet.init() asks first. */
  constructor(options: InitOptions, worker: Worker, start: StartCore) {
    super();
    this.#options = options;
    this.#worker = worker;
    const contribution = options.contribution || {};
    this.#own = start.doors.some((door) => door.own);
    this.#jobs = new Jobs(options.siteId, new URL('verify.js', BASE).href, (what) => this.#send(what), (progress) => {
      this.#emit('job', progress);
      options.onJob?.(progress);
    });
    this.#throttle = new Throttle({
      cpuLimit: contribution.cpuLimit ?? DEFAULTS.cpuLimit, minIdleTime: options.idle?.minIdleTime ?? DEFAULTS.minIdleTime,
      unfocusedOnly: options.idle?.focusRequired ?? false, respectBattery: options.idle?.respectBattery ?? true,
    });
    this.#mark = options.contribution === false ? null : new Mark(() => this.disconnect({ forget: true }));
    worker.onmessage = ({ data }: MessageEvent<FromCore>) => this.#on(data);
    worker.onerror = ({ message }) => this.#fail(new Error(message));
    if (this.#mark !== null) this.#watch();
    this.#send(start);
  }

  #send(what: ToCore): void {
    this.#worker.postMessage(what);
  }

  #on(what: FromCore): void {
    switch (what.type) {
      case 'ready':
        this.#stats.node = what.node;
        this.#ready();
        break;
      case 'connected':
        this.#stats.doors = what.doors;
        this.#stats.connected = what.doors > 0;
        this.#emit('connected', what.doors);
        break;
      case 'task': {
        this.#stats.tasksRunning += what.state === 'started' ? 1 : -1;
        if (what.state === 'done') this.#stats.tasksCompleted += 1;
        const task: Task = { id: what.task, state: what.state, ...(what.outcome === undefined ? {} : { outcome: what.outcome }),
          ...(what.fuel === undefined ? {} : { fuel: what.fuel }), ...(what.ms === undefined ? {} : { ms: what.ms }) };
        this.#emit('task', task);
        this.#options.onTask?.(task);
        break;
      }
      case 'answer': {
        const ask = this.#asks.get(what.id);
        this.#asks.delete(what.id);
        if (what.ok) ask?.resolve(what.text);
        else ask?.reject(new Error(what.text));
        break;
      }
      case 'job': this.#jobs.on(what.id, what.told); break;
      case 'failed': this.#fail(new Error(what.why)); break;
      case 'log': this.#options.onLog?.(what.text); break;
      case 'ended': this.#end(); break;
    }
    this.#show();
  }

  #emit<K extends keyof Events>(name: K, detail: Events[K]): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #fail(error: Error): void {
    this.#unready(error); // nothing, once it has started
    this.#options.onError?.(error);
    this.#emit('error', error);
  }

  // ---- what the page is doing

  #watch(): void {
    const { signal } = this.#listening;
    const on = (target: EventTarget, names: string, act: () => void): void => {
      for (const name of names.split(' ')) target.addEventListener(name, () => { act(); this.#tell(); }, { signal, passive: true, capture: true });
    };
    on(document, 'visibilitychange', () => this.#throttle.visible(document.visibilityState === 'visible'));
    on(document, 'freeze', () => this.#throttle.frozen(true));
    on(document, 'resume', () => this.#throttle.frozen(false));
    on(window, 'focus blur', () => this.#throttle.focused(document.hasFocus()));
    on(window, 'pointerdown pointermove keydown wheel touchstart scroll', () => this.#throttle.input(performance.now()));
    this.#throttle.visible(document.visibilityState === 'visible');
    const connection = (navigator as { connection?: { saveData?: boolean } }).connection;
    this.#throttle.saveData(connection?.saveData === true);
    void this.#watchBattery(on);
    let last = performance.now();
    const frame = (at: number): void => {
      this.#throttle.frame(at, at - last);
      if (at - last > 34) this.#tell();
      last = at;
      this.#frame = requestAnimationFrame(frame);
    };
    this.#frame = requestAnimationFrame((at) => { last = at; this.#frame = requestAnimationFrame(frame); });
    this.#timer = setInterval(() => this.#tell(), SHARE_EVERY_MS);
    this.#tell();
  }

  async #watchBattery(on: (target: EventTarget, names: string, act: () => void) => void): Promise<void> {
    type Battery = EventTarget & { charging: boolean; level: number };
    const battery = await (navigator as { getBattery?: () => Promise<Battery> }).getBattery?.().catch(() => undefined);
    if (battery === undefined) return;
    const act = (): void => this.#throttle.battery(battery.charging, battery.level);
    act();
    on(battery, 'chargingchange levelchange', act);
  }

  #tell(): void {
    const now = performance.now();
    this.#stats.share = this.#throttle.share(now);
    this.#stats.reason = this.#throttle.reason(now);
    const permille = Math.round(this.#stats.share * 1000);
    if (permille !== this.#told) this.#send({ type: 'share', permille });
    this.#told = permille;
    this.#show();
  }

  #show(): void {
    const { connected, share, reason, tasksCompleted } = this.#stats;
    const held = reason === '' ? '' : ` (${reason})`;
    this.#mark?.show(connected ? `Lending ${Math.round(share * 100)} %${held} · ${tasksCompleted} done` : 'Lending: not connected');
  }

  // ---- for pages

  stats(): Stats {
    return { ...this.#stats, uptime: (performance.now() - this.#began) / 1000 };
  }

  /** Nothing runs, and nothing new is taken, until resume(); what is lent stays lent. */
  pause(): void {
    this.#throttle.paused(true);
    this.#send({ type: 'hold', rests: true });
    this.#tell();
  }

  resume(): void {
    this.#throttle.paused(false);
    this.#send({ type: 'hold', rests: false });
    this.#tell();
  }

  /** Takes back what was lent, and ends. `forget`: the next visit is asked anew, and is another person to the site. */
  disconnect(options: { forget?: boolean } = {}): void {
    if (options.forget) {
      forget();
      void forgetIdentity().catch(() => undefined);
    }
    this.#send({ type: 'end' });
    this.#mark?.show('Stopping');
  }

  /** Has the site have this done, by machines and tabs of others, and checks what they signed. Rejects with JobRefused. */
  submit(request: JobRequest): Promise<JobResult> {
    if (!this.#own) return Promise.reject(new JobRefused('unavailable', 'no address in `relays` is of a node of this site\'s owner, which would have it done'));
    return this.#jobs.submit(request);
  }

  /** All of them, in the order given; rejects with the first that was not done. `onResult` hears of each as it comes. */
  submitBatch(requests: JobRequest[], onResult?: (result: JobResult, index: number) => void): Promise<JobResult[]> {
    return Promise.all(requests.map(async (request, index) => {
      const result = await this.submit(request);
      onResult?.(result, index);
      return result;
    }));
  }

  /** What this node knows of itself: "status", "lease.list", "receipts", "peer.list", "domain.list", "audit.head", "audit.list", "audit.prove" (which take their parameters as a CBOR array). */
  async ask(method: string, params: Uint8Array<ArrayBuffer> = Uint8Array.of(0x80)): Promise<unknown> {
    const id = ++this.#lastAsk;
    const text = new Promise<string>((resolve, reject) => this.#asks.set(id, { resolve, reject }));
    this.#send({ type: 'ask', id, method, params });
    return JSON.parse(await text) as unknown;
  }

  #end(): void {
    this.#listening.abort();
    cancelAnimationFrame(this.#frame);
    clearInterval(this.#timer);
    this.#mark?.remove();
    this.#jobs.end();
    this.#worker.terminate();
    this.#emit('ended', undefined);
  }
}

/** EdgeNet.submit() asks the site of this one. */
let latest: EdgeNode | null = null;

async function init(options: InitOptions): Promise<EdgeNode> {
  const lends = options.contribution !== false;
  const { cpuLimit, memoryLimit, bandwidthLimit, days, tasks } = { ...DEFAULTS, ...(options.contribution || {}) };
  const asked: Asked = {
    site: options.siteName ?? location.host, key: keyText(parseKey(options.siteId)), cpuPercent: Math.round(Math.min(1, cpuLimit) * 100),
    memoryMegabytes: Math.round(memoryLimit / (1 << 20)), kilobytesPerSecond: Math.round(bandwidthLimit / 1024), ms: days * 86_400_000,
  };
  if (lends && !(await consent(asked))) throw new ConsentDenied('the visitor does not lend this device');
  const url = (name: string): string => new URL(name, BASE).href;
  const worker = workerFrom(url('core.js'));
  worker.postMessage({ type: 'load', module: url('node.wasm'), runner: url('runner.js'), runnerModule: url('runner.wasm') } satisfies ToCore);
  let start: StartCore;
  try {
    const [list, { keys, owner }] = await Promise.all([doors(options), identity()]);
    start = { type: 'start', doors: list, origin: parseKey(options.siteId), cpuPermille: lends ? asked.cpuPercent * 10 : 0, memoryBytes: memoryLimit, networkKbps: Math.ceil((bandwidthLimit * 8) / 1000), tasks: tasks ?? [], until: agreedUntil(asked), keys, owner };
  } catch (error) {
    worker.terminate();
    throw error;
  }
  const node = (latest = new EdgeNode(options, worker, start));
  await node.ready;
  return node;
}

export const EdgeNet = {
  init, forgetConsent: forget, ConsentDenied, JobRefused,
  submit: (request: JobRequest): Promise<JobResult> => latest?.submit(request) ?? Promise.reject(new JobRefused('unavailable', 'EdgeNet.init() first')),
  submitBatch: (requests: JobRequest[]): Promise<JobResult[]> => latest?.submitBatch(requests) ?? Promise.reject(new JobRefused('unavailable', 'EdgeNet.init() first')),
  createWidget: (options: WidgetOptions & { node: EdgeNode }): (() => void) => createWidget(options.node, options),
};
