// Revocations: who took back what, from when on; and the root that a statement about them commits to (RFC 6962 2.1).

import { type Bytes, compare, concat, equal, toHex } from './bytes.js';
import { write } from './cbor.js';
import { sha256 } from './crypto.js';
import type { Revocation } from './kinds.js';
import type { Signed } from './object.js';

export const Target = { object: 1, capability: 2, key: 3, principal: 4, device: 5 } as const;
/** A day longer than any capability lives: then what it revokes has expired by itself. */
const CAPABILITY_KEPT = 91n * 86_400n;

interface Entry {
  readonly issuer: Bytes;
  readonly kind: number;
  readonly target: Bytes;
  cutoff: bigint;
  issued: bigint;
}

export class RevocationSet {
  readonly #entries = new Map<string, Entry>();
  readonly #targets = new Set<string>();

  /** Of two for one target by one issuer the earlier cutoff counts. */
  add({ body }: Signed<Revocation>): void {
    const key = this.#key(body.issuer, body.target_kind, body.target);
    const known = this.#entries.get(key);
    this.#targets.add(toHex(body.target));
    if (known === undefined) {
      this.#entries.set(key, { issuer: body.issuer, kind: body.target_kind, target: body.target, cutoff: body.cutoff, issued: body.issued });
      return;
    }
    if (body.cutoff < known.cutoff) known.cutoff = body.cutoff;
    if (body.issued > known.issued) known.issued = body.issued;
  }

  /** Whose word counts is for the caller to say. */
  revokedBy(issuer: Bytes, kind: number, target: Bytes, now: bigint): boolean {
    const entry = this.#entries.get(this.#key(issuer, kind, target));
    return entry !== undefined && entry.cutoff <= now;
  }

  mentions(target: Bytes): boolean {
    return this.#targets.has(toHex(target));
  }

  /** Over one owner's revocations, sorted by target and kind. */
  async rootOf(owner: Bytes, asOf: bigint): Promise<{ count: bigint; root: Bytes }> {
    const counted = [...this.#entries.values()]
      .filter((entry) => equal(entry.issuer, owner) && entry.issued <= asOf && !this.#outOfDate(entry, asOf))
      .sort((a, b) => compare(a.target, b.target) || a.kind - b.kind);
    const leaves = await Promise.all(
      counted.map(({ target, kind, cutoff }) =>
        sha256(Uint8Array.of(0), write.array([write.bytes(target), write.integer(kind), write.integer(cutoff)])),
      ),
    );
    return { count: BigInt(leaves.length), root: await treeRoot(leaves) };
  }

  #key(issuer: Bytes, kind: number, target: Bytes): string {
    return toHex(concat(issuer, Uint8Array.of(kind), target));
  }

  #outOfDate(entry: Entry, now: bigint): boolean {
    if (entry.kind !== Target.capability) return false;
    const since = entry.issued > entry.cutoff ? entry.issued : entry.cutoff;
    return since + CAPABILITY_KEPT <= now;
  }
}

/** The two halves are split at the largest power of two below the number of leaves. */
async function treeRoot(leaves: readonly Bytes[]): Promise<Bytes> {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0] as Bytes;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Uint8Array.of(1), await treeRoot(leaves.slice(0, split)), await treeRoot(leaves.slice(split)));
}
