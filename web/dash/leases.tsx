// Who may use this machine, what they use of it now, and how to stop them.
import { useState } from 'preact/hooks';

import { call } from './api';
import { bytes, count, duration, micros, percent, plural, short, until } from './format';
import { useLive, type Sample } from './live';
import { Action, Chip, Empty, Id, Meter, Spark, useTell } from './parts';
import type { Ask, Domain, Hosted, Lease, Service } from './types';

interface Changed { id: string; state: string; stopped_us: number }

/** What the node measured, and what it took until this page knew. */
async function change(lease: Lease, action: 'pause' | 'resume' | 'revoke'): Promise<string> {
  const asked = performance.now();
  const answer = await call<Changed>('lease.change', { lease: lease.id, action });
  const seen = performance.now() - asked;
  if (action === 'resume') return `${short(lease.id)} goes on.`;
  return `${short(lease.id)} is ${answer.state}. Nothing of it ran any more after ${micros(answer.stopped_us)}; this page knew after ${seen.toFixed(0)} ms.`;
}

export function isOver(lease: Lease): boolean { return lease.state === 'revoked' || lease.state === 'expired'; }

function StateChip({ lease }: { lease: Lease }) {
  const kind = lease.state === 'active' ? 'good' : lease.state === 'paused' || lease.state === 'expiring' ? 'warn' : 'bad';
  return <Chip kind={kind}>{lease.state}</Chip>;
}

const WHY: Record<string, string> = {
  interaction: 'somebody uses the machine', frames: 'programs here missed frames', memory: 'memory is short', heat: 'the machine is hot', power: 'it runs on battery',
  violations: 'it went beyond its pace', shed: 'others need the processor more', owner: 'you throttled it',
};

function Throttle({ lease }: { lease: Lease }) {
  const tell = useTell();
  const whole = lease.cpu_permille;
  const now = lease.throttle_permille || whole;
  const [value, setValue] = useState<number | null>(null);
  const shown = value ?? now;
  const set = async (permille: number): Promise<void> => {
    try {
      const asked = performance.now();
      await call('lease.throttle', { lease: lease.id, cpu_permille: permille >= whole ? 0 : permille });
      tell(`${short(lease.id)} has at most ${percent(permille)} of a processor, after ${(performance.now() - asked).toFixed(0)} ms.`);
    } catch (why) {
      tell((why as Error).message, true);
    }
    setValue(null);
  };
  const least = Math.min(20, whole);
  return (
    <label class="throttle">
      <span>Throttle</span>
      <input type="range" min={least} max={whole} step={Math.max(1, Math.round(whole / 50))} value={shown} onInput={(event) => setValue(Number(event.currentTarget.value))}
        onChange={(event) => void set(Number(event.currentTarget.value))} aria-valuetext={`${percent(shown)} of a processor`} />
      <output class="number">{shown >= whole ? 'off' : percent(shown)}</output>
    </label>
  );
}

function Plot({ name, list, of, limit, text }: { name: string; list: Sample[]; of: (sample: Sample) => number; limit: number; text: string }) {
  return (
    <div class="plot">
      <div class="meter-text"><span>{name}</span><span class="number">{text}</span></div>
      <Spark name={name} values={list.map(of)} limit={limit} />
    </div>
  );
}

function Running({ domains, hosted }: { domains: Domain[]; hosted: Hosted[] }) {
  if (domains.length + hosted.length === 0) return <p class="muted">No program of theirs is here now.</p>;
  return (
    <ul class="running" aria-label="Programs of this lease">
      {hosted.map((each) => (
        <li key={each.address}>
          <Chip kind={each.stage === 'serving' ? 'good' : 'warn'}>{each.stage}</Chip><strong>service {each.name}</strong>
          <span class="muted">{plural(each.requests, 'request', 'requests')}, {count(each.failed)} failed, {each.under_way} under way{each.problem && `: ${each.problem}`}</span>
        </li>
      ))}
      {domains.map((each) => (
        <li key={each.task}>
          <Chip kind={each.stage === 'running' ? 'good' : 'calm'}>{each.stage}</Chip>
          <strong>{each.bundle || 'a bare module'}{each.entry && ` · ${each.entry}`}</strong>
          <Id value={each.module} /> <span class="muted">for {duration(Date.now() / 1000 - each.offered)}</span>
        </li>
      ))}
    </ul>
  );
}

