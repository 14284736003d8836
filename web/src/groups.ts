// Order, numbers, sources and crossings: epochs, sequences, quorums, source diversity and bridges between zones.

import { type Bytes, compare, equal, toHex } from './bytes.js';
import type { Diversity, Provenance, SequenceLink, ZonePolicy } from './kinds.js';
import { type Cid, sameCid } from './names.js';
import type { Signed } from './object.js';
import { FLOW_IN, FLOW_OUT, findFlow } from './policy.js';
import { refuse } from './refusal.js';

// ---- epochs and sequences

export function epochOf(unixSeconds: bigint, epochSeconds: number): bigint {
  return unixSeconds / BigInt(epochSeconds);
}

/** How something of epoch `a` stands to something of epoch `b`: within one epoch nothing is ordered. */
export function orderOf(a: bigint, b: bigint): 'before' | 'unordered' | 'after' {
  return a < b ? 'before' : a > b ? 'after' : 'unordered';
}

/** Follows one sequence of one author. A refused link leaves it where it is. */
export class SequenceCursor {
  next = 0n;
  last: Bytes | null = null;
  constructor(readonly zone: Bytes, readonly sequence: Bytes, readonly issuer: Bytes) {}

  take(link: Signed<SequenceLink>): void {
    const { body } = link;
    if (!equal(body.zone, this.zone) || !equal(body.sequence, this.sequence)) refuse('unauthorized', 'the link belongs to another sequence');
    if (!equal(body.issuer, this.issuer)) refuse('unauthorized', "the link is by another author than the sequence's");
    if (body.number < this.next) refuse('exists', `place ${body.number} of the sequence is taken`);
    if (body.number > this.next) refuse('unavailable', `links ${this.next} to ${body.number - 1n} of the sequence are missing`);
    const follows = this.last === null ? body.previous === null : body.previous !== null && equal(body.previous, this.last);
    if (!follows) refuse('integrity', 'the chain is broken: the link follows another one than the last');
    this.last = link.id;
    this.next += 1n;
  }
}

// ---- quorums

export type OperationClass = 'read_only' | 'normal_write' | 'critical_write' | 'unanimous';

/** How many of `n` members, of which `f` lie, must say the same. */
export function quorum(operation: OperationClass, n: number, f: number): number {
  if (n < 1 || n > 1024) refuse('invalid', 'a quorum is of 1 to 1024 members');
  if (3 * f >= n) refuse('invalid', `${n} members do not bear ${f} liars`);
  switch (operation) {
    case 'read_only':
      return 1;
    case 'normal_write':
      return Math.floor((n + f) / 2) + 1;
    case 'critical_write':
      return n - f;
    case 'unanimous':
      return n;
  }
}

/** Distinct members are counted: both lists are sorted and name nobody twice. */
export function checkQuorum(signers: readonly Bytes[], members: readonly Bytes[], needed: number): void {
  if (needed === 0) refuse('invalid', 'a quorum of nobody decides nothing');
  signers.forEach((signer, i) => {
    if (i > 0 && compare(signers[i - 1] as Bytes, signer) >= 0) refuse('non_canonical', 'the signers are not sorted, or one of them is there twice');
    if (!members.some((member) => equal(member, signer))) refuse('unauthorized', 'a signer is not one of those who may decide this');
  });
  if (signers.length < needed) refuse('unavailable', `${signers.length} of the ${needed} signers that are needed agreed so far`);
}

// ---- source diversity

export interface SymbolSource {
  readonly node: Bytes;
  readonly owner: Bytes;
  readonly symbols: bigint;
}

/** Whether symbols come from enough machines and owners, and not too many from one. A machine that is there twice counts once, with all it gave. */
export function checkDiversity(wanted: Diversity, sources: readonly SymbolSource[]): void {
  const byNode = new Map<string, bigint>();
  const giving = sources.filter((source) => source.symbols > 0n);
  for (const { node, symbols } of giving) byNode.set(toHex(node), (byNode.get(toHex(node)) ?? 0n) + symbols);
  const owners = new Set(giving.map((source) => toHex(source.owner)));
  const given = [...byNode.values()];
  const total = given.reduce((sum, symbols) => sum + symbols, 0n);
  const enough = byNode.size >= wanted.nodes_min && owners.size >= wanted.owners_min;
  const spread = given.every((symbols) => symbols * 1000n <= total * BigInt(wanted.node_share_permille_max));
  if (!enough || !spread) refuse('unavailable', 'the symbols come from too few hands');
}

// ---- bridging

/** What `content` carries after it has crossed from one zone into another; `before` is what it carried until now. */
export function cross(
  content: Cid, before: Provenance | null, from: Signed<ZonePolicy>, to: Signed<ZonePolicy>, bridge: Bytes, now: bigint,
): Provenance {
  const [source, target] = [from.body, to.body];
  if (equal(source.zone, target.zone)) refuse('invalid', 'it is in that zone already');
  if (before !== null && (!sameCid(before.content, content) || !equal(before.zone, source.zone))) {
    refuse('invalid', 'the provenance belongs to other content or another zone');
  }
  const taint = before?.taint ?? 0;
  if (taint >= 64) refuse('limit', 'it has crossed too many zones already');
  if (source.expires <= now || target.expires <= now) refuse('expired', 'the policy of one of the zones has expired');
  if (findFlow(source, FLOW_OUT, target.zone, taint) === null) refuse('unauthorized', 'no flow rule lets it leave');
  if (findFlow(target, FLOW_IN, source.zone, taint) === null) refuse('unauthorized', 'no flow rule lets it enter');
  const crossing = { from: source.zone, to: target.zone, at: now, policy_from: from.id, policy_to: to.id };
  return {
    zone: target.zone,
    bridge,
    content,
    origin_zone: before?.origin_zone ?? source.zone,
    crossings: [...(before?.crossings ?? []), crossing],
    taint: taint + 1,
  };
}
