// The worker in which the node lives: its connections, its workers, its clock, and the owner's signatures.

import { type Bytes, fromUtf8, readBigEndian, toHex, utf8 } from '../src/bytes.js';
import { keyText } from '../src/names.js';
import { NodeModule } from './module.js';
import { workerFrom } from './workers.js';
import { END_CRASHED, END_KILLED, ERRORS, type FromCore, type FromRunner, Input, type Job, JOB_REFUSED, JOB_WAITING, type JobTold, type LoadCore, type Ran, type Run, readRun, readTold, type StartCore, type ToCore, Told, type ToRunner, writeAsk, writeConsent, writeJob, writeRan } from './wire.js';

const REDIAL_MIN_MS = 500, REDIAL_MAX_MS = 30_000;
const OUTCOMES = ['exited', 'trap', 'fuel', 'memory', 'output', 'forbidden', 'stopped', 'crashed', 'refused'];
const NONE = new Uint8Array();
/** A job whose site cannot be reached just now is asked for again, so often and for so long. */
const ASK_AGAIN_MS = 250;
const LENT_SECONDS = 3600, LENT_AGAIN_BEFORE = 600;

interface Lent { worker: Worker; running: Map<string, { run: Run; started: number; timer: ReturnType<typeof setTimeout> }>; permille: number; burstMs: number }

const tell = (what: FromCore): void => postMessage(what);
const now = (): number => performance.timeOrigin + performance.now();

const none = (stage: number, error: string, message: string): JobTold => ({
  request: 0n, stage, ahead: 0, executions: 0n, retries: 0n, error: ERRORS.indexOf(error), message, module: null, output: NONE, fuel: 0n, milliseconds: 0n, receipts: [], mismatches: [],
});

class Core {
  #node: NodeModule | null = null;
  readonly #load: LoadCore;
  readonly #module: Promise<NodeModule>;
  #start!: StartCore;
  #began = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sockets = new Map<number, WebSocket>();
  #connections = 0;
  #redial = new Map<string, number>();
  #leases = new Map<bigint, Lent>();
  #spare: Worker | null = null;
  #share = 1000;
  #jobs = new Map<number, { job: Job; until: number; timer?: ReturnType<typeof setTimeout>; site?: Bytes }>();
  #ending = false;
  #lent = false;

