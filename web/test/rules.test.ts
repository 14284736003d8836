// Patterns, policies, capabilities, revocations, epochs, quorums, diversity and crossings.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as s from '../src/index.js';
import { type Case, cases, expectOutcome, hex, hexOrNull, integer, load } from './vectors.js';

// req: A9 A18
test('patterns of operations', () => {
  const vectors = load('patterns');
  for (const { text, operation, pattern } of cases(vectors, 'words')) {
    assert.deepEqual([s.isOperation(text), s.isPattern(text)], [operation, pattern], JSON.stringify(text));
  }
  for (const { pattern, operation, matches } of cases(vectors, 'matches')) assert.equal(s.matches(pattern, operation), matches, `${pattern} ${operation}`);
  for (const { wide, narrow, contains } of cases(vectors, 'contains')) assert.equal(s.contains(wide, narrow), contains, `${wide} ${narrow}`);
  for (const { wide, narrow, contains } of cases(vectors, 'lists')) assert.equal(s.containsAll(wide, narrow), contains, `${wide} / ${narrow}`);
});

// req: A9
test('one pattern lies within another exactly when it covers nothing else', () => {
  const words = ['a', 'b', '*'];
  const patterns = ['**', ...words, ...words.flatMap((x) => [`${x}.**`, ...words.flatMap((y) => [`${x}.${y}`, `${x}.${y}.**`])])];
  // "c" is a word that no pattern names, so that "*" and "**" are told apart from their samples.
  const plain = ['a', 'b', 'c'];
  const operations = plain.flatMap((x) => [x, ...plain.flatMap((y) => [`${x}.${y}`, ...plain.flatMap((z) => [`${x}.${y}.${z}`, ...plain.map((u) => `${x}.${y}.${z}.${u}`)])])]);
  for (const wide of patterns) {
    for (const narrow of patterns) {
      const expected = operations.every((operation) => !s.matches(narrow, operation) || s.matches(wide, operation));
      assert.equal(s.contains(wide, narrow), expected, `${narrow} within ${wide}`);
    }
  }
});

// req: A9 A18 A20
test('policies give the published verdicts by the published rules', async () => {
  const vectors = load('policies');
  const policies = await Promise.all(cases(vectors, 'policies').map((bytes: Case) => s.openObject('ZonePolicy', hex(bytes))));
  const policyOf = (one: Case): s.ZonePolicy => (policies[one.policy] as s.Signed<s.ZonePolicy>).body;
  for (const one of cases(vectors, 'questions')) {
    const question = { operation: one.operation, classes: one.classes, principal: hex(one.principal), machineOwner: hex(one.machine_owner) };
    const verdict = s.judge(policyOf(one), question, integer(one.now));
    assert.deepEqual(verdict, { allowed: one.allowed, list: one.list, index: one.index, pattern: one.pattern }, one.text);
  }
  for (const { operation, classes } of cases(vectors, 'classes')) assert.equal(s.classesOf(operation), classes, operation);
  for (const one of cases(vectors, 'flows')) {
    const direction = one.direction === 'out' ? s.FLOW_OUT : s.FLOW_IN;
    assert.equal(s.findFlow(policyOf(one), direction, hex(one.peer), one.taint), one.rule, JSON.stringify(one));
  }
});

// req: A6
test('what a new owner has to begin with', async () => {
  for (const fields of cases(load('policies'), 'defaults')) assert.deepEqual(s.toJson((await s.defaultPolicy(hex(fields.owner), fields.name)) as never), fields);
  assert.equal(await s.defaultPolicy(new Uint8Array(32), 'other'), null);
});

// req: A9 A18
test('capabilities are passed on narrower or not at all', async () => {
  const vectors = load('capabilities');
  for (const { parent, child, expect, why } of cases(vectors, 'attenuations')) {
    const [outer, inner] = [await s.openObject('Capability', hex(parent)), await s.openObject('Capability', hex(child))];
    await expectOutcome(expect, why, () => s.checkAttenuation(inner, outer));
  }
  for (const { capability, operation, about, covers } of cases(vectors, 'coverage')) {
    const { body } = await s.openObject('Capability', hex(capability));
    assert.equal(s.covers(body, operation, hexOrNull(about)), covers, `${operation} ${about}`);
  }
});

