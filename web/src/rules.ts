// What each kind refuses by itself, without looking at anything else: docs/spec/objects.md, "Kinds".

import { compare, equal, isZero, utf8 } from './bytes.js';
import { sha256 } from './crypto.js';
import type * as k from './kinds.js';
import { zoneId } from './ids.js';
import { keyText } from './names.js';
import { isOperation, isPattern } from './patterns.js';
import { type Code, refuse } from './refusal.js';

export const DAY = 86_400n;
const LIFETIME = 90n * DAY;
const CLASSES_ALL = 15;

function require(good: boolean, code: Code, message: string): void {
  if (!good) refuse(code, message);
}

function lifetime(issued: bigint, expires: bigint, longest: bigint): void {
  require(expires > issued, 'invalid', 'it expires before it begins');
  require(expires - issued <= longest, 'invalid', `it lives at most ${longest} seconds`);
}

function named(...keys: readonly Uint8Array[]): void {
  require(!keys.some(isZero), 'invalid', 'it leaves out a key that it must name');
}

function classes(bits: number): void {
  require(bits !== 0, 'invalid', 'it allows nothing');
  require(bits <= CLASSES_ALL, 'unsupported', 'it names a class that is not known here');
}

function text(value: string, bytesMax: number): void {
  require(utf8(value).length <= bytesMax, 'limit', `a text is longer than ${bytesMax} bytes`);
}

function atMost(count: number, limit: number): void {
  require(count <= limit, 'limit', `there are more than ${limit} of one sort`);
}

function sorted<T>(items: readonly T[], order: (a: T, b: T) => number): void {
  const increasing = items.every((item, i) => i === 0 || order(items[i - 1] as T, item) < 0);
  require(increasing, 'non_canonical', 'a list is not sorted, or repeats itself');
}

function keys(list: readonly Uint8Array[], limit: number): void {
  atMost(list.length, limit);
  sorted(list, compare);
}

const byUtf8 = (a: string, b: string): number => compare(utf8(a), utf8(b));

function patterns(list: readonly string[]): void {
  atMost(list.length, 64);
  list.forEach((pattern, i) => {
    require(isPattern(pattern), 'invalid', `"${pattern}" is not a pattern of operations`);
    if (i > 0) sorted(list.slice(i - 1, i + 1), byUtf8);
  });
}

function issuerSet(set: k.IssuerSet): void {
  text(set.name, 255);
  keys(set.issuers, 1024);
  patterns(set.operations);
  require(set.threshold > 0 && set.threshold <= set.issuers.length, 'invalid', 'an issuer set asks for at least one signer and no more than it has');
}

async function zonePolicy(p: k.ZonePolicy): Promise<void> {
  p.issuers.forEach(issuerSet);
  named(p.owner);
  text(p.name, 255);
  require(equal(p.zone, await zoneId(p.owner, p.name)), 'unauthorized', "it speaks for a zone that is not its owner's");
  classes(p.classes);
  patterns(p.allow);
  patterns(p.deny);
  keys(p.executors, 1024);
  keys(p.publishers, 64);
  atMost(p.issuers.length, 64);
  atMost(p.principals.length, 256);
  atMost(p.flows.length, 256);
  for (const rule of p.principals) [rule.allow, rule.deny].forEach(patterns);
  const principals = p.principals.map((rule) => rule.principal ?? new Uint8Array()).sort(compare);
  require(principals.every((key, i) => i === 0 || !equal(principals[i - 1] as Uint8Array, key)), 'invalid', 'two rules for one principal');
  require(p.trust_level <= 100, 'invalid', 'a trust level is 0 to 100');
  const { owners_min, devices_min, devices_max } = p.distribution;
  require(owners_min > 0 && devices_min > 0, 'invalid', 'the least number of owners and devices is 1');
  require(devices_max === 0 || devices_max >= devices_min, 'invalid', 'it asks for more devices than it allows');
  const share = p.diversity.node_share_permille_max;
  require(p.diversity.nodes_min > 0 && p.diversity.owners_min > 0 && share > 0 && share <= 1000, 'invalid', 'it asks for sources that cannot be');
  require(p.epoch_seconds > 0 && p.epoch_seconds <= 86_400, 'invalid', 'an epoch lasts from one second to one day');
  require(p.capability_seconds_max > 0n && p.capability_seconds_max <= LIFETIME, 'invalid', 'capabilities live from one second to 90 days');
  lifetime(p.issued, p.expires, LIFETIME);
}

