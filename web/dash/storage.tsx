// What this owner has on machines of others, and how many of them may vanish.
import { useState } from 'preact/hooks';

import { bytes, count } from './format';
import { useLive } from './live';
import { Chip, Empty, Id, Meter, Panel, Table } from './parts';

const SHOWN = 200;
const HOLDERS_ENOUGH = 3;

export function StoragePage() {
  const { blobs, status, grants, leases } = useLive();
  const [wanted, setWanted] = useState('');
  const found = blobs.filter((blob) => `${blob.name} ${blob.cid} ${blob.zone}`.toLowerCase().includes(wanted.toLowerCase()));
  const offers = grants.filter((grant) => !grant.given && grant.storage_bytes > 0 && grant.state !== 'revoked' && grant.state !== 'expired');
  return (
    <>
      <Panel title="Your files, on machines of others" note="Encrypted, as symbols: any enough of them bring a file back, whoever holds them." actions={
        <label class="search"><span>Search</span><input type="search" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} /></label>}>
        {blobs.length === 0 ? <Empty>None yet. To store some: <code>selvedge put FILE…</code></Empty> : (
          <Table label="Your files" head={['name', 'content', '>size', '>objects', 'coverage', 'zone']}>
            {found.slice(0, SHOWN).map((blob) => (
              <tr key={blob.cid + blob.zone}><td>{blob.name}</td><td><Id value={blob.cid} /></td><td class="number">{bytes(blob.size)}</td><td class="number">{count(blob.objects)}</td>
                <td><Chip kind={blob.holders >= HOLDERS_ENOUGH ? 'good' : blob.holders > 1 ? 'warn' : 'bad'}>{blob.holders} {blob.holders === 1 ? 'machine' : 'machines'}</Chip></td><td>{blob.zone}</td></tr>
            ))}
          </Table>
        )}
        {found.length > SHOWN && <p class="muted">{found.length - SHOWN} more; search for less.</p>}
      </Panel>
      <Panel title="Where you may store">
        {offers.length === 0 ? <Empty>No machine grants you storage. To ask one: <code>selvedge grant ask NODE storage</code></Empty> : (
          <ul class="plain">{offers.map((grant) => <li key={grant.id}><Id value={grant.node} /> of owner <Id value={grant.owner} />: {bytes(grant.storage_bytes)} <Chip kind={grant.state === 'active' ? 'good' : 'warn'}>{grant.state}</Chip></li>)}</ul>
        )}
      </Panel>
      <Panel title="Held here for others" note={status ? `${count(status.objects_held)} objects, ${bytes(status.bytes_held)}. Nobody can read them here.` : undefined}>
        {leases.filter((lease) => lease.storage_bytes > 0 && lease.state !== 'revoked' && lease.state !== 'expired').map((lease) => (
          <Meter key={lease.id} name={`origin ${lease.origin.slice(0, 8)}`} value={lease.stored_bytes} limit={lease.storage_bytes} text={`${bytes(lease.stored_bytes)} of ${bytes(lease.storage_bytes)}`} />
        ))}
      </Panel>
    </>
  );
}