async function setOf(objects: string[]): Promise<s.RevocationSet> {
  const set = new s.RevocationSet();
  for (const bytes of objects) set.add(await s.openObject('Revocation', hex(bytes)));
  return set;
}

// req: A11 A18
test('revocations count from their cutoff, by whose word they are', async () => {
  const vectors = load('revocations');
  for (const order of [cases(vectors, 'revocations'), [...cases(vectors, 'revocations')].reverse()]) {
    const set = await setOf(order);
    for (const one of cases(vectors, 'questions')) {
      assert.equal(set.revokedBy(hex(one.issuer), one.target_kind, hex(one.target), integer(one.now)), one.revoked, JSON.stringify(one));
    }
  }
});

// req: A11
test('the root of a revocation head', async () => {
  for (const { revocations, owner, as_of, count, root } of cases(load('revocations'), 'roots')) {
    const found = await (await setOf(revocations)).rootOf(hex(owner), integer(as_of));
    assert.deepEqual([found.count, s.toHex(found.root)], [integer(count), root], `${count} as of ${as_of}`);
  }
});

// req: A5 A18
test('epochs are ordered, what lies within one is not; sequences show gaps and broken chains', async () => {
  const vectors = load('epochs') as Record<string, Case>;
  for (const one of cases(vectors, 'numbers')) assert.equal(s.epochOf(integer(one.unix_seconds), one.epoch_seconds), integer(one.epoch));
  for (const { epoch_seconds, a, b, a_is } of cases(vectors, 'orders')) {
    assert.equal(s.orderOf(s.epochOf(integer(a), epoch_seconds), s.epochOf(integer(b), epoch_seconds)), a_is);
  }
  const cursor = new s.SequenceCursor(hex(vectors['zone']), hex(vectors['sequence']), hex(vectors['author']));
  for (const { link, expect, next_number, why } of cases(vectors, 'links')) {
    const opened = await s.openObject('SequenceLink', hex(link));
    await expectOutcome(expect, why, () => cursor.take(opened));
    assert.equal(cursor.next, integer(next_number), why);
  }
});

// req: A13 R6 R13
test('quorums', async () => {
  const vectors = load('quorums');
  for (const { n, f, ...sizes } of cases(vectors, 'sizes')) {
    for (const [operation, size] of Object.entries(sizes)) assert.equal(s.quorum(operation as s.OperationClass, n, f), size, `${operation} n=${n} f=${f}`);
    // Two quorums of a normal write share more members than can lie.
    assert.ok(2 * sizes.normal_write - n > f, `n=${n} f=${f}`);
  }
  for (const { n, f, expect } of cases(vectors, 'refused')) await expectOutcome(expect, `n=${n} f=${f}`, () => s.quorum('normal_write', n, f));
  for (const { signers, members, needed, expect, why } of cases(vectors, 'signers')) {
    await expectOutcome(expect, why, () => s.checkQuorum(signers.map(hex), members.map(hex), needed));
  }
});

// req: A13 A18 R18
test('source diversity', async () => {
  for (const { wanted, sources, expect, why } of cases(load('diversity'), 'cases')) {
    const from = sources.map((one: Case) => ({ node: hex(one.node), owner: hex(one.owner), symbols: integer(one.symbols) }));
    await expectOutcome(expect, why, () => s.checkDiversity(wanted, from));
  }
});

// req: A7 A18
test('crossings from zone to zone, and the provenance that stays', async () => {
  for (const one of cases(load('bridging'), 'crossings')) {
    const [from, to] = [await s.openObject('ZonePolicy', hex(one.policy_from)), await s.openObject('ZonePolicy', hex(one.policy_to))];
    const before = one.before === null ? null : (await s.openObject('Provenance', hex(one.before))).body;
    let after: s.Provenance | null = null;
    await expectOutcome(one.expect, one.why, () => {
      after = s.cross(s.parseCid(one.content), before, from, to, hex(one.bridge), integer(one.now));
    });
    assert.deepEqual(after, one.provenance === null ? null : (await s.openObject('Provenance', hex(one.provenance))).body, one.why);
  }
});
