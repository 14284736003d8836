// Answers of the local API, as far as the dashboard shows them. docs/api.md says what each means.

export interface Status {
  version: string; node: string; owner: string; uptime_s: number; addresses: string[]; peers_connected: number; peers_known: number; leases_active: number;
  objects_held: number; bytes_held: number; blobs_owned: number; bytes_owned: number; jobs_running: number; repairs_pending: number; owner_key_here: boolean;
  record_expires: number; revoked: boolean; awaiting_index: boolean; index_pending: number; index_saved: number; devices_connected: number; roles: string[];
  announced: string[]; services: number; isolation: string; alerts: { kind: string; text: string; issued: number; issuer: string }[];
}

export interface Lease {
  id: string; origin: string; state: string; started: number; expires: number; cpu_permille: number; memory_bytes: number; storage_bytes: number; network_kbps: number;
  throttle_permille: number; pace_permille: number; tasks: number; fuel: number; cpu_ns: number; resident_bytes: number; stored_bytes: number; bytes_in: number;
  bytes_out: number; wakeups: number; frozen_ms: number; violations: number; slowed: string;
}

export interface Domain { task: string; lease: string; origin: string; module: string; bundle: string; entry: string; stage: string; offered: number }

export interface Peer {
  node: string; owner: string; connected: boolean; banned: boolean; addresses: string[]; error: string; path: string; at: string; ways: number;
}

export interface Service {
  name: string; address: string; target: string; access: string; owners: string[]; connections_max: number; connections: number; connections_ever: number;
  refused: number; bytes_in: number; bytes_out: number;
}

export interface Hosted { name: string; address: string; origin: string; lease: string; serial: number; stage: string; under_way: number; requests: number; failed: number; problem: string }
export interface Deployment {
  name: string; address: string; serial: number; replicas: number; serving: number; suspended: boolean; access: string; why: string;
  machines: { node: string; owner: string; serial: number; stage: string; message: string; requests: number; failed: number }[];
}

export interface Ask {
  id: string; asked: boolean; node: string; origin: string; wanted: string; allowed: string; refused: string; cpu_permille: number; memory_bytes: number;
  storage_bytes: number; seconds: number; purpose: string; issued: number; expires: number;
}

export interface Task { task: string; node: string; committed: boolean; seconds: number; fuel: number; state_bytes: number; moves: number }
export interface Blob { name: string; cid: string; size: number; objects: number; holders: number; zone: string }
export interface Grant { id: string; given: boolean; node: string; owner: string; origin: string; cpu_permille: number; memory_bytes: number; storage_bytes: number; expires: number; state: string }
export interface Relays { serving: boolean; circuits: number; bytes_carried: number; used: { relay: string; address: string; connected: boolean }[] }
export interface Device { node: string; label: string; state: string; zones: string[]; expires: number }

export interface Receipt {
  id: string; accepted: boolean;
  receipt: {
    executor: string; owner: string; origin: string; grant: string; task: string; module: string; bundle: string | null; started_ms: number; finished_ms: number;
    fuel: number; cpu_ns: number; memory_peak_bytes: number; resident_peak_bytes: number; wakeups: number; frozen_ms: number; degraded: number; violations: number;
    bytes_in: number; bytes_out: number; outcome: string; output: string | null; trace: string;
  };
}

export interface Head {
  node: string; origin: string; vkey: string; size: number; root: string; waiting: number; checkpoint: string; made: number;
  cosigners: { node: string; time: number }[]; quorum: number; complete_size: number; alerts: string[];
}
export interface Entry { index: number; time_ms: number; kind: string; subject: string; detail: string; digest: string; within: boolean }
