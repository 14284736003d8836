// The worker of one sandbox domain: a program, and its runs one after the other.

import { Duty } from '../sdk/duty.js';
import { Calls, run } from '../sdk/run/run.js';
import { type Rewritten, rewrite } from './rewriter.js';

export interface Load { type: 'load'; image: Uint8Array; rewriter: string; runner: string; permille: number; burstMs: number; pages: number }
export type ToDomain = Load | { type: 'run'; id: number; args: string[]; input: Uint8Array } | { type: 'pace'; permille: number; burstMs: number };
export interface Ran {
  type: 'ran'; id: number; end: number; exitCode: number; message: string; output: Uint8Array; outputCID: string; inputCID: string; trace: Uint8Array; cpuNanos: number; comparable: boolean;
}
export type FromDomain = { type: 'loaded' } | { type: 'refused'; why: string } | Ran;

/** What a run of a page's program may use of fuel: about a minute of a processor. Its time is bounded by whoever asks. */
const FUEL = 100_000_000_000n;
const OUTPUT_BYTES_MAX = 16 << 20;

const duty = new Duty({ now: () => performance.now(), sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) });
let program: Rewritten, calls: Calls, pages = 0;
const tell = (what: FromDomain): void => postMessage(what);

async function load(what: Load): Promise<void> {
  pages = what.pages;
  duty.set(what.permille, what.burstMs);
  const [rewriter, runner] = await Promise.all([fetch(what.rewriter), fetch(what.runner)]);
  calls = await Calls.load(runner);
  program = await rewrite(rewriter, what.image);
  tell({ type: 'loaded' });
}

async function carryOut(id: number, args: string[], input: Uint8Array): Promise<void> {
  duty.begin();
  const result = await run(calls, {
    ...program, args, environment: [], input, files: [], seed: 0n, fuelLimit: FUEL, memoryPagesMax: pages, outputBytesMax: OUTPUT_BYTES_MAX, resume: new Uint8Array(),
  }, duty);
  tell({
    type: 'ran', id, end: result.end, exitCode: result.exitCode, message: result.message, output: result.output, outputCID: calls.contentId(result.output),
    inputCID: calls.contentId(input), trace: result.trace, cpuNanos: Math.round(duty.busy * 1e6), comparable: result.comparable,
  });
}

let queue = Promise.resolve();
onmessage = ({ data }: MessageEvent<ToDomain>): void => {
  if (data.type === 'pace') duty.set(data.permille, data.burstMs);
  else if (data.type === 'load') void load(data).catch((error: unknown) => tell({ type: 'refused', why: error instanceof Error ? error.message : String(error) }));
  else queue = queue.then(() => carryOut(data.id, data.args, data.input));
};
