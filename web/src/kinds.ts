// The kinds of objects: what each is called, what fields it has, and who must have signed it.
//
// The descriptions are those of the table in docs/spec/objects.md, written down once more: a difference of one letter gives another schema
// id, and the test against the published vectors says so. The interfaces say the same to TypeScript.

import type { Bytes } from './bytes.js';
import type { Cid } from './names.js';
import { type Alternative, type FieldType, parseDescription } from './schema.js';

export interface NodeRecord { owner: Bytes; node: Bytes; seal_key: Bytes; issued: bigint; expires: bigint; serial: bigint; succeeds: Bytes | null }
export interface Grant {
  owner: Bytes; node: Bytes; origin: Bytes; classes: number; cpu_permille: number; memory_bytes: bigint; storage_bytes: bigint;
  issued: bigint; expires: bigint; nonce: Bytes; conditions: { battery_percent_min: number; only_while_charging: boolean };
  manners: { burst_us: number; wakeups_per_second: number; network_kbps: number; heat_max: number; utility: number };
}
export interface Lease { grant: Bytes; node: Bytes; origin: Bytes; started: bigint; expires: bigint; state: number }
export interface IssuerSet { name: string; issuers: Bytes[]; threshold: number; operations: string[] }
export interface PrincipalRule { principal: Bytes | null; allow: string[]; deny: string[] }
export interface FlowRule { direction: number; peer: Bytes | null; taint_max: number }
export interface Diversity { nodes_min: number; owners_min: number; node_share_permille_max: number }
export interface ZonePolicy {
  zone: Bytes; owner: Bytes; name: string; trust_level: number; classes: number; allow: string[]; deny: string[]; executors: Bytes[];
  publishers: Bytes[]; issuers: IssuerSet[]; principals: PrincipalRule[]; flows: FlowRule[];
  distribution: { owners_min: number; devices_min: number; devices_max: number; repair_permille: number };
  diversity: Diversity; epoch_seconds: number; capability_seconds_max: bigint; revocation_age_seconds_max: bigint; audit_quorum: number;
  effective_epoch: bigint; issued: bigint; expires: bigint; serial: bigint;
}
export interface Capability {
  zone: Bytes; origin: Bytes; issuer: Bytes; audience: Bytes; parent: Bytes | null; delegations_left: number; operations: string[];
  whole_zone: boolean; objects: Bytes[]; issued: bigint; expires: bigint; nonce: Bytes;
}
export interface Endorsement { object: Bytes; endorser: Bytes; issued: bigint; expires: bigint }
export interface ZoneKeyEpoch { zone: Bytes; owner: Bytes; epoch: bigint; devices: { node: Bytes; sealed: Bytes }[]; reason: string; issued: bigint }
export interface Revocation { issuer: Bytes; target_kind: number; target: Bytes; cutoff: bigint; reason: number; issued: bigint }
export interface RevocationHead { owner: Bytes; issuer: Bytes; count: bigint; root: Bytes; as_of: bigint }
export interface PermissionRequest {
  origin: Bytes; issuer: Bytes; node: Bytes; classes: number; cpu_permille: number; memory_bytes: bigint; storage_bytes: bigint; seconds: bigint;
  purpose: string; issued: bigint; expires: bigint; nonce: Bytes;
}
export interface PermissionDecision {
  owner: Bytes; node: Bytes; origin: Bytes; request: Bytes | null; permission: number; allowed: boolean; issued: bigint; expires: bigint;
}
export interface Alert { owner: Bytes; issuer: Bytes; kind: number; subject: Bytes; text: string; issued: bigint }
export interface BundleFile { path: string; cid: Cid; size: bigint }
export interface OperationSpec { name: string; risk: number; safety: number; idempotency: number; input_schema: Bytes | null; output_schema: Bytes | null }
export interface BundleEntry { operation: OperationSpec; module: string; domain: number; args: string[] }
export interface Manifest {
  origin: Bytes; publisher: Bytes; name: string; version: string; modules: BundleFile[]; assets: BundleFile[]; entries: BundleEntry[];
  ports: { name: string; protocol: string; connections_max: number; requests_per_second_max: number }[];
  needs: { classes: number; cpu_permille: number; memory_bytes: bigint; storage_bytes: bigint; replicas: number };
  audit: number; verifiability: number; redundancy: number; attestation: { format: string; source: Bytes; statement: Bytes } | null;
  issued: bigint; expires: bigint;
}
export interface Crossing { from: Bytes; to: Bytes; at: bigint; policy_from: Bytes; policy_to: Bytes }
export interface Provenance { zone: Bytes; bridge: Bytes; content: Cid; origin_zone: Bytes; crossings: Crossing[]; taint: number }
export interface SequenceLink { zone: Bytes; sequence: Bytes; issuer: Bytes; number: bigint; previous: Bytes | null; operation: Bytes; issued: bigint }
export interface TaskSpec {
  origin: Bytes; bundle: Bytes | null; entry: string; module: Cid; module_object: Bytes | null; args: string[];
  environment: string[]; inputs: { cid: Cid; object: Bytes | null; path: string }[]; seed: bigint; fuel_limit: bigint; memory_bytes: bigint; output_bytes_max: bigint;
}
export interface BlockGroup {
  zone: Bytes; epoch: bigint; object_bytes: bigint; symbol_bytes: number; source_blocks: number; content_tag: Bytes; whole: boolean;
}
export interface BlobRef { cid: Cid; size: bigint; groups: BlockGroup[] }
export interface TaskOffer {
  task: Bytes; zone: Bytes; spec: TaskSpec; issuer: Bytes; executor: Bytes; grant: Bytes; sealed_keys: Bytes; capability: Bytes; manifest: Bytes;
  blobs: BlobRef[]; holders: { node: Bytes; addresses: string[] }[]; issued: bigint; expires: bigint;
}
export interface Commitment { task: Bytes; executor: Bytes; digest: Bytes }
export interface Reveal { task: Bytes; executor: Bytes; nonce: Bytes; outcome: number; output: Cid | null; trace: Bytes; fuel: bigint }
export interface Receipt {
  executor: Bytes; owner: Bytes; origin: Bytes; grant: Bytes; task: Bytes; module: Cid; rewritten: Bytes; bundle: Bytes | null; authority: Bytes[];
  started_ms: bigint; finished_ms: bigint; fuel: bigint; fuel_before: bigint; cpu_ns: bigint; memory_peak_bytes: bigint; resident_peak_bytes: bigint;
  wakeups: bigint; frozen_ms: bigint; degraded: number; violations: number; bytes_in: bigint; bytes_out: bigint;
  outcome: number; output: Cid | null; trace: Bytes;
}