export function LeaseCard({ lease }: { lease: Lease }) {
  const live = useLive();
  const list = live.samples.get(lease.id) ?? [];
  const last = list[list.length - 1];
  const slowed = lease.slowed ? lease.slowed.split(',').map((each) => WHY[each] ?? each) : [];
  return (
    <article class={`panel lease ${isOver(lease) ? 'over' : ''}`} aria-label={`Lease ${short(lease.id)}`}>
      <header>
        <h3><span class="muted">origin</span> <Id value={lease.origin} /></h3>
        <StateChip lease={lease} />
        <span class="muted">lease <Id value={lease.id} /> · ends {until(lease.expires)} · {plural(lease.tasks, 'task', 'tasks')}</span>
      </header>
      {slowed.length > 0 && !isOver(lease) && <p class="why">Slower than its grant allows, since {slowed.join(' and ')}: at most {percent(lease.pace_permille)} of a processor now.</p>}
      {lease.violations > 0 && <p class="why">It broke its limits {lease.violations} times.</p>}
      <div class="plots">
        {lease.cpu_permille > 0 && (
          <Plot name="Processor" list={list} of={(each) => each.cpu} limit={lease.throttle_permille || lease.cpu_permille}
            text={`${percent(Math.round(last?.cpu ?? 0))} of ${percent(lease.throttle_permille || lease.cpu_permille)}`} />
        )}
        {lease.memory_bytes > 0 && <Plot name="Memory" list={list} of={(each) => each.memory} limit={lease.memory_bytes} text={`${bytes(lease.resident_bytes)} of ${bytes(lease.memory_bytes)}`} />}
        {lease.cpu_permille > 0 && <Plot name="Network of programs" list={list} of={(each) => each.bytesIn + each.bytesOut} limit={lease.network_kbps * 125}
          text={`${bytes(lease.bytes_in)} in, ${bytes(lease.bytes_out)} out`} />}
        {lease.cpu_permille > 0 && <Plot name="Wake-ups" list={list} of={(each) => each.wakeups} limit={0} text={`${count(last?.wakeups ?? 0)} a second`} />}
      </div>
      {lease.storage_bytes > 0 && <Meter name="Storage" value={lease.stored_bytes} limit={lease.storage_bytes} text={`${bytes(lease.stored_bytes)} of ${bytes(lease.storage_bytes)}`} />}
      {lease.cpu_permille > 0 && !isOver(lease) && <Running domains={live.domains.filter((each) => each.lease === lease.id)} hosted={live.hosted.filter((each) => each.lease === lease.id)} />}
      {!isOver(lease) && (
        <footer class="actions">
          {lease.state === 'paused'
            ? <Action kind="primary" run={() => change(lease, 'resume')}>Resume</Action>
            : <Action run={() => change(lease, 'pause')}>Pause</Action>}
          {lease.cpu_permille > 0 && <Throttle lease={lease} />}
          <Action kind="danger" sure="Take the grant back, for good?" run={() => change(lease, 'revoke')}>Revoke</Action>
        </footer>
      )}
    </article>
  );
}

async function pauseAll(leases: Lease[]): Promise<string> {
  const asked = performance.now();
  const answers = await Promise.all(leases.map((lease) => call<Changed>('lease.change', { lease: lease.id, action: 'pause' })));
  const slowest = Math.max(...answers.map((each) => each.stopped_us));
  return `Everything is paused. Nothing ran any more after ${micros(slowest)}; this page knew after ${(performance.now() - asked).toFixed(0)} ms.`;
}

export function PauseAll() {
  const running = useLive().leases.filter((lease) => lease.state === 'active' || lease.state === 'expiring');
  if (running.length === 0) return null;
  return <Action run={() => pauseAll(running)}>Pause everything</Action>;
}

const HOUR = 3600;
const MONTH = 30 * 86_400;

function left(ask: Ask): string[] {
  const answered = new Set([...ask.allowed.split(','), ...ask.refused.split(',')]);
  return ask.wanted.split(',').filter((each) => each !== '' && !answered.has(each));
}

