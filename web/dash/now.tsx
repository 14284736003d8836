// The first page: what happens on this machine, in a sentence, and what wants attention.
import { bytes, duration, percent, plural } from './format';
import { findings, FindingList } from './health';
import { Asks, isOver, PauseAll } from './leases';
import { useLive } from './live';
import { Empty, Panel, Spark } from './parts';

function Figure({ name, value, note, values, limit }: { name: string; value: string; note: string; values?: number[]; limit?: number }) {
  return (
    <div class="panel figure">
      <h2>{name}</h2>
      <p class="value number">{value}</p>
      {values && <Spark name={name} values={values} limit={limit ?? 0} />}
      <p class="muted">{note}</p>
    </div>
  );
}

export function NowPage() {
  const live = useLive();
  const status = live.status;
  if (!status) return <Empty>Asking the node …</Empty>;
  const leases = live.leases.filter((lease) => !isOver(lease));
  const running = live.domains.filter((each) => each.stage === 'running').length;
  const series = leases.map((lease) => live.samples.get(lease.id) ?? []);
  const longest = Math.max(0, ...series.map((each) => each.length));
  const sum = (of: 'cpu' | 'memory'): number[] =>
    Array.from({ length: longest }, (_, i) => series.reduce((all, each) => all + (each[i - longest + each.length]?.[of] ?? 0), 0));
  const cpu = sum('cpu');
  const now = Math.round(cpu[cpu.length - 1] ?? 0);
  const allowed = leases.reduce((all, lease) => all + (lease.state === 'paused' ? 0 : lease.throttle_permille || lease.cpu_permille), 0);
  const found = findings(live);
  const owners = new Set(leases.map((lease) => lease.origin)).size;
  return (
    <>
      <Asks />
      <section class="panel lead">
        <p class="sentence">
          {owners === 0 ? 'Nobody else uses this machine.' : `${plural(owners, 'other owner', 'other owners')} may use this machine.`}{' '}
          {running > 0 ? `${plural(running, 'program of theirs runs', 'programs of theirs run')} now, with ${percent(now)} of one processor.` : owners > 0 ? 'Nothing of theirs runs now.' : ''}
        </p>
        <div class="actions"><PauseAll /></div>
      </section>
      <div class="figures">
        <Figure name="Processor" value={percent(now)} note={allowed > 0 ? `at most ${percent(allowed)} of one is lent` : 'nothing is lent'} values={cpu} limit={allowed} />
        <Figure name="Memory" value={bytes(leases.reduce((all, each) => all + each.resident_bytes, 0))} note="of programs of others, now" values={sum('memory')} />
        <Figure name="Held for others" value={bytes(status.bytes_held)} note={`${plural(status.objects_held, 'object', 'objects')}, encrypted; you cannot read them`} />
        <Figure name="Yours, elsewhere" value={bytes(status.bytes_owned)} note={`${plural(status.blobs_owned, 'file', 'files')} on machines of others`} />
        <Figure name="Peers" value={`${status.peers_connected} of ${status.peers_known}`} note="connected" />
        <Figure name="Up" value={duration(status.uptime_s)} note={`version ${status.version}`} />
      </div>
      <Panel title={found.length === 0 ? 'Nothing wants attention' : 'Wants attention'}>
        {found.length === 0 ? <p class="muted">What is checked is on the page Health.</p> : <FindingList list={found} />}
      </Panel>
    </>
  );
}
