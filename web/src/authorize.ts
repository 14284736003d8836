// A whole decision, from the same evidence as the node's own authorize() and by the steps of docs/spec/objects.md, "Judging a use".
//
// It exists to be held against the published decisions: two programs that share no code and agree on who may do what. A node never asks it.

import { type Bytes, compare, equal, isZero } from './bytes.js';
import { checkQuorum } from './groups.js';
import type * as k from './kinds.js';
import { sameCid } from './names.js';
import { type Signed, unsignedId } from './object.js';
import { checkAttenuation, containsAll, covers, isOperation, judge } from './policy.js';
import { type Code, Refusal, refuse } from './refusal.js';
import { type RevocationSet, Target } from './revocations.js';

const COMPUTE = 1;
const STORAGE = 2;
const INGRESS = 4;
const ATTESTED = 8;
const READ = 1;
const STORE = 2;
const DELETE = 4;
const CLOCK_SKEW = 300n;

export interface Use {
  readonly machine_owner: Bytes;
  readonly machine: Bytes;
  readonly classes: number;
  readonly verbs: number;
  readonly operations: readonly string[];
  readonly origin: Bytes;
  readonly actor: Bytes;
  readonly zone: Bytes;
  readonly objects: readonly Bytes[];
  readonly task: Bytes | null;
  readonly cpu_permille: number;
  readonly memory_bytes: bigint;
  readonly storage_bytes: bigint;
  readonly battery_percent: number;
  readonly charging: boolean;
}

export interface Evidence {
  readonly machine_record: Signed<k.NodeRecord> | null;
  readonly origin_record: Signed<k.NodeRecord> | null;
  readonly actor_record: Signed<k.NodeRecord> | null;
  readonly grant: Signed<k.Grant> | null;
  readonly policy: Signed<k.ZonePolicy> | null;
  /** The one that the actor holds first, the root last. */
  readonly capabilities: readonly Signed<k.Capability>[];
  readonly endorsements: readonly Signed<k.Endorsement>[];
  readonly offer: Signed<k.TaskOffer> | null;
  readonly manifest: Signed<k.Manifest> | null;
  readonly revocations: RevocationSet;
  readonly revocation_head: Signed<k.RevocationHead> | null;
  readonly policy_serial_min: bigint;
}

export interface Authorization {
  /** The ids of every object that the decision rests on. */
  readonly chain: readonly Bytes[];
  readonly expires: bigint;
}

/** A Refusal that says which step it came from. */
export class Denied extends Refusal {
  readonly step: string;
  constructor(step: string, reason: Refusal) {
    super(reason.code, reason.message);
    this.step = step;
  }
}

interface Timed {
  readonly issued: bigint;
  readonly expires: bigint;
}

class Judge {
  readonly #chain: Bytes[] = [];
  #expires = (1n << 64n) - 1n;
  #principal: Bytes;

  constructor(readonly use: Use, readonly evidence: Evidence, readonly now: bigint) {
    this.#principal = use.actor;
  }