export interface SecretManifest {
  zone: Bytes; owner: Bytes; secret: Bytes; name: string; scheme: number; threshold: number; generation: bigint;
  holders: { node: Bytes; owner: Bytes; addresses: string[] }[]; commitments: Bytes[]; sealed_digest: Bytes; sealed: Bytes; issued: bigint; expires: bigint;
}
export interface DealtShare { sealed: Bytes }
export interface RefreshShare { commitments: Bytes[]; sealed: Bytes }
export interface ReshareShare { old_manifest: Bytes; pieces: { dealer: number; commitments: Bytes[]; sealed: Bytes }[] }
export interface SecretShare {
  zone: Bytes; owner: Bytes; manifest: Bytes; secret: Bytes; generation: bigint; number: number; holder: Bytes;
  delivery: Alternative<DealtShare | RefreshShare | ReshareShare>; issued: bigint; expires: bigint;
}
export interface SecretRelease {
  zone: Bytes; origin: Bytes; secret: Bytes; generation: bigint; asker: Bytes; reply_key: Bytes; purpose: string; scope: string;
  issued: bigint; expires: bigint; nonce: Bytes;
}
export interface SecretReshare {
  zone: Bytes; owner: Bytes; secret: Bytes; generation: bigint; threshold: number; receivers: { node: Bytes; seal_key: Bytes }[];
  issued: bigint; expires: bigint; nonce: Bytes;
}
export interface SecretVerdict {
  zone: Bytes; origin: Bytes; secret: Bytes; generation: bigint; holder: Bytes; asker: Bytes; purpose: string; scope: string; nonce: Bytes;
  error: number; at: bigint;
}

export interface IdentityToken {
  origin: Bytes; node_id: Bytes; tier: number; attestation: { format: string; data: Bytes }; purpose: string; lease: Bytes | null;
  issued: bigint; expires: bigint; nonce: Bytes;
}
export interface KeyEndorsement { endorser: Bytes; key_name: Bytes; issued: bigint; expires: bigint }

