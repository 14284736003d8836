// Programs: of others here, and this owner's elsewhere; and whether results were right.
import { useEffect, useState } from 'preact/hooks';

import { call } from './api';
import { bytes, count, duration } from './format';
import { useLive } from './live';
import { Action, Chip, Empty, Id, Panel, Table } from './parts';
import type { Receipt } from './types';

export function useReceipts(): { receipts: Receipt[]; load: () => Promise<void>; trouble: string } {
  const [receipts, setReceipts] = useState<Receipt[]>([]);
  const [trouble, setTrouble] = useState('');
  const load = async (): Promise<void> => {
    try {
      setReceipts((await call<{ receipts: Receipt[] }>('receipts')).receipts);
      setTrouble('');
    } catch (why) {
      setTrouble((why as Error).message);
    }
  };
  useEffect(() => {
    void load();
    const again = setInterval(() => { if (!document.hidden) void load(); }, 5000);
    return () => clearInterval(again);
  }, []);
  return { receipts, load, trouble };
}

/** Of this owner's own jobs: how many executions agreed, and who did not. */
function Verification({ receipts, owner }: { receipts: Receipt[]; owner: string }) {
  const mine = receipts.filter((each) => each.receipt.origin === owner);
  const agreed = mine.filter((each) => each.accepted).length;
  const banned = useLive().peers.filter((peer) => peer.banned);
  return (
    <Panel title="Were results right?" note="Each task runs on machines of several owners; a result counts when they agree on output and trace.">
      <div class="tally">
        <div><span class="value number">{count(agreed)}</span><span class="muted">executions agreed</span></div>
        <div><span class="value number">{count(mine.length - agreed)}</span><span class="muted">were rejected or are not settled</span></div>
        <div><span class="value number">{banned.length}</span><span class="muted">machines were caught</span></div>
      </div>
      {banned.length > 0 && <ul class="plain">{banned.map((peer) => <li key={peer.node}><Chip kind="bad">caught</Chip> <Id value={peer.node} /> of owner <Id value={peer.owner} /> gets no more work</li>)}</ul>}
    </Panel>
  );
}

function Bundles({ receipts, owner }: { receipts: Receipt[]; owner: string }) {
  const others = receipts.filter((each) => each.receipt.origin !== owner);
  if (others.length === 0) return null;
  const by = new Map<string, { origin: string; runs: number; fuel: number; cpu: number; last: number }>();
  for (const { receipt } of others) {
    const row = by.get(receipt.module) ?? { origin: receipt.origin, runs: 0, fuel: 0, cpu: 0, last: 0 };
    row.runs += 1;
    row.fuel += receipt.fuel;
    row.cpu += receipt.cpu_ns;
    row.last = Math.max(row.last, receipt.finished_ms);
    by.set(receipt.module, row);
  }
  return (
    <Panel title="What ran here for others">
      <Table label="Programs that ran here" head={['program', 'origin', '>runs', '>fuel', '>processor', 'last']}>
        {[...by].sort((a, b) => b[1].last - a[1].last).slice(0, 50).map(([module, row]) => (
          <tr key={module}><td><Id value={module} /></td><td><Id value={row.origin} /></td><td class="number">{row.runs}</td><td class="number">{count(row.fuel)}</td>
            <td class="number">{(row.cpu / 1e9).toFixed(2)} s</td><td>{duration((Date.now() - row.last) / 1000)} ago</td></tr>
        ))}
      </Table>
    </Panel>
  );
}

export function WorkPage() {
  const { domains, tasks, peers, status } = useLive();
  const { receipts, trouble } = useReceipts();
  const other = (node: string): string | undefined => peers.find((peer) => peer.connected && !peer.banned && peer.node !== node)?.node;
  return (
    <>
      <Panel title="Programs of others, here">
        {domains.length === 0 ? <Empty>Nothing of others runs here.</Empty> : (
          <Table label="Programs of others on this machine" head={['program', 'hash', 'origin', 'lease', 'stage', '>for']}>
            {domains.map((each) => (
              <tr key={each.task}><td>{each.bundle || 'a bare module'}{each.entry && ` · ${each.entry}`}</td><td><Id value={each.module} /></td><td><Id value={each.origin} /></td><td><Id value={each.lease} /></td>
                <td><Chip kind={each.stage === 'running' ? 'good' : 'calm'}>{each.stage}</Chip></td><td class="number">{duration(Date.now() / 1000 - each.offered)}</td></tr>
            ))}
          </Table>
        )}
      </Panel>
      <Panel title="Your jobs, elsewhere" note={status && status.jobs_running > 0 ? `${status.jobs_running} ${status.jobs_running === 1 ? 'job is' : 'jobs are'} under way.` : undefined}>
        {tasks.length === 0 ? <Empty>No task of yours is under way. To run one: <code>selvedge run program.wasm FILE…</code></Empty> : (
          <Table label="Tasks of yours under way" head={['task', 'machine', 'state', '>for', '>kept', '>moves', '']}>
            {tasks.map((each) => {
              const to = other(each.node);
              return (
                <tr key={each.task + each.node}><td><Id value={each.task} /></td><td><Id value={each.node} /></td><td><Chip kind={each.committed ? 'good' : 'calm'}>{each.committed ? 'done, not shown yet' : 'running'}</Chip></td>
                  <td class="number">{duration(each.seconds)}</td><td class="number">{each.state_bytes > 0 ? bytes(each.state_bytes) : 'nothing'}</td><td class="number">{each.moves}</td>
                  <td>{to && <Action run={async () => { await call('task.move', { task: each.task, node: to }); return 'It goes on elsewhere.'; }}>Move</Action>}</td></tr>
              );
            })}
          </Table>
        )}
      </Panel>
      {trouble && <p class="why">{trouble}</p>}
      {status && <Verification receipts={receipts} owner={status.owner} />}
      {status && <Bundles receipts={receipts} owner={status.owner} />}
    </>
  );
}