  async decide(): Promise<Authorization> {
    const steps: readonly (readonly [string, () => void | Promise<void>])[] = [
      ['the question is complete', () => this.#question()],
      ["the machine is its owner's", () => this.#machine()],
      ["the machine's owner granted it", () => this.#grant()],
      ['the node that asks is in good standing', () => this.#actor()],
      ["the zone's policy allows it", () => this.#policy()],
      ['what is known of revocations is fresh enough', () => this.#freshness()],
      ['there is an offer for the task', () => this.#offer()],
      ['the bundle is what was pinned and asks for no more than it may', () => this.#bundle()],
      ['the node that asks acts for the origin, or by its leave', () => this.#leave()],
      ['nothing it names was revoked', () => this.#revokedObjects()],
      ['the grant covers the amounts', () => this.#amounts()],
      ["the machine's power allows it", () => this.#power()],
    ];
    for (const [name, check] of steps) {
      try {
        await check();
      } catch (error) {
        throw error instanceof Refusal ? new Denied(name, error) : error;
      }
    }
    return { chain: this.#chain, expires: this.#expires };
  }

  // ---- what every step rests on

  #require(good: boolean, message: string, code: Code = 'unauthorized'): asserts good {
    if (!good) refuse(code, message);
  }

  get #computes(): boolean {
    return (this.use.classes & (COMPUTE | ATTESTED)) !== 0;
  }

  /** The operations that classes and verbs stand for, then the named ones. */
  #operations(): (readonly [string, number])[] {
    const { classes, verbs, operations } = this.use;
    const out: (readonly [string, number])[] = [];
    if (classes & COMPUTE) out.push(['compute.run', COMPUTE]);
    if (classes & ATTESTED) out.push(['compute.attested', ATTESTED]);
    if (classes & INGRESS) out.push(['ingress.serve', INGRESS]);
    if (classes & STORAGE) {
      if (verbs & READ) out.push(['storage.read', STORAGE]);
      if (verbs & STORE) out.push(['storage.store', STORAGE]);
      if (verbs & DELETE) out.push(['storage.delete', STORAGE]);
    }
    return out.concat(operations.map((operation) => [operation, 0] as const));
  }

  /** The word of the machine's owner, of the origin, of the machine, and of whoever it is about. */
  #revoked(kind: number, target: Bytes, also: Bytes): boolean {
    const { machine_owner, origin, machine } = this.use;
    return [machine_owner, origin, machine, also].some((issuer) => this.evidence.revocations.revokedBy(issuer, kind, target, this.now));
  }

  #keyStands(key: Bytes, what: string): void {
    for (const kind of [Target.key, Target.principal, Target.device]) {
      this.#require(!this.#revoked(kind, key, key), `${what} was revoked`, 'revoked');
    }
  }

  /** Begun, not expired, neither it nor its signer revoked: then it is part of the chain. */
  #allow<T extends Timed>(object: Signed<T>, what: string): void {
    this.#require(object.body.issued <= this.now + CLOCK_SKEW, `${what} is not valid yet`);
    this.#require(this.now < object.body.expires, `${what} has expired`, 'expired');
    for (const kind of [Target.capability, Target.object]) {
      this.#require(!this.#revoked(kind, object.id, object.signer), `${what} was revoked`, 'revoked');
    }
    this.#keyStands(object.signer, what);
    this.#restOn(object.id, object.body.expires);
  }

  #restOn(id: Bytes, expires: bigint): void {
    if (!this.#chain.some((known) => equal(known, id))) this.#chain.push(id);
    if (expires < this.#expires) this.#expires = expires;
  }

  #isOriginNode(key: Bytes): boolean {
    const record = this.evidence.origin_record;
    return equal(key, this.use.origin) || (record !== null && equal(record.body.owner, this.use.origin) && equal(record.body.node, key));
  }

  #speaksForOrigin(key: Bytes, what: string): void {
    this.#keyStands(key, what);
    if (equal(key, this.use.origin)) return;
    const record = this.evidence.origin_record;
    this.#require(record !== null && this.#isOriginNode(key), `${what} is not known to be one of the origin's nodes`);
    this.#allow(record, "the origin's record of its node");
  }

  // ---- the steps

  #question(): void {
    const { use } = this;
    const complete = use.classes > 0 && use.classes <= 15 && ![use.machine_owner, use.machine, use.origin, use.actor].some(isZero);
    this.#require(complete, 'the question is incomplete', 'invalid');
    this.#require(use.objects.length <= 4096 && use.operations.length <= 16, 'the use names too much', 'limit');
    this.#require(use.operations.every(isOperation), 'the use names an operation that is none', 'invalid');
    if (use.classes & STORAGE) this.#require(use.verbs > 0 && use.verbs <= 7 && use.objects.length > 0, 'storage of what?', 'invalid');
    this.#require(!this.#computes || use.task !== null, 'a use of computing names its task', 'invalid');
  }

  #machine(): void {
    const record = this.evidence.machine_record;
    this.#require(record !== null, 'this machine has no record from its owner');
    this.#require(equal(record.body.owner, this.use.machine_owner), 'the record is not from its owner');
    this.#require(equal(record.body.node, this.use.machine), 'the record is for another node');
    this.#keyStands(this.use.machine, 'the machine');
    this.#allow(record, "the machine's record");
  }

  #grant(): void {
    const { grant } = this.evidence;
    if (grant === null && equal(this.use.machine_owner, this.use.origin)) return this.#keyStands(this.use.origin, 'the origin');
    this.#require(grant !== null, "the machine's owner has granted this origin nothing");
    this.#require(equal(grant.body.owner, this.use.machine_owner), "the grant is not from this machine's owner");
    this.#require(equal(grant.body.node, this.use.machine), 'the grant is for another machine');
    this.#require(equal(grant.body.origin, this.use.origin), 'the grant is for another origin');
    this.#require((this.use.classes & ~grant.body.classes) === 0, 'the grant does not cover this sort of use');
    this.#allow(grant, 'the grant');
  }

  #actor(): void {
    const { actor, origin } = this.use;
    this.#keyStands(actor, 'the node that asks');
    if (this.#isOriginNode(actor)) {
      this.#principal = origin;
      return;
    }
    const record = this.evidence.actor_record;
    if (record === null) return;
    this.#require(equal(record.body.node, actor), 'the record is not that of the node that asks');
    this.#allow(record, 'the record of the node that asks');
    this.#principal = record.body.owner;
    this.#keyStands(this.#principal, 'the owner of the node that asks');
  }

  #shownPolicy(): Signed<k.ZonePolicy> {
    const { policy } = this.evidence;
    this.#require(policy !== null, "the zone has no policy from the data's owner here");
    return policy;
  }

  #policyAllows(operation: string, classes: number): void {
    const verdict = judge(this.#shownPolicy().body, { operation, classes, principal: this.#principal, machineOwner: this.use.machine_owner }, this.now);
    this.#require(verdict.allowed, `the data's owner does not allow ${operation} in this zone (${verdict.list})`);
  }

  #policy(): void {
    const policy = this.#shownPolicy();
    this.#require(equal(policy.body.zone, this.use.zone), 'the policy is for another zone');
    this.#require(equal(policy.body.owner, this.use.origin), 'the zone belongs to another owner than the origin that asks');
    this.#require(policy.body.serial >= this.evidence.policy_serial_min, 'the policy was replaced by a newer one');
    for (const [operation, classes] of this.#operations()) this.#policyAllows(operation, classes);
    this.#allow(policy, "the zone's policy");
  }

  async #freshness(): Promise<void> {
    const ageMax = this.#shownPolicy().body.revocation_age_seconds_max;
    if (ageMax === 0n) return;
    const head = this.evidence.revocation_head;
    this.#require(head !== null, 'there is no statement about revocations', 'unavailable');
    this.#require(equal(head.body.owner, this.use.origin), "the statement is about another owner's revocations");
    this.#speaksForOrigin(head.body.issuer, 'the issuer of the statement about revocations');
    this.#require(head.body.as_of <= this.now + CLOCK_SKEW, 'the statement about revocations is from the future');
    this.#require(head.body.as_of + ageMax > this.now, 'the statement about revocations is too old', 'unavailable');
    const known = await this.evidence.revocations.rootOf(this.use.origin, head.body.as_of);
    this.#require(known.count === head.body.count && equal(known.root, head.body.root), 'revocations are missing here', 'unavailable');
    this.#restOn(head.id, head.body.as_of + ageMax);
  }

