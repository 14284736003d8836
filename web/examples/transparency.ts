// A tab's own audit log: its head, its entries, and a proof that this page checks itself (tlog.ts).

import { EdgeNet, type EdgeNode, type JobResult } from '../sdk/edge.js';
import { toHex } from '../src/bytes.js';
import { openUnsigned } from '../src/object.js';
import * as cbor from '../src/cbor.js';
import { about, count, find, make, relays, short } from './page.js';
import { type Checked, checkProof } from './tlog.js';

interface Head { size: number; root: string; checkpoint: string; made: number; cosigners: { node: string; time: number }[] }
interface Entry { index: number; time_ms: number; kind: number | string; subject: string; detail: string }

const KINDS = ['node', 'grant', 'capability', 'revocation', 'lease', 'receipt', 'policy', 'permission', 'zone key', 'secret', 'device', 'key', 'program', 'witness', 'gap'];
const kindText = (kind: number | string): string => (typeof kind === 'number' ? (KINDS[kind] ?? '?') : kind);
const SVG = 'http://www.w3.org/2000/svg';

async function showLog(node: EdgeNode): Promise<Head> {
  const head = (await node.ask('audit.head')) as Head;
  const list = (await node.ask('audit.list', cbor.write.array([cbor.write.text(''), cbor.write.integer(0n), cbor.write.integer(0n), cbor.write.integer(6n)]))) as { entries: Entry[] };
  const figures = [[count(head.size), 'entries'], [new Date(head.made * 1000).toLocaleTimeString(), 'signed at'], ...(head.cosigners.length > 0 ? [[String(head.cosigners.length), 'countersigned']] : [])];
  find('#figures').replaceChildren(...figures.map(([value = '', name = '']) => make('div', {}, make('b', {}, value), make('span', {}, name))));
  if (head.checkpoint !== '') find('#checkpoint').textContent = head.checkpoint.trimEnd();
  find('#list').replaceChildren(...list.entries.map((entry) => make('tr', {}, make('td', { class: 'number' }, entry.index), make('td', {}, kindText(entry.kind)), make('td', { class: 'small' }, entry.detail))));
  return head;
}

/** The path from the entry to the root: what was computed is filled, what the proof gave is pale. */
function drawTree({ index, size, path }: Checked): void {
  const sides: boolean[] = []; // from the root down: the entry is on the right
  for (let at = index, n = size; n > 1;) {
    let k = 1;
    while (k * 2 < n) k *= 2;
    sides.push(at >= k);
    if (at >= k) [at, n] = [at - k, n - k];
    else n = k;
  }
  const levels = sides.length, width = 640, rise = 44, height = levels * rise + 62;
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `The entry and ${path.length} hashes give the root`);
  const add = (name: string, attributes: Record<string, string | number>, text = ''): void => {
    const out = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) out.setAttribute(key, String(value));
    out.textContent = text;
    svg.append(out);
  };
  let x = width / 2;
  const spots: { x: number; y: number; given: boolean }[] = [{ x, y: 26, given: false }];
  sides.forEach((right, level) => {
    const spread = Math.max(26, 150 / (level + 1.2)), y = 26 + (level + 1) * rise;
    const own = x + (right ? spread : -spread), other = x - (right ? spread : -spread);
    add('line', { x1: x, y1: y - rise, x2: other, y2: y });
    add('line', { x1: x, y1: y - rise, x2: own, y2: y, class: 'path' });
    spots.push({ x: other, y, given: true }, { x: own, y, given: false });
    x = own;
  });
  for (const spot of spots) add('circle', { cx: spot.x, cy: spot.y, r: 8, class: spot.given ? 'given' : 'path' });
  add('text', { x: width / 2, y: 12 }, 'root');
  add('text', { x, y: height - 8 }, `entry ${index}`);
  find('#tree').replaceChildren(svg);
}

async function showProof(node: EdgeNode, result: JobResult): Promise<void> {
  const own = result.workers.find((each) => each.node === node.stats().node);
  if (own === undefined) throw new Error('this tab was not among those that were asked; once more, please');
  let proof = '';
  for (let tries = 0; proof === ''; ++tries) { // the head that covers the entry comes within a second or two
    try {
      proof = ((await node.ask('audit.prove', cbor.write.array([cbor.write.text(own.receipt)]))) as { proof: string }).proof;
    } catch (error) {
      if (tries > 40) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
  const checked = await checkProof(proof);
  const entry = (await openUnsigned('AuditEntry', checked.entry)).body;
  if (toHex(entry.subject) !== own.receipt) throw new Error('the entry is about something else');
  drawTree(checked);
  const witnesses = checked.signers.filter((each) => each.role === 'witness');
  find('#verdict').textContent = 'checked in this page';
  const facts: [string, string][] = [['receipt', own.receipt], ['entry', `${checked.index} of ${checked.size}: ${entry.detail}`], ['its hash', toHex(checked.leaf)], ['root', toHex(checked.root)],
    ['signed by', checked.origin.slice('selvedge/'.length)], ...(witnesses.length > 0 ? [['countersigned by', witnesses.map(({ name }) => short(name.slice('selvedge/'.length))).join(', ')] as [string, string]] : [])];
  find('#facts').replaceChildren(...facts.flatMap(([name, value]) => [make('dt', {}, name), make('dd', { class: 'mono' }, value)]));
  find('#forged').textContent = '';
  find('#forge').onclick = async () => {
    const lines = proof.split('\n'), bytes = Uint8Array.from(atob((lines[1] as string).slice(6)), (c) => c.charCodeAt(0));
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    lines[1] = `extra ${btoa(String.fromCharCode(...bytes))}`;
    find('#forged').textContent = await checkProof(lines.join('\n')).then(() => 'It went unnoticed!', (error: Error) => `Refused: ${error.message}.`);
  };
  find('#proof').hidden = false;
}

const { owner } = await about();
const state = find('#state'), go = find<HTMLButtonElement>('#go');
try {
  const node = await EdgeNet.init({ siteId: owner, siteName: 'the owner of this node', relays, contribution: { cpuLimit: 0.5 }, onError: (error) => (state.textContent = error.message) });
  state.textContent = `This tab is machine ${short(node.stats().node)}.`;
  go.disabled = false;
  await showLog(node);
  setInterval(() => void showLog(node).catch(() => undefined), 2000);
  go.addEventListener('click', async () => {
    go.disabled = true;
    state.textContent = 'Under way, here and on machines of others.';
    try {
      // As many owners as there are machines and this tab: so it is one of them.
      const result = await node.submit({ type: 'textstats', payload: `entry ${Date.now()}`, options: { redundancy: relays.length, timeout: 30_000 } });
      state.textContent = `${result.agreements} owners' machines agree, this tab is one of them. Looking it up.`;
      await showProof(node, result);
      await showLog(node);
      state.textContent = `${result.agreements} owners' machines agree, this tab is one of them.`;
    } catch (error) {
      state.textContent = error instanceof Error ? error.message : String(error);
    }
    go.disabled = false;
  });
} catch (error) {
  state.textContent = (error as Error).name === 'ConsentDenied' ? 'You said no, so nothing runs here. It is remembered for 30 days.' : (error as Error).message;
}
