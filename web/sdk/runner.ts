// A worker that runs programs for one lease, one after the other, at the pace it is told. It knows nothing else of the node, and the program nothing of it.

import { Duty } from './duty.js';
import { Calls, run } from './run/run.js';
import { END_CRASHED, type FromRunner, type Ran, type Run, type ToRunner } from './wire.js';

const PAGE_BYTES = 65536n;
const duty = new Duty({ now: () => performance.now(), sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) });

async function carryOut(what: Run): Promise<Ran> {
  duty.begin();
  const started = performance.now();
  const ran: Ran = {
    task: what.task, end: END_CRASHED, exit_code: 0, comparable: false, output: new Uint8Array(), message: '', fuel: 0n, cpu_ns: 0n, wall_ns: 0n,
    memory_bytes: 0n, trace: new Uint8Array(32),
  };
  try {
    const result = await run(await calls, {
      module: what.module, identity: what.identity, hasStart: what.has_start, pagesMin: what.pages_min,
      args: what.args, environment: what.environment, input: what.input, files: what.files, seed: what.seed, fuelLimit: what.fuel_limit,
      memoryPagesMax: Number(what.memory_bytes / PAGE_BYTES), outputBytesMax: Number(what.output_bytes_max), resume: what.resume,
    }, duty);
    Object.assign(ran, {
      end: result.end, exit_code: result.exitCode, comparable: result.comparable, output: result.output, message: result.message, fuel: result.fuel,
      memory_bytes: BigInt(result.memoryBytes), trace: result.trace,
    });
  } catch (error) {
    ran.message = error instanceof Error ? error.message : String(error);
  }
  ran.cpu_ns = BigInt(Math.round(duty.busy * 1e6));
  ran.wall_ns = BigInt(Math.round((performance.now() - started) * 1e6));
  return ran;
}

let calls: Promise<Calls>;
const queue: Run[] = [];
let busy = false;

async function next(): Promise<void> {
  if (busy) return;
  busy = true;
  for (let what = queue.shift(); what !== undefined; what = queue.shift()) {
    const ran = await carryOut(what);
    postMessage({ type: 'ran', ran } satisfies FromRunner);
    await duty.rest(); // where the engine cannot stand still within a program, the share is kept from one to the next
  }
  busy = false;
}

onmessage = ({ data }: MessageEvent<ToRunner>): void => {
  if (data.type === 'pace') return duty.set(data.permille, data.burstMs);
  if (data.type === 'begin') {
    calls = fetch(data.module).then((answer) => Calls.load(answer));
    calls.catch(() => undefined); // the first program says so
    return;
  }
  queue.push(data.run);
  void next();
};