  #offer(): void {
    if (!this.#computes) return;
    const { offer, grant } = this.evidence;
    this.#require(offer !== null, 'there is no offer for this task');
    const { body } = offer;
    this.#require(equal(body.task, this.use.task as Bytes), 'the offer is for another task');
    this.#require(equal(body.executor, this.use.machine), 'the offer was made to another machine');
    this.#require(equal(body.grant, grant?.id ?? new Uint8Array(32)), 'the offer rests on another grant');
    this.#require(equal(body.spec.origin, this.use.origin), 'the task is for another origin');
    this.#require(equal(body.zone, this.use.zone), 'the offer is for another zone');
    this.#require(equal(body.issuer, this.use.actor), 'the offer is from another node than the one that presents it');
    const inZone = body.blobs.every((blob) => blob.groups.every((group) => equal(group.zone, this.use.zone)));
    this.#require(inZone, 'the offer names data of another zone');
    this.#require(grant === null || body.spec.memory_bytes <= grant.body.memory_bytes, 'the task may use more memory than the grant covers', 'quota');
    this.#speaksForOrigin(body.issuer, 'the issuer of the offer');
    this.#allow(offer, 'the offer');
  }

  #bundle(): void {
    const spec = this.evidence.offer?.body.spec;
    if (!this.#computes || spec === undefined || spec.bundle === null) return;
    const { manifest, grant } = this.evidence;
    const policy = this.#shownPolicy().body;
    this.#require(manifest !== null, 'the task names a bundle whose manifest was not shown');
    this.#require(equal(manifest.id, spec.bundle), 'the manifest that was shown is that of another bundle');
    const { body } = manifest;
    this.#require(equal(body.origin, this.use.origin), 'the bundle was published for another origin');
    const trusted = equal(body.publisher, this.use.origin) || policy.publishers.some((publisher) => equal(publisher, body.publisher));
    this.#require(trusted, "the bundle's publisher is not trusted in this zone");
    const entry = body.entries.find((candidate) => candidate.operation.name === spec.entry);
    this.#require(entry !== undefined, `the bundle has no entry ${spec.entry}`);
    this.#require(entry.domain === 0, 'the entry is a service');
    this.#require(entry.operation.safety !== 3, 'the entry is not to be called from outside its bundle');
    const module = body.modules.find((candidate) => candidate.path === entry.module) as k.BundleFile;
    this.#require(sameCid(module.cid, spec.module), 'the module is not the one that the bundle pins', 'integrity');
    this.#require(body.verifiability !== 3, 'the bundle asks for proofs', 'unsupported');
    this.#require((body.needs.classes & ~policy.classes) === 0, "the bundle asks for permissions that the zone's policy does not allow");
    this.#require(spec.memory_bytes <= body.needs.memory_bytes, 'the task may use more memory than its bundle asks for', 'quota');
    if (grant !== null) {
      const [needs, given] = [body.needs, grant.body];
      this.#require((needs.classes & ~given.classes) === 0, 'the bundle asks for permissions that the grant does not cover');
      const fits = needs.memory_bytes <= given.memory_bytes && needs.cpu_permille <= given.cpu_permille && needs.storage_bytes <= given.storage_bytes;
      this.#require(fits, 'the bundle asks for more than the grant covers', 'quota');
    }
    this.#policyAllows(`bundle.${body.name}.${spec.entry}`, 0);
    this.#allow(manifest, "the bundle's manifest");
  }

