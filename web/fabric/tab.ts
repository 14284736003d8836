// The tab itself behind navigator.webFabric: leases that its visitor agrees to, and deterministic domains in workers, whose results and traces are those of any
// machine. No network, no service, no cluster: what a tab cannot do, it says.

import { utf8, toHex } from '../src/bytes.js';
import { cidText, keyText, parseCid } from '../src/names.js';
import { consent } from '../sdk/consent.js';
import { identity } from '../sdk/identity.js';
import { workerFrom } from '../sdk/workers.js';
import { powerPolicy, qosProfile } from './dictionaries.js';
import type { DomainOptions, ExecutionReceipt, DeterministicResult, KernelSignals, LeaseRequest, QoSProfile, RunOptions, TaskBundle } from './dictionaries.js';
import type { FromDomain, Ran, ToDomain } from './domain.js';
import { type Backing, type DomainBacking, fail } from './surface.js';

const PAGE_BYTES = 65536;
const CHUNK_BYTES = 256 * 1024;
const DAY_MS = 86_400_000;
const KEPT_BYTES_MAX = 64 << 20;
const ENTRY = '_start';
const INPUT_RECENT_MS = 10_000;
const END_EXITED = 0, END_OUT_OF_FUEL = 2, END_OUT_OF_MEMORY = 3, END_OUTPUT = 4;

async function sha256(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as BufferSource));
}

/** What a page gave, and what its domains gave back, by name. */
class Contents {
  readonly #kept = new Map<string, Uint8Array>();
  #bytes = 0;

  put(name: string, bytes: Uint8Array): void {
    if (this.#kept.has(name)) return;
    if (this.#bytes + bytes.length > KEPT_BYTES_MAX) throw fail('QuotaExceededError', `a page keeps at most ${KEPT_BYTES_MAX} bytes here`);
    this.#kept.set(name, bytes);
    this.#bytes += bytes.length;
  }
  get(name: string): Uint8Array | undefined {
    return this.#kept.get(name);
  }
}

class TabDomain implements DomainBacking {
  readonly id = crypto.randomUUID();
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (ran: Ran) => void; reject: (why: Error) => void }>();
  readonly #started = Date.now();
  readonly #spent = { cpu: 0, read: 0, written: 0 };
  #runs = 0;
  #over = false;

  private constructor(worker: Worker, readonly contents: Contents, readonly entrypoint: string, readonly qos: QoSProfile) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<FromDomain>) => {
      if (data.type !== 'ran') return;
      this.#waiting.get(data.id)?.resolve(data);
      this.#waiting.delete(data.id);
    };
    worker.onerror = ({ message }) => this.#fail(fail('InvalidStateError', `the domain broke: ${message}`));
  }

  static async load(image: Uint8Array, options: DomainOptions, qos: QoSProfile, contents: Contents, base: string): Promise<TabDomain> {
    const worker = workerFrom(new URL('domain.js', base).href);
    const loaded = new Promise<void>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<FromDomain>) => (data.type === 'loaded' ? resolve() : reject(fail('IntegrityError', data.type === 'refused' ? data.why : 'not loaded')));
      worker.onerror = ({ message }) => reject(fail('NetworkError', message));
    });
    const what: ToDomain = {
      type: 'load', image, rewriter: new URL('rewriter.wasm', base).href, runner: new URL('runner.wasm', base).href, permille: Math.round(qos.maxCpuPercentBackground * 10),
      burstMs: qos.maxBurstMs, pages: Math.floor(Math.min(qos.maxResidentBytes, 4 * 1024 ** 3) / PAGE_BYTES),
    };
    worker.postMessage(what);
    try {
      await loaded;
    } catch (error) {
      worker.terminate();
      throw error;
    }
    return new TabDomain(worker, contents, options.entrypoint, qos);
  }

  #send(what: ToDomain): void {
    this.#worker.postMessage(what);
  }

  #fail(why: Error): void {
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
  }

  async run(task: TaskBundle, options: RunOptions): Promise<DeterministicResult> {
    const input = this.contents.get(task.inputsCID);
    if (input === undefined) throw fail('NetworkError', `the content ${task.inputsCID} is not here; provide() brings it`);
    const id = ++this.#runs;
    const startedAt = Date.now();
    const ran = await new Promise<Ran>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#send({ type: 'run', id, args: [task.taskName], input });
      setTimeout(() => {
        if (!this.#waiting.delete(id)) return;
        reject(fail('TimeoutError', `the run took more than ${options.timeBudgetMs} ms, and the domain ended with it`));
        this.end();
      }, options.timeBudgetMs);
    });
    if (ran.inputCID !== task.inputsCID) throw fail('IntegrityError', 'the input is not what its name says');
    this.#spent.cpu += ran.cpuNanos;
    this.#spent.read += input.length;
    this.#spent.written += ran.output.length;
    const receipt = { ...this.#receipt(), startedAt, finishedAt: Date.now(), cpuNanos: ran.cpuNanos, bytesRead: input.length, bytesWritten: ran.output.length };
    const details = { exitCode: ran.exitCode, message: ran.message, traceCommitment: toHex(ran.trace), receipt };
    if (ran.end === END_OUT_OF_FUEL || ran.end === END_OUT_OF_MEMORY || ran.end === END_OUTPUT) throw fail('QuotaExceededError', ran.message, details);
    if (ran.end !== END_EXITED || ran.exitCode !== 0) throw fail('InvalidStateError', ran.message || `the program ended with ${ran.exitCode}`, details);
    this.contents.put(ran.outputCID, ran.output);
    return { outputCID: ran.outputCID, ...(options.emitTraceCommitment ? { traceCommitment: toHex(ran.trace) } : {}), receipt };
  }

  hints(): void {
    this.#send({ type: 'pace', permille: Math.round(this.qos.maxCpuPercentBackground * 10), burstMs: this.qos.maxBurstMs });
  }

  freeze(): void {
    this.#send({ type: 'pace', permille: 0, burstMs: this.qos.maxBurstMs });
  }

  end(): ExecutionReceipt {
    if (!this.#over) this.#worker.terminate();
    this.#over = true;
    this.#fail(fail('InvalidStateError', 'the domain has ended'));
    return this.#receipt();
  }

  #receipt(): ExecutionReceipt {
    return {
      origin: location.origin, startedAt: this.#started, finishedAt: Date.now(), cpuNanos: this.#spent.cpu, gpuNanos: 0, bytesRead: this.#spent.read, bytesWritten: this.#spent.written,
      netBytesIn: 0, netBytesOut: 0,
    };
  }
}