export interface AuditEntry { kind: number; time_ms: bigint; subject: Bytes; detail: string; digest: Bytes; bytes: Bytes | null }
export interface AuditHead {
  owner: Bytes; node: Bytes; zone: Bytes; policy_serial: bigint; quorum: number; size: bigint; root: Bytes; note: string; issued: bigint;
}
export interface IngressEndpoint { handle: Bytes; relay: Bytes; key: Bytes; protocols: number }
export interface IngressSet {
  service: Bytes; origin: Bytes; name: string; endpoints: IngressEndpoint[];
  policy: { auth: number; connections_max: number; requests_per_second_max: number; connection_seconds_max: number };
  epoch: bigint; issued: bigint; expires: bigint;
}
export interface OracleAnswer { node: Bytes; origin: Bytes; name: string; nonce: Bytes; value: string; proof: Bytes; issued: bigint }

export interface Kinds {
  NodeRecord: NodeRecord; Grant: Grant; Lease: Lease; ZonePolicy: ZonePolicy; IssuerSet: IssuerSet; Capability: Capability; Endorsement: Endorsement;
  ZoneKeyEpoch: ZoneKeyEpoch; Revocation: Revocation; RevocationHead: RevocationHead; PermissionRequest: PermissionRequest;
  PermissionDecision: PermissionDecision; Alert: Alert; Manifest: Manifest; Provenance: Provenance; SequenceLink: SequenceLink; TaskSpec: TaskSpec;
  TaskOffer: TaskOffer; Commitment: Commitment; Reveal: Reveal; Receipt: Receipt; BlockGroup: BlockGroup; BlobRef: BlobRef;
  SecretManifest: SecretManifest; SecretShare: SecretShare; SecretRelease: SecretRelease; SecretReshare: SecretReshare; SecretVerdict: SecretVerdict;
  IdentityToken: IdentityToken; KeyEndorsement: KeyEndorsement; AuditEntry: AuditEntry; AuditHead: AuditHead;
  OracleAnswer: OracleAnswer; IngressSet: IngressSet;
}
export type KindName = keyof Kinds;

export interface Kind {
  readonly name: KindName;
  readonly version: number;
  readonly description: string;
  readonly type: FieldType;
  /** The field that names the signer; null for a kind that is not signed by itself. */
  readonly author: string | null;
}

const ISSUER_SET = '{name:text,issuers:[bytes32],threshold:u32,operations:[text]}';
const TASK_SPEC =
  '{origin:bytes32,bundle:?bytes32,entry:text,module:cid,module_object:?bytes32,args:[text],environment:[text],inputs:[{cid:cid,object:?bytes32,path:text}],' +
  'seed:u64,fuel_limit:u64,memory_bytes:u64,output_bytes_max:u64}';
const BLOCK_GROUP = '{zone:bytes32,epoch:u64,object_bytes:u64,symbol_bytes:u32,source_blocks:u32,content_tag:bytes32,whole:bool}';
const BLOB_REF = `{cid:cid,size:u64,groups:[${BLOCK_GROUP}]}`;
const FILES = '[{path:text,cid:cid,size:u64}]';
const OPERATION = '{name:text,risk:enum0..3,safety:enum0..3,idempotency:enum0..2,input_schema:?bytes32,output_schema:?bytes32}';