function capability(c: k.Capability): void {
  named(c.origin, c.issuer, c.audience);
  require(c.operations.length > 0, 'invalid', 'it allows nothing');
  patterns(c.operations);
  keys(c.objects, 4096);
  require(c.whole_zone === (c.objects.length === 0), 'invalid', 'it lists its objects, or says that it is for the whole zone: one of the two');
  require(c.delegations_left <= 8, 'limit', 'it is passed on at most 8 times');
  lifetime(c.issued, c.expires, LIFETIME);
}

function zoneKeyEpoch(e: k.ZoneKeyEpoch): void {
  named(e.owner);
  require(e.epoch > 0n, 'invalid', 'zone key epochs are counted from 1');
  atMost(e.devices.length, 1024);
  e.devices.forEach((device, i) => {
    if (i > 0) sorted([e.devices[i - 1]?.node as Uint8Array, device.node], compare);
    require(device.sealed.length <= 512, 'limit', 'a sealed zone key is too large');
  });
  text(e.reason, 255);
}

function bundleFiles(files: readonly k.BundleFile[], limit: number): void {
  atMost(files.length, limit);
  files.forEach(({ path }, i) => {
    text(path, 255);
    const inner = path !== '' && !/[\\\0]/.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
    require(inner, 'invalid', `the path "${path}" leads out of the bundle, or is none`);
    if (i > 0) sorted([files[i - 1]?.path as string, path], byUtf8);
  });
}

function manifest(m: k.Manifest): void {
  named(m.origin, m.publisher);
  text(m.name, 255);
  text(m.version, 255);
  require(isOperation(m.name), 'invalid', 'the name of a bundle is words of a-z, 0-9, _ and - joined by dots');
  bundleFiles(m.modules, 256);
  bundleFiles(m.assets, 16_384);
  require(m.modules.length > 0, 'invalid', 'a bundle without a module runs nothing');
  require(m.entries.length > 0 && m.entries.length <= 256 && m.ports.length <= 64, 'invalid', 'a bundle has entries, and not too many of them');
  m.entries.forEach((entry, i) => {
    const { name } = entry.operation;
    require(isOperation(name), 'invalid', `"${name}" is no name of an operation`);
    require(m.entries.findIndex((other) => other.operation.name === name) === i, 'invalid', `two entries are called ${name}`);
    require(m.modules.some((module) => module.path === entry.module), 'invalid', `the entry ${name} names a module that is not there`);
    atMost(entry.args.length, 256);
    entry.args.forEach((arg) => text(arg, 4096));
  });
  m.ports.forEach((port) => [port.name, port.protocol].forEach((word) => text(word, 255)));
  classes(m.needs.classes);
  require(m.ports.length === 0 || (m.needs.classes & 4) !== 0, 'invalid', 'a bundle with ports asks for the class ingress');
  require(m.redundancy >= 1 && m.redundancy <= 31, 'invalid', "a bundle's results are checked by 1 to 31 machines");
  const attestation = m.attestation;
  require(attestation === null || (utf8(attestation.format).length <= 255 && attestation.statement.length <= 512 * 1024), 'limit', 'the attestation is too large');
  lifetime(m.issued, m.expires, 7n * 365n * DAY);
}

