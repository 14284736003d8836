// What the node said last, kept current: one watch for all pages, paused while nobody looks at the tab.
import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';

import { SignedOut, watch } from './api';
import type { Ask, Blob, Deployment, Device, Domain, Grant, Hosted, Lease, Peer, Relays, Service, Status, Task } from './types';

export interface Sample { cpu: number; memory: number; bytesIn: number; bytesOut: number; wakeups: number }
const SAMPLES_MAX = 120;

export interface Live {
  status?: Status; leases: Lease[]; domains: Domain[]; peers: Peer[]; services: Service[]; hosted: Hosted[]; deployed: Deployment[]; asks: Ask[]; tasks: Task[]; blobs: Blob[]; grants: Grant[];
  relays?: Relays; devices: Device[];
  /** By lease, oldest first, one a second. */
  samples: Map<string, Sample[]>;
  /** Why nothing comes; empty: it does. */
  trouble: string;
}

const CALLS: { method: string; take: (live: Live, answer: never) => void }[] = [
  { method: 'status', take: (live, answer: Status) => { live.status = answer; } },
  { method: 'lease.list', take: (live, answer: { leases: Lease[] }) => { live.leases = answer.leases; } },
  { method: 'domain.list', take: (live, answer: { domains: Domain[] }) => { live.domains = answer.domains; } },
  { method: 'peer.list', take: (live, answer: { peers: Peer[] }) => { live.peers = answer.peers; } },
  { method: 'service.list', take: (live, answer: { services: Service[]; hosted: Hosted[]; deployed: Deployment[] }) => {
    live.services = answer.services;
    live.hosted = answer.hosted;
    live.deployed = answer.deployed;
  } },
  { method: 'grant.requests', take: (live, answer: { requests: Ask[] }) => { live.asks = answer.requests; } },
  { method: 'task.list', take: (live, answer: { tasks: Task[] }) => { live.tasks = answer.tasks; } },
  { method: 'blob.list', take: (live, answer: { blobs: Blob[] }) => { live.blobs = answer.blobs; } },
  { method: 'grant.list', take: (live, answer: { grants: Grant[] }) => { live.grants = answer.grants; } },
  { method: 'relay.list', take: (live, answer: Relays) => { live.relays = answer; } },
  { method: 'device.list', take: (live, answer: { devices: Device[] }) => { live.devices = answer.devices; } },
];

function empty(): Live {
  return { leases: [], domains: [], peers: [], services: [], hosted: [], deployed: [], asks: [], tasks: [], blobs: [], grants: [], devices: [], samples: new Map(), trouble: '' };
}

/** What was used between two looks a second apart, of counters that only grow (and may be a moment behind). */
function sample(live: Live, before: Map<string, Lease>, seconds: number): void {
  for (const lease of live.leases) {
    const last = before.get(lease.id);
    before.set(lease.id, lease);
    if (!last) continue;
    const rate = (now: number, then: number): number => Math.max(0, now - then) / seconds;
    const list = live.samples.get(lease.id) ?? [];
    list.push({
      cpu: Math.min(1000, rate(lease.cpu_ns, last.cpu_ns) / 1e6),
      memory: lease.resident_bytes,
      bytesIn: rate(lease.bytes_in, last.bytes_in),
      bytesOut: rate(lease.bytes_out, last.bytes_out),
      wakeups: rate(lease.wakeups, last.wakeups),
    });
    if (list.length > SAMPLES_MAX) list.shift();
    live.samples.set(lease.id, list);
  }
}

export function useFeed(onSignedOut: (why: string) => void): Live {
  const [live] = useState(empty);
  const [, redraw] = useState(0);
  useEffect(() => {
    let ended = false;
    let stop = new AbortController();
    const before = new Map<string, Lease>();
    let sampled = performance.now();
    let dirty = false;
    const run = async (): Promise<void> => {
      while (!ended) {
        if (document.hidden) {
          await new Promise((shown) => document.addEventListener('visibilitychange', shown, { once: true }));
          continue;
        }
        stop = new AbortController();
        try {
          await watch(CALLS, 1000, (told) => {
            live.trouble = '';
            dirty = true;
            if (told.result !== undefined) CALLS[told.call]?.take(live, told.result as never);
          }, stop.signal);
        } catch (why) {
          if (why instanceof SignedOut) return onSignedOut(why.message);
          if (!document.hidden && !ended) {
            live.trouble = 'The node does not answer. Is it running? Trying again.';
            redraw((n) => n + 1);
            await new Promise((waited) => setTimeout(waited, 1500));
          }
        }
      }
    };
    void run();
    const onVisible = (): void => { if (document.hidden) stop.abort(); };
    document.addEventListener('visibilitychange', onVisible);
    // What comes in a burst is drawn once.
    const drawer = setInterval(() => {
      if (dirty) dirty = false, redraw((n) => n + 1);
    }, 100);
    const sampler = setInterval(() => {
      const now = performance.now();
      sample(live, before, (now - sampled) / 1000);
      sampled = now;
      dirty = true;
    }, 1000);
    return () => {
      ended = true;
      stop.abort();
      clearInterval(drawer);
      clearInterval(sampler);
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, []);
  return live;
}

export const LiveContext = createContext<Live>(empty());
export function useLive(): Live { return useContext(LiveContext); }
