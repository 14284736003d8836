// What the page's worker and the node in it (src/tab/abi.cc) say to each other.

import { decodeFields, encodeFields, type FieldValue, parseDescription } from '../src/schema.js';
import type { Bytes } from '../src/bytes.js';
import type { Cid } from '../src/names.js';

export const Input = { signed: 1, lend: 2, takeBack: 3, open: 4, packet: 5, closed: 6, ran: 7, stopped: 8, request: 9, hold: 10, job: 11, dropJob: 12 } as const;
export const Told = { sign: 1, packet: 2, close: 3, run: 4, stop: 5, stopAll: 6, pace: 7, answer: 8, refusal: 9, say: 10, error: 11, key: 12, job: 13 } as const;

/** A program to be run; src/tab/abi.cc has the same fields. */
export interface Run {
  task: Bytes; lease: bigint; identity: Bytes; module: Bytes; has_start: boolean; needs_fresh_instance: boolean; pages_min: number; args: string[];
  environment: string[]; input: Bytes; files: { path: string; content: Bytes }[]; seed: bigint; fuel_limit: bigint; memory_bytes: bigint;
  output_bytes_max: bigint; wall_ms: bigint; resume: Bytes;
}
/** How it ended. */
export interface Ran {
  task: Bytes; end: number; exit_code: number; comparable: boolean; output: Bytes; message: string; fuel: bigint; cpu_ns: bigint; wall_ns: bigint;
  memory_bytes: bigint; trace: Bytes;
}
/** Ends that no runner reports: the page stopped it, or its worker broke. */
export const END_KILLED = 6, END_CRASHED = 7;

const RUN = parseDescription('{task:bytes32,lease:u64,identity:bytes32,module:bytes,has_start:bool,needs_fresh_instance:bool,pages_min:u32,args:[text],environment:[text],' +
  'input:bytes,files:[{path:text,content:bytes}],seed:u64,fuel_limit:u64,memory_bytes:u64,output_bytes_max:u64,wall_ms:u64,resume:bytes}');
const RAN = parseDescription('{task:bytes32,end:enum0..8,exit_code:i32,comparable:bool,output:bytes,message:text,fuel:u64,cpu_ns:u64,wall_ns:u64,memory_bytes:u64,trace:bytes32}');
const CONSENT = parseDescription('{origin:bytes32,cpu_permille:u32,memory_bytes:u64,seconds:u64,network_kbps:u32,tasks:[text]}');
const ASK = parseDescription('{method:text,params:bytes}');
const JOB = parseDescription('{site:bytes32,program:text,args:[text],input:bytes,priority:enum0..2,verify:u32,timeout_ms:u64}');
const TOLD = parseDescription('{request:u64,stage:enum0..3,ahead:u32,executions:u64,retries:u64,error:u8,message:text,module:?cid,output:bytes,fuel:u64,milliseconds:u64,receipts:[bytes],' +
  'mismatches:[{node:bytes32,owner:bytes32,why:text}]}');

/** What a site is asked to have done (src/tab/abi.cc, AskJob), and what it says of it (src/node/page_messages.h, JobTold). */
export interface Job { program: string; args: string[]; input: Bytes; priority: number; verify: number; timeoutMs: number }
export const JOB_WAITING = 0, JOB_RUNNING = 1, JOB_DONE = 2, JOB_REFUSED = 3;
export interface JobTold {
  request: bigint; stage: number; ahead: number; executions: bigint; retries: bigint; error: number; message: string; module: Cid | null; output: Bytes; fuel: bigint;
  milliseconds: bigint; receipts: Bytes[]; mismatches: { node: Bytes; owner: Bytes; why: string }[];
}
/** By number, as the wire has them (src/base/result.h). */
export const ERRORS = ['', 'invalid', 'non_canonical', 'unsupported', 'unauthorized', 'expired', 'revoked', 'integrity', 'not_found', 'exists', 'limit', 'quota', 'unavailable', 'timeout', 'busy', 'io',
  'cancelled', 'guest', 'inconclusive', 'disagreement', 'internal'];

export const readRun = (bytes: Bytes): Run => decodeFields(bytes, RUN) as unknown as Run;
export const writeRan = (ran: Ran): Bytes => encodeFields(ran as unknown as FieldValue, RAN);
export const writeConsent = (origin: Bytes, cpuPermille: number, memoryBytes: number, seconds: number, networkKbps: number, tasks: string[]): Bytes =>
  encodeFields({ origin, cpu_permille: cpuPermille, memory_bytes: BigInt(memoryBytes), seconds: BigInt(seconds), network_kbps: networkKbps, tasks }, CONSENT);
export const writeAsk = (method: string, params: Bytes): Bytes => encodeFields({ method, params }, ASK);
export const writeJob = (site: Bytes, job: Job): Bytes =>
  encodeFields({ site, program: job.program, args: job.args, input: job.input, priority: job.priority, verify: job.verify, timeout_ms: BigInt(job.timeoutMs) }, JOB);
export const readTold = (bytes: Bytes): JobTold => decodeFields(bytes, TOLD) as unknown as JobTold;

// ---- between the page and its worker

/** `own`: of the owner whose site this is, so that jobs may be asked there. */
export interface Door { url: string; node: Bytes; own: boolean }
/** Where everything lies: it is fetched while the page finds out the rest. */
export interface LoadCore { type: 'load'; module: string; runner: string; runnerModule: string }
export interface StartCore {
  type: 'start'; doors: Door[]; origin: Bytes; cpuPermille: number; memoryBytes: number; networkKbps: number; tasks: string[]; until: number;
  keys: CryptoKeyPair; owner: Bytes;
}
export type ToCore = LoadCore | StartCore | { type: 'share'; permille: number } | { type: 'hold'; rests: boolean } | { type: 'ask'; id: number; method: string; params: Bytes } | { type: 'job'; id: number; job: Job } | { type: 'drop'; id: number } | { type: 'end' };
export type FromCore =
  | { type: 'ready'; node: string; ms: number }
  | { type: 'connected'; doors: number }
  | { type: 'task'; task: string; state: 'started' | 'done' | 'stopped'; outcome?: string; fuel?: bigint; ms?: number }
  | { type: 'answer'; id: number; ok: boolean; text: string }
  | { type: 'job'; id: number; told: JobTold }
  | { type: 'failed'; why: string }
  | { type: 'log'; text: string }
  | { type: 'ended' };
export type ToRunner = { type: 'begin'; module: string } | { type: 'run'; run: Run } | { type: 'pace'; permille: number; burstMs: number };
export type FromRunner = { type: 'ran'; ran: Ran };