const TABLE: readonly (readonly [KindName, number, string | null, string])[] = [
  ['NodeRecord', 2, 'owner', '{owner:bytes32,node:bytes32,seal_key:bytes32,issued:u64,expires:u64,serial:u64,succeeds:?bytes32}'],
  ['Grant', 2, 'owner',
    '{owner:bytes32,node:bytes32,origin:bytes32,classes:u32,cpu_permille:u32,memory_bytes:u64,storage_bytes:u64,issued:u64,expires:u64,nonce:bytes16,' +
    'conditions:{battery_percent_min:u8,only_while_charging:bool},' +
    'manners:{burst_us:u32,wakeups_per_second:u32,network_kbps:u32,heat_max:u8,utility:u32}}'],
  ['Lease', 1, 'node', '{grant:bytes32,node:bytes32,origin:bytes32,started:u64,expires:u64,state:enum0..3}'],
  ['ZonePolicy', 2, 'owner',
    '{zone:bytes32,owner:bytes32,name:text,trust_level:u8,classes:u32,allow:[text],deny:[text],executors:[bytes32],publishers:[bytes32],' +
    `issuers:[${ISSUER_SET}],principals:[{principal:?bytes32,allow:[text],deny:[text]}],flows:[{direction:enum0..1,peer:?bytes32,taint_max:u8}],` +
    'distribution:{owners_min:u32,devices_min:u32,devices_max:u32,repair_permille:u32},diversity:{nodes_min:u32,owners_min:u32,node_share_permille_max:u32},' +
    'epoch_seconds:u32,capability_seconds_max:u64,revocation_age_seconds_max:u64,audit_quorum:u32,effective_epoch:u64,issued:u64,expires:u64,serial:u64}'],
  ['IssuerSet', 1, null, ISSUER_SET],
  ['Capability', 1, 'issuer',
    '{zone:bytes32,origin:bytes32,issuer:bytes32,audience:bytes32,parent:?bytes32,delegations_left:u8,operations:[text],whole_zone:bool,objects:[bytes32],' +
    'issued:u64,expires:u64,nonce:bytes16}'],
  ['Endorsement', 1, 'endorser', '{object:bytes32,endorser:bytes32,issued:u64,expires:u64}'],
  ['ZoneKeyEpoch', 1, 'owner', '{zone:bytes32,owner:bytes32,epoch:u64,devices:[{node:bytes32,sealed:bytes}],reason:text,issued:u64}'],
  ['Revocation', 1, 'issuer', '{issuer:bytes32,target_kind:enum1..5,target:bytes32,cutoff:u64,reason:enum0..5,issued:u64}'],
  ['RevocationHead', 1, 'issuer', '{owner:bytes32,issuer:bytes32,count:u64,root:bytes32,as_of:u64}'],
  ['PermissionRequest', 1, 'issuer',
    '{origin:bytes32,issuer:bytes32,node:bytes32,classes:u32,cpu_permille:u32,memory_bytes:u64,storage_bytes:u64,seconds:u64,purpose:text,issued:u64,' +
    'expires:u64,nonce:bytes16}'],
  ['PermissionDecision', 1, 'owner',
    '{owner:bytes32,node:bytes32,origin:bytes32,request:?bytes32,permission:u32,allowed:bool,issued:u64,expires:u64}'],
  ['Alert', 1, 'issuer', '{owner:bytes32,issuer:bytes32,kind:enum0..3,subject:bytes32,text:text,issued:u64}'],
  ['Manifest', 1, 'publisher',
    `{origin:bytes32,publisher:bytes32,name:text,version:text,modules:${FILES},assets:${FILES},` +
    `entries:[{operation:${OPERATION},module:text,domain:enum0..1,args:[text]}],` +
    'ports:[{name:text,protocol:text,connections_max:u32,requests_per_second_max:u32}],' +
    'needs:{classes:u32,cpu_permille:u32,memory_bytes:u64,storage_bytes:u64,replicas:u32},audit:enum0..2,verifiability:enum0..3,redundancy:u32,' +
    'attestation:?{format:text,source:bytes32,statement:bytes},issued:u64,expires:u64}'],
  ['Provenance', 1, 'bridge',
    '{zone:bytes32,bridge:bytes32,content:cid,origin_zone:bytes32,crossings:[{from:bytes32,to:bytes32,at:u64,policy_from:bytes32,policy_to:bytes32}],taint:u8}'],
  ['SequenceLink', 1, 'issuer',
    '{zone:bytes32,sequence:bytes32,issuer:bytes32,number:u64,previous:?bytes32,operation:bytes32,issued:u64}'],
  ['TaskSpec', 3, null, TASK_SPEC],
  ['TaskOffer', 3, 'issuer',
    `{task:bytes32,zone:bytes32,spec:${TASK_SPEC},issuer:bytes32,executor:bytes32,grant:bytes32,sealed_keys:bytes,capability:bytes,manifest:bytes,` +
    `blobs:[${BLOB_REF}],holders:[{node:bytes32,addresses:[text]}],issued:u64,expires:u64}`],
  ['Commitment', 1, 'executor', '{task:bytes32,executor:bytes32,digest:bytes32}'],
  ['Reveal', 1, 'executor', '{task:bytes32,executor:bytes32,nonce:bytes32,outcome:enum0..7,output:?cid,trace:bytes32,fuel:u64}'],
  ['Receipt', 4, 'executor',
    '{executor:bytes32,owner:bytes32,origin:bytes32,grant:bytes32,task:bytes32,module:cid,rewritten:bytes32,bundle:?bytes32,authority:[bytes32],' +
    'started_ms:u64,finished_ms:u64,fuel:u64,fuel_before:u64,cpu_ns:u64,memory_peak_bytes:u64,resident_peak_bytes:u64,wakeups:u64,frozen_ms:u64,degraded:u32,' +
    'violations:u32,bytes_in:u64,bytes_out:u64,outcome:enum0..7,output:?cid,trace:bytes32}'],
  ['BlockGroup', 2, null, BLOCK_GROUP],
  ['BlobRef', 2, null, BLOB_REF],
  ['SecretManifest', 1, 'owner',
    '{zone:bytes32,owner:bytes32,secret:bytes32,name:text,scheme:enum1..3,threshold:u8,generation:u64,holders:[{node:bytes32,owner:bytes32,addresses:[text]}],' +
    'commitments:[bytes32],sealed_digest:bytes32,sealed:bytes,issued:u64,expires:u64}'],
  ['SecretShare', 1, 'owner',
    '{zone:bytes32,owner:bytes32,manifest:bytes32,secret:bytes32,generation:u64,number:u8,holder:bytes32,' +
    'delivery:(|{sealed:bytes}|{commitments:[bytes32],sealed:bytes}|{old_manifest:bytes,pieces:[{dealer:u8,commitments:[bytes32],sealed:bytes}]}),' +
    'issued:u64,expires:u64}'],
  ['SecretRelease', 1, 'asker',
    '{zone:bytes32,origin:bytes32,secret:bytes32,generation:u64,asker:bytes32,reply_key:bytes32,purpose:text,scope:text,issued:u64,expires:u64,nonce:bytes16}'],
  ['SecretReshare', 1, 'owner',
    '{zone:bytes32,owner:bytes32,secret:bytes32,generation:u64,threshold:u8,receivers:[{node:bytes32,seal_key:bytes32}],issued:u64,expires:u64,nonce:bytes16}'],
  ['SecretVerdict', 1, 'holder',
    '{zone:bytes32,origin:bytes32,secret:bytes32,generation:u64,holder:bytes32,asker:bytes32,purpose:text,scope:text,nonce:bytes16,error:u8,at:u64}'],
  ['IdentityToken', 1, 'node_id',
    '{origin:bytes32,node_id:bytes32,tier:enum0..2,attestation:{format:text,data:bytes},purpose:text,lease:?bytes32,issued:u64,expires:u64,nonce:bytes16}'],
  ['KeyEndorsement', 1, 'endorser', '{endorser:bytes32,key_name:bytes32,issued:u64,expires:u64}'],
  ['AuditEntry', 1, null, '{kind:enum0..14,time_ms:u64,subject:bytes32,detail:text,digest:bytes32,bytes:?bytes}'],
  ['AuditHead', 1, 'node',
    '{owner:bytes32,node:bytes32,zone:bytes32,policy_serial:u64,quorum:u32,size:u64,root:bytes32,note:text,issued:u64}'],
  ['OracleAnswer', 1, 'node', '{node:bytes32,origin:bytes32,name:text,nonce:bytes16,value:text,proof:bytes,issued:u64}'],
  ['IngressSet', 1, 'service',
    '{service:bytes32,origin:bytes32,name:text,endpoints:[{handle:bytes32,relay:bytes32,key:bytes32,protocols:u8}],' +
    'policy:{auth:enum0..2,connections_max:u32,requests_per_second_max:u32,connection_seconds_max:u32},epoch:u64,issued:u64,expires:u64}'],
];

export const KINDS: ReadonlyMap<string, Kind> = new Map(
  TABLE.map(([name, version, author, description]) => [name, { name, version, description, author, type: parseDescription(description) }]),
);

export function kindOf(name: string): Kind {
  const kind = KINDS.get(name);
  if (kind === undefined) throw new Error(`${name} is no kind of object that is known here`);
  return kind;
}
