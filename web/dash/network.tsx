// Ways to other nodes: a map of them, and what each is.
import { bytes, count } from './format';
import { useLive } from './live';
import { Chip, Empty, Id, Panel, Table } from './parts';
import type { Deployment, Peer } from './types';

const WIDTH = 640;
const HEIGHT = 320;
const MAP_PEERS_MAX = 24;

function pathText(peer: Peer): string {
  if (peer.banned) return 'caught';
  if (!peer.connected) return 'away';
  return `${peer.path || 'connected'}${peer.ways > 1 ? ` · ${peer.ways} ways` : ''}`;
}

/** This node in the middle; a line for each way that stands, dashed through a relay. */
function PathMap({ peers }: { peers: Peer[] }) {
  const shown = [...peers].sort((a, b) => Number(b.connected) - Number(a.connected)).slice(0, MAP_PEERS_MAX);
  const place = (i: number): [number, number] => {
    const angle = (i / shown.length) * 2 * Math.PI - Math.PI / 2;
    return [WIDTH / 2 + Math.cos(angle) * WIDTH * 0.36, HEIGHT / 2 + Math.sin(angle) * HEIGHT * 0.36];
  };
  const words = shown.map((peer) => `${peer.node.slice(0, 8)} ${pathText(peer)}`).join(', ');
  return (
    <svg class="map" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Ways from this node: ${words}`}>
      {shown.map((peer, i) => {
        const [x, y] = place(i);
        return <line key={peer.node} class={peer.connected ? peer.path || 'direct' : 'away'} x1={WIDTH / 2} y1={HEIGHT / 2} x2={x} y2={y} stroke-width={1.5 + Math.min(peer.ways, 4)} />;
      })}
      {shown.map((peer, i) => {
        const [x, y] = place(i);
        return (
          <g key={peer.node} class={`peer ${peer.banned ? 'banned' : peer.connected ? 'up' : 'away'}`}>
            <circle cx={x} cy={y} r="9" />
            <text x={x} y={y + (y > HEIGHT / 2 ? 26 : -16)} text-anchor="middle">{peer.node.slice(0, 8)}</text>
          </g>
        );
      })}
      <g class="peer self"><circle cx={WIDTH / 2} cy={HEIGHT / 2} r="14" /><text x={WIDTH / 2} y={HEIGHT / 2 + 32} text-anchor="middle">this node</text></g>
    </svg>
  );
}

/** What this owner wants to run on machines of others, and what is seen of it. */
function Deployments({ list }: { list: Deployment[] }) {
  if (list.length === 0) return null;
  return (
    <Panel title="Your services, on machines of others" note="Wanted, and seen. What is not as wanted says why, and is mended by itself.">
      {list.map((each) => (
        <section key={each.address} class="deployment" aria-label={`Service ${each.name}`}>
          <h3>{each.name} <Id value={each.address} label={`${each.address.slice(0, 17)}…`} /> <Chip kind={each.suspended ? 'calm' : each.why === '' ? 'good' : 'warn'}>
            {each.suspended ? 'suspended' : `${each.serving} of ${each.replicas} serving`}</Chip></h3>
          {each.why && <p class="why">{each.why}</p>}
          {each.machines.length > 0 && (
            <Table label={`Machines of ${each.name}`} head={['machine', 'owner', 'stage', '>requests', '>failed', 'says']}>
              {each.machines.map((machine) => (
                <tr key={machine.node}><td><Id value={machine.node} /></td><td><Id value={machine.owner} /></td><td><Chip kind={machine.stage === 'serving' ? 'good' : machine.stage === 'refused' ? 'bad' : 'warn'}>{machine.stage}</Chip></td>
                  <td class="number">{count(machine.requests)}</td><td class="number">{count(machine.failed)}</td><td class="words">{machine.message}</td></tr>
              ))}
            </Table>
          )}
        </section>
      ))}
    </Panel>
  );
}

export function NetworkPage() {
  const { peers, relays, status, services, deployed } = useLive();
  return (
    <>
      <Panel title="Ways to other nodes" note={status ? `This node is at ${status.addresses.join(', ') || 'no address'}. ${status.announced.length > 0 ? `Announced at ${status.announced.join(', ')}.` : 'Nobody is told so unless by a ticket.'}` : undefined}>
        {peers.length === 0 ? <Empty>No other node is known. To meet one: <code>selvedge peer add TICKET</code></Empty> : (
          <>
            <PathMap peers={peers} />
            <p class="legend"><span class="line direct" /> direct <span class="line relay" /> through a relay <span class="line away" /> away</p>
            <Table label="Other nodes" head={['node', 'owner', 'way', 'at', 'why not']}>
              {peers.map((peer) => (
                <tr key={peer.node}><td><Id value={peer.node} /></td><td><Id value={peer.owner} /></td>
                  <td><Chip kind={peer.banned ? 'bad' : peer.connected ? 'good' : 'warn'}>{pathText(peer)}</Chip></td><td>{peer.at}</td><td class="words">{peer.connected ? '' : peer.error}</td></tr>
              ))}
            </Table>
          </>
        )}
      </Panel>
      <Deployments list={deployed} />
      <Panel title="Services exposed here" note="Each is reached by its key.">
        {services.length === 0 ? <Empty>None is exposed here.</Empty> : (
          <Table label="Services exposed here" head={['name', 'address', 'leads to', 'who', '>open now', '>in', '>out']}>
            {services.map((each) => (
              <tr key={each.name}><td>{each.name}</td><td><Id value={each.address} label={`${each.address.slice(0, 17)}…`} /></td><td>{each.target}</td><td>{each.access}</td>
                <td class="number">{each.connections} of {each.connections_max}</td><td class="number">{bytes(each.bytes_in)}</td><td class="number">{bytes(each.bytes_out)}</td></tr>
            ))}
          </Table>
        )}
      </Panel>
      {relays && (relays.serving || relays.used.length > 0) && (
        <Panel title="Relays">
          {relays.serving && <p>This node is a relay: {count(relays.circuits)} circuits are open, {bytes(relays.bytes_carried)} passed through. It does not know whose.</p>}
          <ul class="plain">{relays.used.map((each) => <li key={each.address}>Reached through <Id value={each.relay} /> <Chip kind={each.connected ? 'good' : 'warn'}>{each.connected ? 'connected' : 'away'}</Chip></li>)}</ul>
        </Panel>
      )}
    </>
  );
}