function limits(ask: Ask): string {
  const parts = [];
  if (ask.cpu_permille > 0) parts.push(`${percent(ask.cpu_permille)} of one processor`);
  if (ask.memory_bytes > 0) parts.push(`${bytes(ask.memory_bytes)} of memory`);
  if (ask.storage_bytes > 0) parts.push(`${bytes(ask.storage_bytes)} of storage`);
  return parts.join(', ') || 'nothing of the processor and no storage';
}

/** Requests for consent that wait for the owner of this machine. */
export function Asks() {
  const asks = useLive().asks.filter((ask) => !ask.asked && left(ask).length > 0 && ask.expires > Date.now() / 1000);
  return (
    <>
      {asks.map((ask) => {
        const open = left(ask).join(',');
        // How long the answer holds, 0: as long as was asked for. Of a yes that is the grant's time too.
        const answer = (allow: boolean, seconds: number) => async (): Promise<string> => {
          await call('grant.answer', { request: ask.id, allow: allow ? open : '', refuse: allow ? '' : open, remember_seconds: seconds });
          return allow ? 'Allowed. It can be paused or taken back at any time.' : 'Refused.';
        };
        return (
          <section key={ask.id} class="panel ask" aria-label="A request for consent">
            <header><h2>Somebody asks to use this machine</h2></header>
            <p><Id value={ask.origin} /> asks to <strong>{open.split(',').join(' and ')}</strong> here for {duration(ask.seconds)}{ask.purpose && <>: “{ask.purpose}”</>}.</p>
            <p class="muted">At most {limits(ask)}. Nothing of it starts before you say yes.</p>
            <footer class="actions">
              <Action kind="primary" run={answer(true, 0)}>Allow for {duration(ask.seconds)}</Action>
              {ask.seconds > HOUR && <Action run={answer(true, HOUR)}>Allow for an hour</Action>}
              <Action run={answer(false, 1)}>Refuse now</Action>
              <Action kind="danger" run={answer(false, MONTH)}>Refuse for 30 days</Action>
            </footer>
          </section>
        );
      })}
    </>
  );
}

function ServiceRow({ service }: { service: Service }) {
  const remove = async (): Promise<string> => {
    const asked = performance.now();
    await call('service.unexpose', { name: service.name });
    return `${service.name} cannot be reached any more, and its connections ended, after ${(performance.now() - asked).toFixed(0)} ms. Leases go on.`;
  };
  return (
    <article class="panel service" aria-label={`Service ${service.name}`}>
      <header><h3>{service.name}</h3><Chip kind={service.access === 'public' ? 'warn' : 'good'}>{service.access}</Chip><Id value={service.address} label={`${service.address.slice(0, 17)}…`} /></header>
      <Meter name="Connections" value={service.connections} limit={service.connections_max} text={`${service.connections} of ${service.connections_max}`} />
      <p class="muted">Leads to {service.target}. {plural(service.connections_ever, 'connection', 'connections')} since the start, {count(service.refused)} refused; {bytes(service.bytes_in)} in, {bytes(service.bytes_out)} out.</p>
      <footer class="actions"><Action kind="danger" sure="Close this way in?" run={remove}>Revoke ingress</Action></footer>
    </article>
  );
}

export function LeasesPage() {
  const { leases, services } = useLive();
  const [ended, showEnded] = useState(false);
  const current = leases.filter((lease) => !isOver(lease));
  const over = leases.filter(isOver);
  return (
    <>
      <Asks />
      <div class="heading"><h2>Who may use this machine</h2><PauseAll /></div>
      {current.length === 0 && <Empty>Nobody. To let somebody: <code>selvedge grant give THEIR-KEY</code></Empty>}
      <div class="cards">{current.map((lease) => <LeaseCard key={lease.id} lease={lease} />)}</div>
      {over.length > 0 && (
        <>
          <p><button type="button" aria-expanded={ended} onClick={() => showEnded(!ended)}>{ended ? 'Hide' : 'Show'} {over.length} that ended</button></p>
          {ended && <div class="cards">{over.map((lease) => <LeaseCard key={lease.id} lease={lease} />)}</div>}
        </>
      )}
      <div class="heading"><h2>Ways in</h2></div>
      {services.length === 0 ? <Empty>No service can be reached here. To expose one: <code>selvedge service expose NAME --target 127.0.0.1:3000</code></Empty>
        : <div class="cards">{services.map((each) => <ServiceRow key={each.name} service={each} />)}</div>}
    </>
  );
}
