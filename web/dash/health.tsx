// What is wrong and what to do about it, and what this machine offers.
import { duration } from './format';
import { useLive, type Live } from './live';
import { Chip, Empty, Id, Panel } from './parts';

export interface Finding { bad: boolean; what: string; todo: string }

/** Only from what the node says; `selvedge doctor` looks at the machine itself. */
export function findings(live: Live): Finding[] {
  const out: Finding[] = [];
  const status = live.status;
  const now = Date.now() / 1000;
  if (live.trouble) out.push({ bad: true, what: live.trouble, todo: 'Start it: selvedge up. The page finds it again by itself if its address stays.' });
  if (!status) return out;
  for (const alert of status.alerts) out.push({ bad: true, what: alert.text, todo: 'Look at the audit log, and revoke what you do not know.' });
  if (status.revoked) out.push({ bad: true, what: 'This device was taken back by its owner.', todo: 'It is told nothing any more. To use it again, enrol it anew: selvedge device request.' });
  if (status.awaiting_index) out.push({ bad: true, what: 'The index of what you own is not found yet.', todo: 'Connect a host that has your data: selvedge peer add TICKET.' });
  if (!status.owner_key_here && status.record_expires - now < 86_400) {
    out.push({ bad: true, what: `Your word on this device ends in ${duration(Math.max(0, status.record_expires - now))}.`, todo: 'Connect it to the device that holds your key; it is renewed by itself then.' });
  }
  if (status.repairs_pending > 0) out.push({ bad: false, what: `${status.repairs_pending} objects have too few holders and are placed again.`, todo: 'This ends by itself where enough hosts grant storage; if it does not, ask another: selvedge grant ask.' });
  const away = live.peers.filter((peer) => !peer.connected && !peer.banned);
  for (const peer of away.slice(0, 5)) out.push({ bad: false, what: `${peer.node.slice(0, 8)} is not connected${peer.error ? `: ${peer.error}` : ''}.`, todo: 'It is dialled again by itself. If its owner moved it, ask for a new ticket, or let this node look for it: selvedge up --find lan --find dht.' });
  if (away.length > 5) out.push({ bad: false, what: `${away.length - 5} further peers are not connected.`, todo: 'The page Network lists them.' });
  for (const peer of live.peers.filter((each) => each.banned)) out.push({ bad: true, what: `${peer.node.slice(0, 8)} was caught giving a wrong result.`, todo: 'It gets no more work from you. Its receipts are on the page Receipts.' });
  for (const lease of live.leases.filter((each) => each.violations > 0)) out.push({ bad: false, what: `Lease ${lease.id.slice(0, 8)} broke its limits ${lease.violations} times.`, todo: 'It is slowed by itself and revoked if it goes on. Throttle it or revoke it on the page Leases.' });
  for (const each of live.deployed.filter((one) => one.why !== '')) out.push({ bad: each.serving === 0, what: `Service ${each.name}: ${each.why}.`, todo: 'It is mended by itself where enough machines granted computing; the page Network says how it is with each.' });
  const thin = live.blobs.filter((blob) => blob.holders < 3);
  if (thin.length > 0) out.push({ bad: thin.some((blob) => blob.holders < 2), what: `${thin.length} of your files are on fewer than 3 machines.`, todo: 'Ask more hosts for storage: selvedge grant ask NODE storage.' });
  return out;
}

export function FindingList({ list }: { list: Finding[] }) {
  return (
    <ul class="findings">
      {list.map((each) => (
        <li key={each.what}><Chip kind={each.bad ? 'bad' : 'warn'}>{each.bad ? 'act' : 'note'}</Chip><div><strong>{each.what}</strong><p class="muted">{each.todo}</p></div></li>
      ))}
    </ul>
  );
}

export function HealthPage() {
  const live = useLive();
  const status = live.status;
  const list = findings(live);
  if (!status) return <Empty>Asking the node …</Empty>;
  const facts: [string, string][] = [
    ['Version', status.version], ['Isolation', `programs run in a ${status.isolation} each`], ['Addresses', status.addresses.join(', ') || 'none'],
    ['Roles', status.roles.length > 0 ? `${status.roles.join(', ')}, for everybody` : 'none for everybody'],
    ['Announced', status.announced.join(', ') || 'nobody is told where this node is'],
    ['Your key', status.owner_key_here ? 'is on this device' : `is elsewhere; its word on this device ends in ${duration(status.record_expires - Date.now() / 1000)}`],
    ['Index', status.index_saved > 0 ? `saved on hosts ${duration(Date.now() / 1000 - status.index_saved)} ago${status.index_pending > 0 ? `; ${status.index_pending} changes are not in it yet` : ''}` : 'not saved on hosts yet'],
  ];
  return (
    <>
      <Panel title={list.length === 0 ? 'All is well' : 'What is wrong, and what to do'} note="From what the node knows of itself. The machine around it is checked by selvedge doctor.">
        {list.length === 0 ? <p class="muted">Peers, leases, storage, alerts, keys and the index of what you own were looked at.</p> : <FindingList list={list} />}
      </Panel>
      <Panel title="This node">
        <dl class="facts">
          <dt>Node</dt><dd><Id value={status.node} /></dd><dt>Owner</dt><dd><Id value={status.owner} /></dd>
          {facts.map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name}=`}>{value}</dd>])}
        </dl>
      </Panel>
      {live.devices.length > 0 && (
        <Panel title="Your devices">
          <ul class="plain">{live.devices.map((each) => <li key={each.node}><strong>{each.label || 'unnamed'}</strong> <Id value={each.node} /> <Chip kind={each.state === 'lost' ? 'bad' : each.state === 'away' ? 'warn' : 'good'}>{each.state}</Chip></li>)}</ul>
        </Panel>
      )}
    </>
  );
}
