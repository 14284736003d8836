// Who the visitor is, to this site alone: an Ed25519 key that the browser keeps and no script can read. Another site has another one (IndexedDB is an
// origin's own), so nobody can tell that both are the same person.

import type { Bytes } from '../src/bytes.js';

const DATABASE = 'selvedge', STORE = 'keys', NAME = 'owner';

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the browser keeps nothing for this page'));
  });
}

async function database(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return done(request);
}

export interface Identity { keys: CryptoKeyPair; owner: Bytes }

/** The key that is there, or a new one. Throws where the browser has no Ed25519. */
export async function identity(): Promise<Identity> {
  const db = await database();
  let keys = await done<CryptoKeyPair | undefined>(db.transaction(STORE).objectStore(STORE).get(NAME));
  if (keys === undefined) {
    keys = (await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])) as CryptoKeyPair;
    await done(db.transaction(STORE, 'readwrite').objectStore(STORE).put(keys, NAME));
  }
  db.close();
  return { keys, owner: new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey)) };
}

export async function forgetIdentity(): Promise<void> {
  await done(indexedDB.deleteDatabase(DATABASE));
}