  #leave(): void {
    if (this.use.classes & INGRESS) return this.#speaksForOrigin(this.use.actor, 'the node that asks');
    if (!(this.use.classes & STORAGE)) return;
    if (this.#isOriginNode(this.use.actor)) return this.#speaksForOrigin(this.use.actor, 'the node that asks');
    this.#capabilities();
  }

  #capabilities(): void {
    const chain = this.evidence.capabilities;
    const held = chain[0];
    this.#require(held !== undefined, 'the node that asks has no capability');
    this.#require(chain.length <= 9, 'a capability was passed on more than 8 times', 'limit');
    this.#require(equal(held.body.origin, this.use.origin), 'the capability is from another origin');
    this.#require(equal(held.body.zone, this.use.zone), 'the capability is for another zone');
    const mine = equal(held.body.audience, this.use.actor) || equal(held.body.audience, this.#principal);
    this.#require(mine, 'the capability was given to another node');
    for (const [operation] of this.#operations()) {
      for (const object of [null, ...this.use.objects]) this.#require(covers(held.body, operation, object), `the capability does not cover ${operation}`);
    }
    const ttlMax = this.#shownPolicy().body.capability_seconds_max;
    chain.forEach((capability, i) => {
      const parent = chain[i + 1];
      if (parent !== undefined) checkAttenuation(capability, parent);
      else this.#require(capability.body.parent === null, 'what the capability was passed on from is not shown');
      this.#require(capability.body.expires - capability.body.issued <= ttlMax, 'the capability lives longer than the policy allows');
      this.#allow(capability, 'the capability');
    });
    this.#rootIssuer(chain[chain.length - 1] as Signed<k.Capability>);
  }

