// Everything a reader of Selvedge's objects needs. Browser and Node.

export * from './authorize.js';
export * from './bytes.js';
export * as cbor from './cbor.js';
export * from './crypto.js';
export * from './groups.js';
export * from './ids.js';
export * from './kinds.js';
export * from './names.js';
export * from './object.js';
export * from './policy.js';
export * from './refusal.js';
export * from './revocations.js';
export * from './sealed.js';
export { toJson } from './schema.js';
