// What somebody may do: a policy's verdict with the rule that spoke, flow rules, and capabilities that are passed on narrower.

import { type Bytes, compare, equal, isZero } from './bytes.js';
import { zoneId } from './ids.js';
import type { Capability, ZonePolicy } from './kinds.js';
import type { Signed } from './object.js';
import { containsAll, firstMatch, matches } from './patterns.js';
import { refuse } from './refusal.js';

export * from './patterns.js';

/** The permission class that an operation belongs to by its name: compute 1, storage 2, ingress 4, attested 8; 0 for all others. */
export function classesOf(operation: string): number {
  if (operation === 'compute.attested') return 8;
  return matches('compute.*', operation) ? 1 : matches('storage.*', operation) ? 2 : matches('ingress.*', operation) ? 4 : 0;
}

export interface Question {
  readonly operation: string;
  /** Bits of the permission classes it belongs to; 0 for operations outside them. */
  readonly classes: number;
  readonly principal: Bytes;
  /** All zero where nobody's machine is used. */
  readonly machineOwner: Bytes;
}

/** `list` and `index` name the rule, `pattern` the pattern in it that hit. */
export interface Verdict {
  readonly allowed: boolean;
  readonly list: string;
  readonly index: number;
  readonly pattern: string | null;
}

/** The first rule that speaks decides; nothing is allowed that no rule allows. */
export function judge(policy: ZonePolicy, question: Question, now: bigint): Verdict {
  const say = (allowed: boolean, list: string, index = 0, pattern: string | null = null): Verdict => ({ allowed, list, index, pattern });
  const hitIn = (patterns: readonly string[]): readonly [number, string] | null => {
    const at = firstMatch(patterns, question.operation);
    return at < 0 ? null : [at, patterns[at] as string];
  };
  if (now / BigInt(policy.epoch_seconds) < policy.effective_epoch) return say(false, 'effective_epoch');
  const denied = hitIn(policy.deny);
  if (denied !== null) return say(false, 'deny', ...denied);
  const allowed = hitIn(policy.allow);
  if (allowed === null) return say(false, 'allow');
  let yes = say(true, 'allow', ...allowed);
  if (!equal(question.principal, policy.owner)) {
    const own = policy.principals.findIndex((rule) => rule.principal !== null && equal(rule.principal, question.principal));
    const index = own >= 0 ? own : policy.principals.findIndex((rule) => rule.principal === null);
    const rule = policy.principals[index];
    if (rule !== undefined) {
      const barred = hitIn(rule.deny);
      if (barred !== null) return say(false, 'principals.deny', index, barred[1]);
      const let_ = hitIn(rule.allow);
      if (let_ === null) return say(false, 'principals.allow', index);
      yes = say(true, 'principals.allow', index, let_[1]);
    }
  }
  if ((question.classes & ~policy.classes) !== 0) return say(false, 'classes');
  const elsewhere = !isZero(question.machineOwner) && !equal(question.machineOwner, policy.owner);
  const listed = policy.executors.length === 0 || policy.executors.some((owner) => equal(owner, question.machineOwner));
  if (elsewhere && !listed) return say(false, 'executors');
  return yes;
}

export const FLOW_OUT = 0;
export const FLOW_IN = 1;

/** The first rule that lets what has crossed `taint` times go to, or come from, `peer`; null when there is none. */
export function findFlow(policy: ZonePolicy, direction: number, peer: Bytes, taint: number): number | null {
  const at = policy.flows.findIndex((rule) => rule.direction === direction && taint <= rule.taint_max && (rule.peer === null || equal(rule.peer, peer)));
  return at < 0 ? null : at;
}

/** Whether `child` is a narrowing of `parent` by the one it was given to. */
export function checkAttenuation(child: Signed<Capability>, parent: Signed<Capability>): void {
  const [inner, outer] = [child.body, parent.body];
  const wider = (how: string): never => refuse('unauthorized', `a capability was passed on wider than it was: ${how}`);
  if (inner.parent === null || !equal(inner.parent, parent.id)) refuse('unauthorized', 'a capability rests on another one than was shown');
  if (!equal(inner.issuer, outer.audience)) refuse('unauthorized', 'a capability was passed on by somebody it was not given to');
  if (!equal(inner.zone, outer.zone) || !equal(inner.origin, outer.origin)) wider('for another zone or origin');
  if (inner.delegations_left >= outer.delegations_left) wider('it may not be passed on that often');
  if (inner.issued < outer.issued || inner.expires > outer.expires) wider('for a longer time');
  if (!containsAll(outer.operations, inner.operations)) wider('for more operations');
  if (outer.whole_zone) return;
  const within = inner.objects.every((object) => outer.objects.some((other) => equal(other, object)));
  if (inner.whole_zone || !within) wider('for more objects');
}

/** Whether it covers the operation, on this object or (null) on none in particular. */
export function covers(capability: Capability, operation: string, object: Bytes | null): boolean {
  if (firstMatch(capability.operations, operation) < 0) return false;
  return capability.whole_zone || object === null || capability.objects.some((listed) => compare(listed, object) === 0);
}

/** Name, trust level and classes of the zones that every new owner has, most trusted first. */
const DEFAULT_ZONES: readonly (readonly [string, number, number])[] = [
  ['owner', 100, 2],
  ['private', 80, 3],
  ['work', 60, 3],
  ['community', 40, 3],
  ['public', 10, 3],
];

/** What such a zone begins with; times and serial are for the caller to fill in. Null for a name that is not one of the five. */
export async function defaultPolicy(owner: Bytes, name: string): Promise<ZonePolicy | null> {
  const found = DEFAULT_ZONES.find(([known]) => known === name);
  if (found === undefined) return null;
  const [, trust_level, classes] = found;
  return {
    zone: await zoneId(owner, name),
    owner,
    name,
    trust_level,
    classes,
    allow: ['**'],
    deny: [],
    executors: [],
    publishers: [],
    issuers: [],
    principals: [],
    flows: trust_level <= 40 ? [{ direction: FLOW_IN, peer: null, taint_max: 255 }] : [],
    distribution: { owners_min: name === 'owner' ? 1 : 2, devices_min: 2, devices_max: 0, repair_permille: 50 },
    diversity: { nodes_min: 1, owners_min: 1, node_share_permille_max: 1000 },
    epoch_seconds: 1,
    capability_seconds_max: 90n * 86_400n,
    revocation_age_seconds_max: 0n,
    audit_quorum: 0,
    effective_epoch: 0n,
    issued: 0n,
    expires: 0n,
    serial: 0n,
  };
}