  #rootIssuer(root: Signed<k.Capability>): void {
    const sets = this.#shownPolicy().body.issuers;
    if (sets.length === 0 || equal(root.signer, this.use.origin)) return this.#speaksForOrigin(root.signer, 'the issuer of the capability');
    let refused = new Refusal('unauthorized', "the issuer of the capability is in no issuer set of the zone's policy");
    for (const set of sets.filter(({ issuers }) => issuers.some((issuer) => equal(issuer, root.signer)))) {
      try {
        return this.#issuerSet(set, root);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        refused = error;
      }
    }
    throw refused;
  }

  #issuerSet(set: k.IssuerSet, root: Signed<k.Capability>): void {
    this.#require(containsAll(set.operations, root.body.operations), `the issuers ${set.name} may not give this`);
    const endorsing = this.evidence.endorsements.filter(
      ({ body, signer }) => equal(body.object, root.id) && set.issuers.some((issuer) => equal(issuer, signer)),
    );
    for (const endorsement of endorsing) this.#allow(endorsement, 'an endorsement');
    const signers = [root.signer, ...endorsing.map(({ signer }) => signer)].sort(compare);
    checkQuorum(signers.filter((signer, i) => i === 0 || !equal(signers[i - 1] as Bytes, signer)), set.issuers, set.threshold);
  }

  async #revokedObjects(): Promise<void> {
    if (this.use.classes === STORAGE && this.use.verbs === DELETE) return; // what is revoked may always be removed
    const named = [...this.use.objects];
    const offer = this.#computes ? this.evidence.offer : null;
    if (offer !== null) {
      const { module_object, inputs } = offer.body.spec;
      named.push(...[module_object, ...inputs.map((input) => input.object)].filter((object) => object !== null));
      for (const blob of offer.body.blobs) {
        for (const group of blob.groups) named.push(await unsignedId('BlockGroup', group));
      }
    }
    for (const object of named) this.#require(!this.#revoked(Target.object, object, this.use.origin), 'an object was revoked', 'revoked');
  }

  #amounts(): void {
    const grant = this.evidence.grant?.body;
    if (grant === undefined) return;
    const { cpu_permille, memory_bytes, storage_bytes } = this.use;
    const fits = cpu_permille <= grant.cpu_permille && memory_bytes <= grant.memory_bytes && storage_bytes <= grant.storage_bytes;
    this.#require(fits, 'the grant covers less than this needs', 'quota');
  }

  #power(): void {
    const conditions = this.evidence.grant?.body.conditions;
    if (conditions === undefined || !this.#computes || this.use.charging) return;
    const enough = !conditions.only_while_charging && this.use.battery_percent >= conditions.battery_percent_min;
    this.#require(enough, "the machine's power does not allow it", 'unavailable');
  }
}

/** Throws Denied with the step that refused. */
export function authorize(use: Use, evidence: Evidence, now: bigint): Promise<Authorization> {
  return new Judge(use, evidence, now).decide();
}