function provenance(p: k.Provenance): void {
  named(p.bridge);
  require(p.crossings.length >= 1 && p.crossings.length <= 64, 'invalid', 'it tells of 1 to 64 crossings');
  require(p.taint === p.crossings.length, 'invalid', 'it counts other crossings than it tells of');
  let at = p.origin_zone;
  for (const { from, to } of p.crossings) {
    require(equal(from, at) && !equal(from, to), 'integrity', 'its crossings do not join');
    at = to;
  }
  require(equal(at, p.zone), 'integrity', 'it ends in another zone than it is shown in');
}

function taskEnvironment(environment: readonly string[]): void {
  atMost(environment.length, 64);
  environment.forEach((variable) => text(variable, 4096));
  const names = environment.map((variable) => {
    require(variable.indexOf('=') > 0, 'invalid', 'an environment variable is not NAME=value');
    return utf8(variable.slice(0, variable.indexOf('=')));
  });
  sorted(names, compare);
}

function taskPath(path: string): void {
  require(utf8(path).length <= 155, 'limit', 'a path is longer than 155 bytes');
  require(!/[\u0000-\u001f\u007f]/.test(path), 'invalid', 'a path holds a control character');
  for (const name of path.split('/')) {
    require(!['', '.', '..'].includes(name), 'invalid', 'a path is absolute, or has a component that is empty, . or ..');
    require(utf8(name).length <= 99, 'limit', 'a name is longer than 99 bytes');
  }
}

function taskFiles(inputs: k.TaskSpec['inputs']): void {
  const paths = inputs.filter(({ path }) => path !== '').map(({ path }) => path.replace(/\/$/, ''));
  paths.forEach((path) => path === '' || taskPath(path));
  require(new Set(paths).size === paths.length, 'invalid', 'two inputs are to be found at one place');
  atMost(paths.length, 256);
}

function taskSpec(s: k.TaskSpec): void {
  named(s.origin);
  atMost(s.args.length, 256);
  atMost(s.inputs.length, 4096);
  s.args.forEach((arg) => text(arg, 4096));
  taskEnvironment(s.environment);
  taskFiles(s.inputs);
  require(s.fuel_limit > 0n && s.memory_bytes > 0n, 'invalid', 'a task says how much fuel and memory it may use');
  text(s.entry, 255);
  require((s.bundle === null) === (s.entry === ''), 'invalid', 'a task names an entry exactly when it names a bundle');
}

function blockGroup(g: k.BlockGroup): void {
  require(g.epoch > 0n, 'invalid', 'it names the zone key epoch it is sealed under, counted from 1');
  if (g.whole) {
    require(g.symbol_bytes === 0 && g.source_blocks === 0, 'invalid', 'what travels whole has no symbols');
    return;
  }
  require(g.symbol_bytes > 0 && g.source_blocks > 0 && g.object_bytes > 0n, 'invalid', 'it has symbols of some size, in blocks');
  require(g.source_blocks <= 256, 'limit', 'it has at most 256 source blocks');
}

function blobRef(b: k.BlobRef): void {
  atMost(b.groups.length, 4096);
  b.groups.forEach(blockGroup);
  const total = b.groups.reduce((sum, group) => sum + group.object_bytes, 0n);
  require(b.groups.length === 0 || total === b.size, 'invalid', 'the pieces of a blob do not add up to its size');
}

function taskOffer(o: k.TaskOffer): void {
  taskSpec(o.spec);
  named(o.issuer, o.executor);
  require(!isZero(o.task), 'invalid', 'it leaves out the task id');
  for (const part of [o.sealed_keys, o.capability, o.manifest]) require(part.length <= 512 * 1024, 'limit', 'a part of it is too large');
  require((o.spec.bundle === null) === (o.manifest.length === 0), 'invalid', 'it carries a manifest exactly when its task names a bundle');
  atMost(o.blobs.length, 4097);
  o.blobs.forEach(blobRef);
  atMost(o.holders.length, 64);
  for (const holder of o.holders) {
    named(holder.node);
    atMost(holder.addresses.length, 16);
    holder.addresses.forEach((address) => text(address, 255));
  }
  lifetime(o.issued, o.expires, DAY);
}

