// The audit log of this node: its head, who signed that they saw it, and its entries, each with a proof that it is in there.
import { useEffect, useState } from 'preact/hooks';

import { call } from './api';
import { clock, count, duration } from './format';
import { Action, Chip, Empty, Id, Panel, save, Table } from './parts';
import type { Entry, Head } from './types';

const PIECE = 100;

/** A tlog-proof file, which anybody can check without asking this node. */
export function Proof({ entry, name }: { entry: string; name: string }) {
  return (
    <Action run={async () => {
      const answer = await call<{ proof: string; size: number; entry: Entry }>('audit.prove', { entry });
      save(`${name}.tlog-proof`, 'text/plain', answer.proof);
      return `Entry ${answer.entry.index} of ${answer.size} is proved by ${name}.tlog-proof; selvedge audit verify checks it.`;
    }}>Proof</Action>
  );
}

export function AuditPage() {
  const [head, setHead] = useState<Head | null>(null);
  const [entries, setEntries] = useState<Entry[]>([]);
  const [before, setBefore] = useState(0);
  const [kind, setKind] = useState('');
  const [trouble, setTrouble] = useState('');
  const load = async (from: number): Promise<void> => {
    try {
      const answer = await call<{ entries: Entry[]; next_before: number }>('audit.list', { kind, before: from, count_max: PIECE });
      setEntries((old) => (from === 0 ? answer.entries : [...old, ...answer.entries]));
      setBefore(answer.next_before);
      if (from === 0) setHead(await call<Head>('audit.head'));
      setTrouble('');
    } catch (why) {
      setTrouble((why as Error).message);
    }
  };
  useEffect(() => { void load(0); }, [kind]);
  return (
    <>
      {trouble && <p class="why">{trouble}</p>}
      <Panel title="Head" note="Everything that was allowed, changed or refused here, in a log that cannot be rewritten unnoticed." actions={<button type="button" onClick={() => void load(0)}>Look again</button>}>
        {head === null ? <Empty>Asking for the head …</Empty> : (
          <>
            <dl class="facts">
              <dt>Entries</dt><dd class="number">{head.size}{head.waiting > 0 && `, ${head.waiting} not on disk yet`}</dd><dt>Root</dt><dd><Id value={head.root} /></dd>
              <dt>Signed</dt><dd>{head.made > 0 ? `${duration(Date.now() / 1000 - head.made)} ago` : 'not yet'}</dd>
              <dt>Seen by</dt><dd>{head.cosigners.length === 0 ? 'no other machine' : head.cosigners.map((each) => <span key={each.node}><Id value={each.node} /> </span>)}{head.quorum > 0 && ` (the policy asks for ${head.quorum})`}</dd>
              <dt>Key</dt><dd><Id value={head.vkey} label={head.origin} /></dd>
            </dl>
            {head.checkpoint && <button type="button" onClick={() => save('checkpoint.txt', 'text/plain', head.checkpoint)}>Save the signed head</button>}
            {head.alerts.map((each) => <p key={each} class="why"><Chip kind="bad">alert</Chip> {each}</p>)}
          </>
        )}
      </Panel>
      <Panel title="Entries" actions={<label class="search"><span>Kind</span><select value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
        {['', 'node', 'grant', 'permission', 'lease', 'bundle', 'receipt', 'revocation', 'policy', 'capability', 'zone-epoch', 'secret', 'device', 'key', 'witness', 'gap'].map((each) => <option key={each} value={each}>{each || 'all'}</option>)}</select></label>}>
        {entries.length === 0 ? <Empty>None.</Empty> : (
          <Table label="Entries of the audit log" head={['>number', 'when', 'kind', 'about', 'what', '']}>
            {entries.map((each) => (
              <tr key={each.index}><td class="number">{count(each.index)}</td><td>{clock(each.time_ms)}</td><td>{each.kind}</td><td><Id value={each.subject} /></td><td class="words">{each.detail}</td>
                <td><Proof entry={String(each.index)} name={`entry-${each.index}`} /></td></tr>
            ))}
          </Table>
        )}
        {before > 0 && <p><button type="button" onClick={() => void load(before)}>Older</button></p>}
      </Panel>
    </>
  );
}