export class TabBacking implements Backing {
  readonly #contents = new Contents();
  #input = -Infinity;

  /** `base`: where domain.js and the modules lie. */
  constructor(readonly base: string) {
    for (const name of ['pointerdown', 'keydown', 'wheel', 'touchstart']) addEventListener(name, () => { this.#input = performance.now(); }, { passive: true, capture: true });
  }

  /** Names content for tasks and images, and keeps it for the page: its content id (up to 256 KiB) and its SHA-256. */
  async provide(bytes: Uint8Array): Promise<{ cid: string; hash: string }> {
    const kept = Uint8Array.from(bytes);
    const digest = await sha256(kept);
    const hash = toHex(digest);
    this.#contents.put(hash, kept);
    if (kept.length > CHUNK_BYTES) return { cid: '', hash };
    const cid = cidText({ codec: 'raw', digest });
    this.#contents.put(cid, kept);
    return { cid, hash };
  }

  /** What a result's outputCID names. */
  content(cid: string): Uint8Array | undefined {
    const found = this.#contents.get(cid);
    return found === undefined ? undefined : Uint8Array.from(found);
  }

  async identity(request: Parameters<Backing['identity']>[0]): ReturnType<Backing['identity']> {
    if (request.purpose === '') throw new TypeError('purpose says nothing');
    if (request.minTier !== 'software') throw fail('AttestationError', 'a tab has no hardware that vouches for it');
    if (request.ttlMs <= 0 || request.ttlMs > DAY_MS) throw fail('NotAllowedError', 'a token lives for a day at most');
    const { keys, owner } = await identity();
    const expiresAt = Date.now() + request.ttlMs;
    const text = utf8(`selvedge tab identity v1\n${location.origin}\n${request.purpose}\n${Math.floor(expiresAt)}`);
    const data = await crypto.subtle.sign('Ed25519', keys.privateKey, text);
    return { nodeId: keyText(owner), tier: 'software', attestation: { tier: 'software', format: 'selvedge-tab-ed25519', data }, expiresAt };
  }

  async lease(request: LeaseRequest): ReturnType<Backing['lease']> {
    if (request.allowIngress || request.allowStorage) throw fail('NotSupportedError', 'a tab lends computing only');
    if (request.requireAttestedDomains) throw fail('AttestationError', 'the domains of a tab are attested by nothing');
    const qos = request.qos ?? qosProfile({}, 'qos'), power = request.power ?? powerPolicy({}, 'power');
    if (qos.maxCpuPercentBackground <= 0 || qos.maxCpuPercentBackground > 100 || request.durationMs <= 0 || request.durationMs > 30 * DAY_MS) throw fail('QuotaExceededError', 'more than a tab lends, or nothing at all');
    const asked = { site: location.host, key: location.origin, cpuPercent: qos.maxCpuPercentBackground, memoryMegabytes: Math.round(qos.maxResidentBytes / (1 << 20)), ms: request.durationMs, whole: true };
    if (!(await consent(asked))) throw fail('NotAllowedError', 'the visitor does not lend this device');
    let expiresAt = Date.now() + request.durationMs;
    const latest = expiresAt; // what was agreed to
    return {
      qos, power, expiresAt,
      spawn: (options) => this.#spawn(options, qos),
      end: () => undefined, // its domains are ended by the lease
      renew: async (ms) => {
        if (expiresAt + ms > latest && !(await consent({ ...asked, ms: expiresAt + ms - Date.now() }))) throw fail('NotAllowedError', 'the visitor does not lend it for longer');
        return (expiresAt += ms);
      },
    };
  }

  async #spawn(options: DomainOptions, qos: QoSProfile): Promise<DomainBacking> {
    if (!options.deterministic) throw fail('NotSupportedError', 'a tab hosts no services: deterministic domains only');
    if (options.environmentName !== 'default') throw fail('NotSupportedError', 'there is the environment "default" and no other');
    if (options.entrypoint !== ENTRY) throw fail('NotSupportedError', `programs begin at ${ENTRY}`);
    const hash = options.imageHash.startsWith('b') ? toHex(parseCid(options.imageHash).digest) : options.imageHash.toLowerCase();
    const image = this.#contents.get(hash) ?? (await fetchImage(hash));
    if (toHex(await sha256(image)) !== hash) throw fail('IntegrityError', 'the image is not what its hash says');
    return TabDomain.load(image, options, qos, this.#contents, this.base);
  }

  async signals(): Promise<KernelSignals> {
    type Battery = { charging: boolean; level: number };
    const battery = await (navigator as { getBattery?: () => Promise<Battery> }).getBattery?.().catch(() => undefined);
    const heap = (performance as { memory?: { usedJSHeapSize: number; jsHeapSizeLimit: number } }).memory;
    // In quarters: enough to back off by, too little to know a device by.
    const quarters = (share: number): number => Math.max(0, Math.min(4, Math.round(share * 4))) * 25;
    const used = performance.now() - this.#input < INPUT_RECENT_MS;
    return {
      memoryPressure: heap ? quarters(heap.usedJSHeapSize / heap.jsHeapSizeLimit) : 0, thermalTrend: 0,
      batteryTrend: battery === undefined || battery.charging ? 100 : quarters(battery.level),
      interactionLikelihood: document.visibilityState !== 'visible' ? 0 : used ? 100 : document.hasFocus() ? 50 : 25,
    };
  }
}

/** From the page's own site, where it is named by its hash. */
async function fetchImage(hash: string): Promise<Uint8Array> {
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new TypeError('imageHash is no SHA-256 in hexadecimal and no content id');
  let answer: Response;
  try {
    answer = await fetch(`/.well-known/web-fabric/${hash}`);
  } catch {
    throw fail('NetworkError', 'the image cannot be fetched from this site');
  }
  if (!answer.ok) throw fail('NetworkError', `the image is not at this site: /.well-known/web-fabric/${hash}`);
  return new Uint8Array(await answer.arrayBuffer());
}