  constructor(load: LoadCore) {
    this.#load = load;
    this.#spare = this.#runner(); // ready before the first program comes
    this.#module = fetch(load.module).then((answer) => {
      if (!answer.ok) throw new Error(`the node cannot be fetched: ${answer.status} from ${load.module}`);
      return NodeModule.load(answer, (kind, number, bytes) => this.#told(kind, number, bytes));
    });
    this.#module.catch(() => undefined); // start() says so
  }

  async start(start: StartCore): Promise<void> {
    this.#start = start;
    try {
      this.#node = await this.#module;
      this.#node.start(now(), crypto.getRandomValues(new Uint8Array(32)), start.owner);
    } catch (error) {
      this.#broken(error);
    }
  }

  #take(kind: number, number: number, bytes: Uint8Array): void {
    try {
      this.#node?.take(now(), kind, number, bytes);
    } catch (error) {
      return this.#broken(error);
    }
    this.#schedule();
  }

  #broken(error: unknown): void {
    tell({ type: 'failed', why: error instanceof Error ? error.message : String(error) });
    this.#close();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const next = this.#node?.next() ?? Infinity;
    if (next === Infinity || this.#ending) return;
    this.#timer = setTimeout(() => {
      try {
        this.#node?.due(now());
      } catch (error) {
        return this.#broken(error);
      }
      this.#schedule();
    }, Math.max(0, Math.min(next - now(), 0x7fffffff)));
  }

  #told(kind: number, number: number, bytes: Bytes): void {
    switch (kind) {
      case Told.sign: void this.#sign(number, bytes); break;
      case Told.packet: this.#sockets.get(number)?.send(bytes); break;
      case Told.close: this.#sockets.get(number)?.close(1000, fromUtf8(bytes).slice(0, 40)); break;
      case Told.run: this.#run(bytes); break;
      case Told.stop: queueMicrotask(() => this.#stop(toHex(bytes))); break;
      case Told.stopAll: this.#stopAll(number, readBigEndian(bytes)); break;
      case Told.pace: this.#pace(BigInt(number), Number(readBigEndian(bytes.subarray(0, 4))), Number(readBigEndian(bytes.subarray(4))) / 1000); break;
      case Told.answer: tell({ type: 'answer', id: number, ok: true, text: fromUtf8(bytes) }); break;
      case Told.refusal: tell({ type: 'answer', id: number, ok: false, text: fromUtf8(bytes) }); break;
      case Told.job: queueMicrotask(() => this.#heard(number, bytes)); break;
      case Told.say: tell({ type: 'log', text: fromUtf8(bytes) }); break;
      case Told.error: tell({ type: 'log', text: `refused: ${fromUtf8(bytes)}` }); break;
      case Told.key: tell({ type: 'ready', node: keyText(bytes), ms: performance.now() - this.#began }); break;
    }
  }

  async #sign(number: number, message: Bytes): Promise<void> {
    const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', this.#start.keys.privateKey, message));
    this.#take(Input.signed, number, signature);
    if (this.#lent) return;
    this.#lent = true; // the first signature is under the node's record, and with it the node has started
    this.#lend();
    for (const door of this.#start.doors) this.#dial(door.url, door.node);
  }

  /** Lends for an hour at most and again before that is over: a page that is closed says nothing, and what it lent should not be waited for. */
  #lend(): void {
    const { origin, cpuPermille, memoryBytes, networkKbps, tasks, until } = this.#start;
    if (cpuPermille === 0) return; // this page asks and lends nothing
    const left = Math.floor((until - Date.now()) / 1000);
    if (left <= 0) return this.take({ type: 'end' });
    this.#take(Input.lend, 0, writeConsent(origin, cpuPermille, memoryBytes, Math.min(left, LENT_SECONDS), networkKbps, tasks));
    setTimeout(() => this.#ending || this.#lend(), Math.min(left, LENT_SECONDS - LENT_AGAIN_BEFORE) * 1000);
  }

  // ---- connections

  #dial(url: string, node: Bytes): void {
    const id = ++this.#connections;
    const socket = new WebSocket(url.replace(/^http/, 'ws') + '/selvedge');
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#sockets.set(id, socket);
      this.#redial.delete(url);
      this.#take(Input.open, id, node);
      tell({ type: 'connected', doors: this.#sockets.size });
    };
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.#take(Input.packet, id, new Uint8Array(data));
    socket.onclose = ({ reason }) => {
      if (this.#sockets.delete(id)) this.#take(Input.closed, id, utf8(reason || 'the connection broke'));
      if (this.#ending) return;
      tell({ type: 'connected', doors: this.#sockets.size });
      const pause = Math.min(this.#redial.get(url) ?? REDIAL_MIN_MS, REDIAL_MAX_MS);
      this.#redial.set(url, pause * 2);
      setTimeout(() => !this.#ending && this.#dial(url, node), pause);
    };
  }

  // ---- programs

  #runner(): Worker {
    const worker = workerFrom(this.#load.runner);
    worker.postMessage({ type: 'begin', module: this.#load.runnerModule } satisfies ToRunner);
    return worker;
  }

  #lease(number: bigint): Lent {
    let lent = this.#leases.get(number);
    if (lent === undefined) {
      const worker = this.#spare ?? this.#runner();
      this.#spare = null;
      lent = { worker, running: new Map(), permille: this.#start.cpuPermille, burstMs: 10 };
      worker.onmessage = ({ data }: MessageEvent<FromRunner>) => this.#ran(number, data.ran);
      worker.onerror = ({ message }) => this.#crashed(number, message);
      this.#leases.set(number, lent);
      this.#tellPace(lent);
    }
    return lent;
  }

  #run(bytes: Bytes): void {
    this.#begin(readRun(bytes));
  }

  #begin(run: Run): void {
    const lent = this.#lease(run.lease);
    const task = toHex(run.task);
    const timer = setTimeout(() => this.#stop(task), Number(run.wall_ms));
    lent.running.set(task, { run, started: performance.now(), timer });
    lent.worker.postMessage({ type: 'run', run } satisfies ToRunner);
    tell({ type: 'task', task, state: 'started' });
  }

  #done(lent: Lent, ran: Ran): void {
    const task = toHex(ran.task);
    const running = lent.running.get(task);
    if (running === undefined) return;
    clearTimeout(running.timer);
    lent.running.delete(task);
    tell({ type: 'task', task, state: ran.end === END_KILLED ? 'stopped' : 'done', outcome: OUTCOMES[ran.end] ?? '', fuel: ran.fuel, ms: performance.now() - running.started });
    this.#take(Input.ran, 0, writeRan(ran));
  }

  #ran(number: bigint, ran: Ran): void {
    const lent = this.#leases.get(number);
    if (lent !== undefined) this.#done(lent, ran);
  }

  /** A worker that is gone answers for none of its programs: they ended here. */
  #end(number: bigint, end: number, message: string): void {
    const lent = this.#leases.get(number);
    if (lent === undefined) return;
    lent.worker.terminate();
    this.#leases.delete(number);
    for (const { run: { task }, started } of [...lent.running.values()]) {
      const ran: Ran = { task, end, exit_code: 0, comparable: false, output: NONE, message, fuel: 0n, cpu_ns: 0n, wall_ns: 0n, memory_bytes: 0n, trace: new Uint8Array(32) };
      ran.wall_ns = ran.cpu_ns = BigInt(Math.round((performance.now() - started) * 1e6));
      this.#done(lent, ran);
    }
  }

  #crashed(number: bigint, message: string): void {
    this.#end(number, END_CRASHED, message);
  }

  /** One program: a worker cannot be made to stop another way, so those that wait behind it begin in a new one. */
  #stop(task: string): void {
    for (const [number, lent] of this.#leases) {
      if (!lent.running.has(task)) continue;
      const others = [...lent.running.values()].filter(({ run }) => toHex(run.task) !== task);
      for (const { run, timer } of others) {
        clearTimeout(timer);
        lent.running.delete(toHex(run.task));
      }
      this.#end(number, END_KILLED, 'stopped');
      const { permille, burstMs } = lent;
      if (others.length > 0) this.#pace(number, permille, burstMs);
      for (const { run } of others) this.#begin(run);
    }
  }

  #stopAll(token: number, lease: bigint): void {
    queueMicrotask(() => {
      this.#end(lease, END_KILLED, 'stopped');
      this.#take(Input.stopped, token, NONE);
    });
  }

  #pace(lease: bigint, permille: number, burstMs: number): void {
    const lent = this.#lease(lease);
    Object.assign(lent, { permille, burstMs: burstMs || 10 });
    this.#tellPace(lent);
  }

  #tellPace(lent: Lent): void {
    lent.worker.postMessage({ type: 'pace', permille: Math.min(lent.permille, this.#share), burstMs: lent.burstMs } satisfies ToRunner);
  }

  // ---- jobs

  #ask(id: number): void {
    const asked = this.#jobs.get(id);
    if (asked === undefined || this.#ending) return;
    const own = this.#start.doors.filter((door) => door.own);
    asked.site = (own[(id + Math.floor(Math.random() * own.length)) % own.length] as { node: Bytes }).node;
    this.#take(Input.job, id, writeJob(asked.site, { ...asked.job, timeoutMs: Math.max(1, Math.round(asked.until - performance.now())) }));
  }

  /** What the site says of one; nothing: it cannot be reached, and as a program gives the same twice, it is asked for again. */
  #heard(id: number, bytes: Bytes): void {
    const asked = this.#jobs.get(id);
    if (asked === undefined) return;
    if (bytes.length === 0 && performance.now() < asked.until) {
      tell({ type: 'job', id, told: none(JOB_WAITING, '', '') });
      asked.timer = setTimeout(() => this.#ask(id), ASK_AGAIN_MS);
      return;
    }
    const told = bytes.length === 0 ? none(JOB_REFUSED, 'unavailable', 'no node of this site can be reached') : readTold(bytes);
    if (told.stage > 1) this.#jobs.delete(id);
    tell({ type: 'job', id, told });
  }

  #dropJob(id: number): void {
    const asked = this.#jobs.get(id);
    if (asked?.site === undefined) return;
    clearTimeout(asked.timer);
    this.#jobs.delete(id);
    this.#take(Input.dropJob, id, asked.site);
    tell({ type: 'job', id, told: none(JOB_REFUSED, 'cancelled', 'the page wants it no longer') });
  }

  // ---- the page

  take(what: ToCore): void {
    if (what.type === 'share') {
      this.#share = what.permille;
      for (const lent of this.#leases.values()) this.#tellPace(lent);
    } else if (what.type === 'hold') {
      this.#take(Input.hold, what.rests ? 1 : 0, this.#start.origin);
    } else if (what.type === 'ask') {
      this.#take(Input.request, what.id, writeAsk(what.method, what.params));
    } else if (what.type === 'job') {
      this.#jobs.set(what.id, { job: what.job, until: performance.now() + what.job.timeoutMs });
      this.#ask(what.id);
    } else if (what.type === 'drop') {
      this.#dropJob(what.id);
    } else if (what.type === 'end') {
      if (this.#start.cpuPermille === 0) return this.#close();
      this.#take(Input.takeBack, 0, this.#start.origin);
      setTimeout(() => this.#close(), 300); // so that the node it worked for hears of it; nothing runs meanwhile
    }
  }

  #close(): void {
    this.#ending = true;
    clearTimeout(this.#timer);
    this.#spare?.terminate();
    for (const { worker } of this.#leases.values()) worker.terminate();
    for (const socket of this.#sockets.values()) socket.close();
    tell({ type: 'ended' });
    close();
  }
}

let core: Core | null = null;
onmessage = ({ data }: MessageEvent<ToCore>): void => {
  if (data.type === 'load') core = new Core(data);
  else if (data.type !== 'start') core?.take(data);
  else void core?.start(data);
};
