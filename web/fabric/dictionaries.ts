// The dictionaries and enumerations of web-fabric.idl, with their defaults. The test parses that file and holds each of these against it.

import { arrayBuffer, boolean, dictionary, double, enumeration, object, sequence, unsignedLong, unsignedLongLong, unsignedShort, usvString } from './convert.js';

export type ErrorCode = 'NotAllowedError' | 'NotSupportedError' | 'QuotaExceededError' | 'InvalidStateError' | 'IntegrityError' | 'AttestationError' | 'NetworkError' | 'TimeoutError' | 'RevokedError';
export type IdentityTier = 'software' | 'hardware-basic' | 'hardware-strong';
export type LeaseState = 'active' | 'expiring' | 'revoked' | 'expired';
export type Role = 'compute' | 'storage' | 'service' | 'ingress';
export type Protocol = 'http3' | 'grpc' | 'datagram' | 'custom';

export interface IdentityRequest { purpose: string; minTier: IdentityTier; ttlMs: number }
export interface IdentityAttestation { tier?: IdentityTier; format?: string; data?: ArrayBuffer }
export interface QoSProfile {
  maxCpuPercentBackground: number; maxBurstMs: number; hardPreemptLatencyMs: number; maxWakeupsPerSecond: number; maxResidentBytes: number; maxCommitBytes: number;
  backgroundEgressKbps: number; backgroundIngressKbps: number;
}
export interface PowerPolicy { onlyWhileCharging: boolean; minBatteryPercent: number; thermalCeiling: number }
export interface LeaseRequest { qos?: QoSProfile; power?: PowerPolicy; durationMs: number; allowIngress: boolean; allowStorage: boolean; requireAttestedDomains: boolean }
export interface DomainOptions { imageHash: string; entrypoint: string; deterministic: boolean; environmentName: string }
export interface ResourceHints { latencyClass: number; maxJitterMs: number; preemptable: boolean }
export interface IngressAuthPolicy { scheme?: string; audience?: string; maxSkewMs: number }
export interface IngressRequest { serviceName: string; protocols: Protocol[]; auth?: IngressAuthPolicy; ttlMs: number; maxConnections: number; maxRps: number }
export interface ConsensusGroupOptions { replicas?: number; maxFaults?: number; rotationPolicy?: string }
export interface TaskBundle { bundleHash: string; taskName: string; inputsCID: string; oracleNames: string[] }
export interface RunOptions { timeBudgetMs: number; emitTraceCommitment: boolean }
export interface ExecutionReceipt {
  origin: string; startedAt: number; finishedAt: number; cpuNanos: number; gpuNanos: number; bytesRead: number; bytesWritten: number; netBytesIn: number; netBytesOut: number;
}
export interface DeterministicResult { outputCID: string; traceCommitment?: string; receipt?: ExecutionReceipt }
export interface CheckpointOptions { maxTimeMs: number; allowPartial: boolean }
export interface KernelSignals { memoryPressure: number; thermalTrend: number; batteryTrend: number; interactionLikelihood: number }

const identityTier = enumeration<IdentityTier>('software', 'hardware-basic', 'hardware-strong');
const protocol = enumeration<Protocol>('http3', 'grpc', 'datagram', 'custom');

export const identityRequest = dictionary<IdentityRequest>({
  purpose: { type: usvString, required: true }, minTier: { type: identityTier, default: 'software' }, ttlMs: { type: double, default: 300_000 },
});
export const identityAttestation = dictionary<IdentityAttestation>({ tier: { type: identityTier }, format: { type: usvString }, data: { type: arrayBuffer } });
export const qosProfile = dictionary<QoSProfile>({
  maxCpuPercentBackground: { type: double, default: 10 }, maxBurstMs: { type: double, default: 10 }, hardPreemptLatencyMs: { type: double, default: 5 },
  maxWakeupsPerSecond: { type: unsignedLong, default: 30 }, maxResidentBytes: { type: unsignedLongLong, default: 268_435_456 },
  maxCommitBytes: { type: unsignedLongLong, default: 536_870_912 }, backgroundEgressKbps: { type: unsignedLong, default: 256 }, backgroundIngressKbps: { type: unsignedLong, default: 256 },
});
export const powerPolicy = dictionary<PowerPolicy>({
  onlyWhileCharging: { type: boolean, default: false }, minBatteryPercent: { type: unsignedShort, default: 20 }, thermalCeiling: { type: unsignedShort, default: 80 },
});
export const leaseRequest = dictionary<LeaseRequest>({
  qos: { type: qosProfile }, power: { type: powerPolicy }, durationMs: { type: double, default: 900_000 }, allowIngress: { type: boolean, default: false },
  allowStorage: { type: boolean, default: false }, requireAttestedDomains: { type: boolean, default: false },
});
export const domainOptions = dictionary<DomainOptions>({
  imageHash: { type: usvString, required: true }, entrypoint: { type: usvString, required: true }, deterministic: { type: boolean, default: false },
  environmentName: { type: usvString, default: 'default' },
});
export const resourceHints = dictionary<ResourceHints>({
  latencyClass: { type: double, default: 0.5 }, maxJitterMs: { type: double, default: 5 }, preemptable: { type: boolean, default: true },
});
export const ingressAuthPolicy = dictionary<IngressAuthPolicy>({ scheme: { type: usvString }, audience: { type: usvString }, maxSkewMs: { type: double, default: 30_000 } });
export const ingressRequest = dictionary<IngressRequest>({
  serviceName: { type: usvString, required: true }, protocols: { type: sequence(protocol), required: true }, auth: { type: ingressAuthPolicy },
  ttlMs: { type: double, default: 300_000 }, maxConnections: { type: unsignedLong, default: 1000 }, maxRps: { type: unsignedLong, default: 1000 },
});
export const consensusGroupOptions = dictionary<ConsensusGroupOptions>({
  replicas: { type: unsignedShort }, maxFaults: { type: unsignedShort }, rotationPolicy: { type: usvString },
});
export const taskBundle = dictionary<TaskBundle>({
  bundleHash: { type: usvString, required: true }, taskName: { type: usvString, required: true }, inputsCID: { type: usvString, required: true },
  oracleNames: { type: sequence(usvString), default: [] },
});
export const runOptions = dictionary<RunOptions>({ timeBudgetMs: { type: double, default: 1000 }, emitTraceCommitment: { type: boolean, default: true } });
export const checkpointOptions = dictionary<CheckpointOptions>({ maxTimeMs: { type: double, default: 50 }, allowPartial: { type: boolean, default: true } });
/** `token`: the interface, which is defined above this file. */
export const clusterJoinOptions = <T>(token: abstract new (...args: never[]) => T) =>
  dictionary<{ identity?: T; manifestHash?: string }>({ identity: { type: object(token) }, manifestHash: { type: usvString } });
