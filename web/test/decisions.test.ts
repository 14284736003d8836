// Whole decisions: a program that shares no code with the node's authorize() answers alike, and for the same reason.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as s from '../src/index.js';
import { type Case, cases, hex, hexOrNull, integer, load } from './vectors.js';

const vectors = load('decisions');

function useOf(shown: Case): s.Use {
  return {
    ...shown,
    machine_owner: hex(shown.machine_owner),
    machine: hex(shown.machine),
    origin: hex(shown.origin),
    actor: hex(shown.actor),
    zone: hex(shown.zone),
    objects: shown.objects.map(hex),
    task: hexOrNull(shown.task),
    memory_bytes: integer(shown.memory_bytes),
    storage_bytes: integer(shown.storage_bytes),
  };
}

async function openAll(): Promise<Map<string, s.Signed<unknown>>> {
  const opened = new Map<string, s.Signed<unknown>>();
  for (const { id, kind, object } of cases(vectors, 'objects')) {
    const found = await s.openObject(kind as s.KindName, hex(object));
    assert.equal(s.toHex(found.id), id);
    opened.set(id, found);
  }
  return opened;
}

function evidenceOf(shown: Case, objects: Map<string, s.Signed<unknown>>): s.Evidence {
  const one = <T>(id: string | null): s.Signed<T> | null => (id === null ? null : (objects.get(id) as s.Signed<T>));
  const all = <T>(ids: string[]): s.Signed<T>[] => ids.map((id) => one<T>(id) as s.Signed<T>);
  const revocations = new s.RevocationSet();
  for (const revocation of all<s.Revocation>(shown.revocations)) revocations.add(revocation);
  return {
    machine_record: one(shown.machine_record),
    origin_record: one(shown.origin_record),
    actor_record: one(shown.actor_record),
    grant: one(shown.grant),
    policy: one(shown.policy),
    capabilities: all(shown.capabilities),
    endorsements: all(shown.endorsements),
    offer: one(shown.offer),
    manifest: one(shown.manifest),
    revocations,
    revocation_head: one(shown.revocation_head),
    policy_serial_min: integer(shown.policy_serial_min),
  };
}

async function answer(one: Case, objects: Map<string, s.Signed<unknown>>): Promise<unknown> {
  try {
    const { chain, expires } = await s.authorize(useOf(one.use), evidenceOf(one.evidence, objects), integer(one.now));
    return { expect: 'ok', refused_by: null, chain: chain.map(s.toHex), expires };
  } catch (error) {
    if (!(error instanceof s.Denied)) throw error;
    return { expect: error.code, refused_by: error.step, chain: [], expires: null };
  }
}

// req: A9 A11 A18 A19 R24
test('every published decision is reached here too, by the same step and resting on the same objects', async () => {
  const objects = await openAll();
  for (const one of cases(vectors, 'cases')) {
    const expected = { expect: one.expect, refused_by: one.refused_by, chain: one.chain, expires: one.expires === null ? null : integer(one.expires) };
    assert.deepEqual(await answer(one, objects), expected, one.why);
  }
});

// req: A11
test('a decision needs everything it rests on', async () => {
  const objects = await openAll();
  const allowed = cases(vectors, 'cases').filter(({ expect }) => expect === 'ok');
  for (const one of allowed) {
    // Without any one of the objects it rests on, the same question is refused.
    for (const id of one.chain as string[]) {
      const without = Object.fromEntries(
        Object.entries(one.evidence).map(([name, value]) => [name, value === id ? null : Array.isArray(value) ? value.filter((other) => other !== id) : value]),
      );
      const found = (await answer({ ...one, evidence: without }, objects)) as { expect: string };
      assert.notEqual(found.expect, 'ok', `${one.why}, without ${id}`);
    }
  }
});