function outcome(body: { outcome: number; output: unknown }): void {
  require((body.outcome === 0) === (body.output !== null), 'invalid', 'an output is named exactly when the outcome is ok');
}

// ---- shared secrets (src/object/secret.h)

/** A line that people read: no control characters, so that it cannot forge a line of a log. */
function words(value: string, bytesMax: number): void {
  text(value, bytesMax);
  require(!/[\x00-\x1f\x7f]/.test(value), 'invalid', 'a text holds control characters');
}

function threshold(needed: number, holders: number): void {
  atMost(holders, 64);
  require(needed >= 2 && needed <= holders, 'invalid', 'it takes between 2 and all of the shares');
}

function distinctNodes(list: readonly { node: Uint8Array }[]): void {
  const nodes = list.map(({ node }) => node).sort(compare);
  require(nodes.every((node, i) => i === 0 || !equal(nodes[i - 1] as Uint8Array, node)), 'invalid', 'one node is there twice');
}

async function secretManifest(m: k.SecretManifest): Promise<void> {
  named(m.owner, m.secret);
  require(m.name !== '', 'invalid', 'a secret has a name');
  words(m.name, 255);
  threshold(m.threshold, m.holders.length);
  require(m.generation > 0n, 'invalid', 'generations are counted from 1');
  for (const holder of m.holders) {
    named(holder.node, holder.owner);
    atMost(holder.addresses.length, 16);
    holder.addresses.forEach((address) => words(address, 255));
  }
  distinctNodes(m.holders);
  const SHAMIR = 1;
  require(m.commitments.length === (m.scheme === SHAMIR ? m.holders.length : m.threshold), 'invalid', 'it has another number of commitments');
  require(m.sealed.length >= 16 && m.sealed.length <= 64 * 1024 + 16, 'limit', 'a secret is at most 64 KiB');
  require(equal(await sha256(m.sealed), m.sealed_digest), 'integrity', 'the sealed secret is not the one it names');
  lifetime(m.issued, m.expires, 7n * 365n * DAY);
}

function sealedShare(sealed: Uint8Array): void {
  require(sealed.length >= 65 && sealed.length <= 256, 'invalid', 'a sealed share has no possible size');
}

function coefficients(commitments: readonly Uint8Array[]): void {
  require(commitments.length >= 2 && commitments.length <= 64, 'invalid', 'a dealing has as many commitments as its threshold');
}

function secretShare(s: k.SecretShare): void {
  named(s.owner, s.holder, s.secret, s.manifest);
  require(s.generation > 0n && s.number > 0 && s.number <= 64, 'invalid', 'generations and shares are counted from 1');
  const { which, value } = s.delivery;
  if (which < 2) {
    const share = value as k.DealtShare | k.RefreshShare;
    if ('commitments' in share) coefficients(share.commitments);
    sealedShare(share.sealed);
  } else {
    const { old_manifest, pieces } = value as k.ReshareShare;
    require(old_manifest.length <= 512 * 1024, 'limit', 'the old manifest is too large');
    require(pieces.length >= 2 && pieces.length <= 64, 'invalid', 'a reshared share has a piece of each dealer');
    for (const piece of pieces) {
      coefficients(piece.commitments);
      sealedShare(piece.sealed);
    }
  }
  lifetime(s.issued, s.expires, 7n * 365n * DAY);
}

// ---- identity tokens (docs/spec/identity.md)

const ATTESTATION_FORMATS = ['none', 'tpm2-key', 'tpm2-quote'] as const;

function identityToken(t: k.IdentityToken): void {
  named(t.origin, t.node_id);
  const { format, data } = t.attestation;
  require(data.length <= 4096, 'limit', 'the attestation is too large');
  require(format === ATTESTATION_FORMATS[t.tier], 'unsupported', 'its tier has an attestation of another format');
  require((data.length === 0) === (t.tier === 0), 'invalid', 'there is attestation data exactly when its tier is a hardware tier');
  require(t.purpose !== '', 'invalid', 'it does not say what for');
  words(t.purpose, 64);
  require(t.issued % 60n === 0n && t.expires % 60n === 0n, 'invalid', 'its times are whole minutes');
  lifetime(t.issued, t.expires, 3600n);
}

