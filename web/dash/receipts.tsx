// Signed accounts of what ran: searched, and taken away as files.
import { useState } from 'preact/hooks';

import { bytes, clock, count } from './format';
import { useLive } from './live';
import { Chip, Empty, Id, Panel, save, Table } from './parts';
import { useReceipts } from './work';
import type { Receipt } from './types';
import { Proof } from './audit';

const SHOWN = 100;
const DEGRADED = ['interaction', 'frames', 'memory', 'heat', 'power', 'violations', 'shed', 'owner'];
const COLUMNS = ['task', 'origin', 'executor', 'owner', 'grant', 'module', 'started_ms', 'finished_ms', 'fuel', 'cpu_ns', 'memory_peak_bytes', 'bytes_in', 'bytes_out', 'degraded', 'violations', 'outcome', 'output', 'trace'] as const;

function csv(list: Receipt[]): string {
  const cell = (value: unknown): string => (typeof value === 'number' ? String(value) : `"${String(value ?? '').replace(/"/g, '""')}"`);
  return [[...COLUMNS, 'accepted'].join(','), ...list.map((each) => [...COLUMNS.map((name) => cell(each.receipt[name])), String(each.accepted)].join(','))].join('\n') + '\n';
}

export function degradedText(bits: number): string { return DEGRADED.filter((_, i) => bits & (1 << i)).join(', '); }

export function ReceiptsPage() {
  const { status } = useLive();
  const { receipts, trouble } = useReceipts();
  const [wanted, setWanted] = useState('');
  const [side, setSide] = useState('all');
  const found = receipts
    .filter((each) => side === 'all' || (side === 'here') === (each.receipt.executor === status?.node))
    .filter((each) => wanted === '' || JSON.stringify(each.receipt).toLowerCase().includes(wanted.toLowerCase()))
    .sort((a, b) => b.receipt.finished_ms - a.receipt.finished_ms);
  return (
    <Panel title="Receipts" note="Signed by the machine that ran it: what, for whom, how long, and what it used." actions={
      <>
        <label class="search"><span>Search</span><input type="search" placeholder="key, hash, outcome" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} /></label>
        <label class="search"><span>Ran</span><select value={side} onChange={(event) => setSide(event.currentTarget.value)}><option value="all">anywhere</option><option value="here">here</option><option value="elsewhere">elsewhere</option></select></label>
        <button type="button" disabled={found.length === 0} onClick={() => save('receipts.json', 'application/json', JSON.stringify(found, null, 1))}>Export JSON</button>
        <button type="button" disabled={found.length === 0} onClick={() => save('receipts.csv', 'text/csv', csv(found))}>Export CSV</button>
      </>}>
      {trouble && <p class="why">{trouble}</p>}
      {found.length === 0 ? <Empty>{receipts.length === 0 ? 'No program ran yet.' : 'None fits.'}</Empty> : (
        <Table label="Receipts" head={['finished', 'origin', 'ran at', 'program', 'outcome', '>fuel', '>processor', '>memory', '>in, out', 'slowed by', '']}>
          {found.slice(0, SHOWN).map(({ id, receipt, accepted }) => (
            <tr key={id}>
              <td>{clock(receipt.finished_ms)}</td><td><Id value={receipt.origin} /></td><td><Id value={receipt.executor} /></td><td><Id value={receipt.module} /></td>
              <td><Chip kind={receipt.outcome === 'ok' ? 'good' : 'warn'}>{receipt.outcome}</Chip> {receipt.origin === status?.owner && <span class="muted">{accepted ? 'agreed' : 'not accepted'}</span>}</td>
              <td class="number">{count(receipt.fuel)}</td><td class="number">{(receipt.cpu_ns / 1e6).toFixed(0)} ms</td><td class="number">{bytes(receipt.memory_peak_bytes)}</td>
              <td class="number">{bytes(receipt.bytes_in)}, {bytes(receipt.bytes_out)}</td><td>{degradedText(receipt.degraded)}</td><td>{receipt.executor === status?.node && <Proof entry={id} name={`receipt-${id.slice(0, 8)}`} />}</td>
            </tr>
          ))}
        </Table>
      )}
      {found.length > SHOWN && <p class="muted">{found.length - SHOWN} more; search for less, or export.</p>}
    </Panel>
  );
}
