// What a page believes of a job's result: what the receipts say, which the machines that worked it out signed. It is fetched with the first result, and reads
// objects with web/src, which shares no code with the nodes.

import { type Bytes, equal, toHex } from '../src/bytes.js';
import { cidOf, cidText, keyText, sameCid } from '../src/names.js';
import { openObject } from '../src/object.js';
import type { JobTold } from './wire.js';

/** A machine that gave this result and signed for it. */
export interface Worker { node: string; owner: string; receipt: string; fuel: bigint; ms: number }
export interface Proof { workers: Worker[]; agreements: number; module: string; outputCid: string; trace: string }

const OK = 0;

/** Throws where a receipt is not for this: not in order, for another site, program or output, or not of one mind with the others. */
export async function prove(told: JobTold, site: Bytes): Promise<Proof> {
  if (told.module === null) throw new Error('the site does not say which program it was');
  const output = await cidOf('raw', told.output);
  const workers: Worker[] = [];
  const owners = new Set<string>();
  let trace: Bytes | null = null;
  for (const bytes of told.receipts) {
    const { body, id } = await openObject('Receipt', bytes);
    const wrong = !equal(body.origin, site) ? 'another site' : !sameCid(body.module, told.module) ? 'another program' : body.outcome !== OK ? 'a run that failed'
      : body.output === null || !sameCid(body.output, output) ? 'another output' : trace !== null && !equal(trace, body.trace) ? 'another course of the program' : '';
    if (wrong !== '') throw new Error(`a receipt is for ${wrong}: the site's node does not tell the truth`);
    trace = body.trace;
    const node = keyText(body.executor);
    if (workers.some((each) => each.node === node)) continue;
    owners.add(toHex(body.owner));
    workers.push({ node, owner: keyText(body.owner), receipt: toHex(id), fuel: body.fuel + body.fuel_before, ms: Number(body.finished_ms - body.started_ms) });
  }
  if (trace === null) throw new Error('there is no receipt with the result');
  return { workers, agreements: owners.size, module: cidText(told.module), outputCid: cidText(output), trace: toHex(trace) };
}