// ---- audit logs (docs/spec/audit.md)

async function auditEntry(e: k.AuditEntry): Promise<void> {
  require(utf8(e.detail).length <= 255 && !/[\x00-\x1f]/.test(e.detail), 'invalid', 'its detail is one line of at most 255 bytes');
  if (e.bytes === null) return;
  require(e.bytes.length <= 4096, 'limit', 'it holds at most 4096 bytes of an object');
  require(equal(await sha256(e.bytes), e.digest), 'integrity', 'its bytes are not those that it names');
}

function auditHead(h: k.AuditHead): void {
  named(h.owner, h.node);
  require(h.quorum <= 63, 'limit', 'it asks for more cosigners than a note holds');
  require(utf8(h.note).length <= 65536, 'limit', 'its note is too large');
  const [origin, size, root, end] = h.note.split('\n');
  const same = origin === `selvedge/${keyText(h.node)}` && size === h.size.toString() && root === btoa(String.fromCharCode(...h.root)) && end === '';
  require(same, 'invalid', 'it says something else than its checkpoint');
}

type Rules = { [K in k.KindName]: (body: k.Kinds[K]) => void | Promise<void> };

const RULES: Rules = {
  NodeRecord(r) {
    named(r.owner, r.node, r.seal_key);
    require(r.succeeds === null || !(equal(r.succeeds, r.node) || isZero(r.succeeds)), 'invalid', 'a node does not replace itself');
    lifetime(r.issued, r.expires, LIFETIME);
  },
  Grant(g) {
    named(g.owner, g.node, g.origin);
    classes(g.classes);
    require(g.conditions.battery_percent_min <= 100, 'invalid', 'it asks for more than 100 percent of battery');
    const m = g.manners;
    const burst = m.burst_us >= 500 && m.burst_us <= 1_000_000;
    const wakeups = m.wakeups_per_second >= 1 && m.wakeups_per_second <= 10_000;
    require(burst && wakeups && m.heat_max <= 3 && m.utility >= 1 && m.utility <= 1000, 'invalid', 'its manners are out of bounds');
    lifetime(g.issued, g.expires, LIFETIME);
  },
  Lease(l) {
    named(l.node, l.origin);
    lifetime(l.started, l.expires, LIFETIME);
  },
  ZonePolicy: zonePolicy,
  IssuerSet: issuerSet,
  Capability: capability,
  Endorsement(e) {
    named(e.endorser);
    require(!isZero(e.object), 'invalid', 'it does not say what it stands under');
    lifetime(e.issued, e.expires, LIFETIME);
  },
  ZoneKeyEpoch: zoneKeyEpoch,
  Revocation(r) {
    named(r.issuer);
    require(!isZero(r.target), 'invalid', 'it does not say what it revokes');
  },
  RevocationHead(h) {
    named(h.owner, h.issuer);
    require(h.as_of > 0n, 'invalid', 'it does not say as of when it is');
  },
  PermissionRequest(r) {
    named(r.origin, r.issuer, r.node);
    classes(r.classes);
    text(r.purpose, 1024);
    require(r.seconds > 0n && r.seconds <= LIFETIME, 'invalid', 'a permission is asked for one second to 90 days');
    lifetime(r.issued, r.expires, 30n * DAY);
  },
  PermissionDecision(d) {
    named(d.owner, d.node, d.origin);
    classes(d.permission);
    require((d.permission & (d.permission - 1)) === 0, 'invalid', 'it is about one class alone');
    lifetime(d.issued, d.expires, LIFETIME);
  },
  Alert(a) {
    named(a.owner, a.issuer);
    require(!isZero(a.subject), 'invalid', 'it does not say whom it is about');
    text(a.text, 1024);
  },
  Manifest: manifest,
  Provenance: provenance,
  SequenceLink(l) {
    require(!isZero(l.issuer) && !isZero(l.sequence), 'invalid', 'it names its sequence and its author');
    require((l.number === 0n) === (l.previous === null), 'invalid', 'every link but the first names the one before it');
  },
  TaskSpec: taskSpec,
  TaskOffer: taskOffer,
  Commitment(c) {
    named(c.executor);
  },
  Reveal(r) {
    named(r.executor);
    outcome(r);
  },
  Receipt(r) {
    named(r.executor, r.owner, r.origin);
    require(r.finished_ms >= r.started_ms, 'invalid', 'it ends before it begins');
    atMost(r.authority.length, 64);
    require(r.fuel + r.fuel_before < 1n << 64n, 'invalid', 'it is of more fuel than there is');
    outcome(r);
  },
  BlockGroup: blockGroup,
  BlobRef: blobRef,
  SecretManifest: secretManifest,
  SecretShare: secretShare,
  SecretRelease(r) {
    named(r.origin, r.asker, r.secret, r.reply_key);
    words(r.purpose, 255);
    words(r.scope, 255);
    require(r.purpose !== '' && r.scope !== '', 'invalid', 'it does not say what for');
    lifetime(r.issued, r.expires, 300n);
  },
  SecretReshare(r) {
    named(r.owner, r.secret);
    threshold(r.threshold, r.receivers.length);
    for (const receiver of r.receivers) named(receiver.node, receiver.seal_key);
    distinctNodes(r.receivers);
    lifetime(r.issued, r.expires, 600n);
  },
  SecretVerdict(v) {
    named(v.holder, v.asker);
    words(v.purpose, 255);
    words(v.scope, 255);
  },
  IdentityToken: identityToken,
  KeyEndorsement(e) {
    named(e.endorser, e.key_name);
    require(e.issued % DAY === 0n && e.expires % DAY === 0n, 'invalid', 'its times are whole days');
    lifetime(e.issued, e.expires, 2n * DAY);
  },
  AuditEntry: auditEntry,
  AuditHead: auditHead,
  // A beacon's proof (RFC 9381) is not checked here: no library of this reader has the curve's arithmetic open.
  IngressSet(s) {
    named(s.service, s.origin);
    require(/^[a-z0-9.-]{1,64}$/.test(s.name), 'invalid', 'the name of a service is 1 to 64 of a-z, 0-9, - and .');
    require(s.epoch > 0n && s.expires > s.issued && s.expires - s.issued <= 3600n, 'invalid', 'an ingress holds for an epoch of at most an hour');
    atMost(s.endpoints.length, 32);
    for (const each of s.endpoints) {
      named(each.relay, each.key);
      require(each.protocols > 0 && each.protocols <= 15, 'invalid', 'an endpoint speaks protocols that are not known');
    }
    sorted(s.endpoints, (a, b) => compare(a.handle, b.handle));
  },
  OracleAnswer(a) {
    named(a.node, a.origin, a.nonce);
    require(/^[a-z0-9-]{1,32}$/.test(a.name), 'invalid', 'the name of an oracle is 1 to 32 of a-z, 0-9 and -');
    require(a.value !== '' && utf8(a.value).length <= 1024 && !/[\x00-\x1f\x7f]/.test(a.value), 'invalid', 'its value is one line of at most 1024 bytes');
    if (a.name === 'beacon') require(a.proof.length === 112 && /^[0-9a-f]{128}$/.test(a.value), 'invalid', 'a beacon comes with its key and its proof');
    else require(a.proof.length === 0, 'invalid', 'an oracle without proofs has one');
    if (a.name === 'time') require(a.value === a.issued.toString(), 'invalid', 'its time is not when it was asked');
  },
};

export async function checkRules<K extends k.KindName>(kind: K, body: k.Kinds[K]): Promise<void> {
  await RULES[kind](body);
}
