// Work that a page has done: by machines and tabs that lend to the site's owner, through the site's own node, which runs what that owner published for pages.

import { type Bytes, fromUtf8, utf8 } from '../src/bytes.js';
import { keyText, parseKey } from '../src/names.js';
import type { Proof, Worker } from './verify.js';
import { ERRORS, type Job, JOB_DONE, JOB_REFUSED, type JobTold, JOB_WAITING, type ToCore } from './wire.js';

export interface JobOptions {
  /** Among this page's own jobs. */
  priority?: 'low' | 'normal' | 'high';
  /** How many owners' machines must give the same result; as the site has it where this is left out. */
  redundancy?: number;
  /** Milliseconds. */
  timeout?: number;
  /** Nothing is charged, so no bound is passed. */
  maxCredits?: number;
  signal?: AbortSignal;
  onProgress?: (progress: JobProgress) => void;
}
export interface JobRequest {
  /** Under which name the site's owner published the program: `selvedge web publish NAME PROGRAM.wasm`. */
  type: string;
  args?: (string | number)[];
  /** Its standard input: bytes, a text, or anything else as JSON. */
  payload?: unknown;
  options?: JobOptions;
}
export interface Mismatch { node: string; owner: string; why: string }
export interface JobProgress { id: number; type: string; state: 'waiting' | 'running' | 'done' | 'refused'; ahead: number; executions: number; retries: number; mismatches: Mismatch[] }

export class JobResult {
  /** How many owners' machines signed for exactly this output. */
  readonly agreements: number;
  /** As many as were asked for, and two at least. */
  readonly verified: boolean;
  readonly workers: readonly Worker[];
  readonly mismatches: readonly Mismatch[];
  readonly module: string;
  readonly outputCid: string;
  readonly trace: string;
  readonly fuel: bigint;
  readonly ms: number;
  readonly executions: number;
  readonly retries: number;
  readonly cost = 0;

  constructor(readonly output: Bytes, readonly receipts: readonly Bytes[], told: JobTold, proof: Proof, redundancy: number, mismatches: Mismatch[]) {
    ({ agreements: this.agreements, workers: this.workers, module: this.module, outputCid: this.outputCid, trace: this.trace } = proof);
    this.verified = proof.agreements >= Math.max(2, redundancy);
    this.mismatches = mismatches;
    this.fuel = told.fuel;
    this.ms = Number(told.milliseconds);
    this.executions = Number(told.executions);
    this.retries = Number(told.retries);
  }
  text(): string {
    return fromUtf8(this.output);
  }
  json(): unknown {
    return JSON.parse(this.text());
  }
}

/** The site, or its machines, did not do it. `code` as everywhere: limit, not_found, timeout, unavailable, cancelled, guest, disagreement ... */
export class JobRefused extends Error {
  override name = 'JobRefused';
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

const PRIORITIES = ['low', 'normal', 'high'], STATES = ['waiting', 'running', 'done', 'refused'] as const;
const TIMEOUT_MS = 60_000, JOBS_MAX = 64;

function bytesOf(payload: unknown): Bytes {
  if (payload === undefined) return new Uint8Array();
  if (payload instanceof Uint8Array) return new Uint8Array(payload);
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload.slice(0));
  return utf8(typeof payload === 'string' ? payload : JSON.stringify(payload));
}

interface Open { request: JobRequest; mismatches: Mismatch[]; resolve: (result: JobResult) => void; reject: (why: Error) => void }

export class Jobs {
  readonly #site: Bytes;
  readonly #open = new Map<number, Open>();
  readonly #queue: (() => void)[] = [];
  #last = 0;

  /** `verifier`: where verify.js lies; `told` hears of every change. */
  constructor(site: string, readonly verifier: string, readonly send: (what: ToCore) => void, readonly told: (progress: JobProgress) => void) {
    this.#site = parseKey(site);
  }

  /** A site takes so many at once of one page; the others wait here. */
  async submit(request: JobRequest): Promise<JobResult> {
    const { options = {} } = request;
    const priority = PRIORITIES.indexOf(options.priority ?? 'normal');
    if (priority < 0) throw new TypeError('priority: low, normal or high');
    if (options.redundancy !== undefined && !(Number.isInteger(options.redundancy) && options.redundancy > 0)) throw new TypeError('redundancy: a whole number of owners');
    const timeoutMs = options.timeout ?? TIMEOUT_MS;
    if (!(timeoutMs > 0)) throw new TypeError('timeout: milliseconds');
    const job: Job = { program: request.type, args: (request.args ?? []).map(String), input: bytesOf(request.payload), priority, verify: options.redundancy ?? 0, timeoutMs };
    if (this.#open.size >= JOBS_MAX) await new Promise<void>((resolve) => this.#queue.push(resolve));
    if (options.signal?.aborted) throw new JobRefused('cancelled', 'the page wants it no longer');
    const id = ++this.#last;
    options.signal?.addEventListener('abort', () => this.send({ type: 'drop', id }), { once: true });
    return new Promise<JobResult>((resolve, reject) => {
      this.#open.set(id, { request, mismatches: [], resolve, reject });
      this.send({ type: 'job', id, job });
    });
  }

  on(id: number, told: JobTold): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    for (const { node, owner, why } of told.mismatches) {
      const key = keyText(node);
      if (!open.mismatches.some((each) => each.node === key)) open.mismatches.push({ node: key, owner: keyText(owner), why });
    }
    if (told.stage !== JOB_DONE) this.#say(id, open, told, told.stage);
    if (told.stage === JOB_DONE) void this.#finish(id, open, told);
    else if (told.stage === JOB_REFUSED) this.#end(id, () => open.reject(new JobRefused(ERRORS[told.error] ?? 'internal', told.message)));
  }

  #say(id: number, open: Open, told: JobTold, stage: number): void {
    const progress: JobProgress = {
      id, type: open.request.type, state: STATES[stage] ?? 'waiting', ahead: stage === JOB_WAITING ? told.ahead : 0, executions: Number(told.executions), retries: Number(told.retries),
      mismatches: open.mismatches,
    };
    open.request.options?.onProgress?.(progress);
    this.told(progress);
  }

  async #finish(id: number, open: Open, told: JobTold): Promise<void> {
    try {
      const { prove } = (await import(this.verifier)) as typeof import('./verify.js');
      const proof = await prove(told, this.#site);
      this.#say(id, open, told, JOB_DONE);
      this.#end(id, () => open.resolve(new JobResult(told.output, told.receipts, told, proof, open.request.options?.redundancy ?? 0, open.mismatches)));
    } catch (error) {
      this.#say(id, open, told, JOB_REFUSED);
      this.#end(id, () => open.reject(new JobRefused('integrity', error instanceof Error ? error.message : String(error))));
    }
  }

  #end(id: number, settle: () => void): void {
    this.#open.delete(id);
    settle();
    this.#queue.shift()?.();
  }

  /** The node is gone. */
  end(): void {
    for (const [id, open] of [...this.#open]) this.#end(id, () => open.reject(new JobRefused('cancelled', 'the node of this page ended')));
  }
}
