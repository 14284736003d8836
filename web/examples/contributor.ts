// The page that every door serves: its visitor may lend a part of their device.

import { EdgeNet, type EdgeNode, type Task } from '../sdk/edge.js';
import { about, count, find, make, relays, time } from './page.js';

const ROWS = 30;
const state = find('#state'), log = find('#log');
const rows = new Map<string, HTMLTableRowElement>();

function say(task: Task): void {
  const row = make('tr', {}, make('td', { class: 'number' }, new Date().toLocaleTimeString()), make('td', { class: 'mono', title: task.id }, task.id.slice(0, 8)),
    make('td', {}, task.state === 'started' ? 'runs' : (task.outcome ?? task.state)), make('td', { class: 'end number' }, task.fuel === undefined ? '' : count(task.fuel)),
    make('td', { class: 'end number' }, task.ms === undefined ? '' : time(task.ms)));
  const before = rows.get(task.id);
  if (before === undefined) log.prepend(row);
  else before.replaceWith(row);
  rows.set(task.id, row);
  while (log.children.length > ROWS) log.lastChild?.remove();
  if (rows.size > 10 * ROWS) rows.clear();
}

try {
  const { owner } = await about();
  const node = await EdgeNet.init({ siteId: owner, siteName: 'the owner of this node', relays, onTask: say, onError: (error) => (state.textContent = error.message) });
  EdgeNet.createWidget({ node, container: '#widget' });
  state.textContent = `Lent, as node ${node.stats().node.slice(0, 10)}.`;
  node.addEventListener('ended', () => (state.textContent = 'Ended. Nothing runs here any more.'));
  (window as { node?: EdgeNode }).node = node; // to look at, in the console
} catch (error) {
  state.textContent = (error as Error).name === 'ConsentDenied' ? 'You said no, so nothing runs here. It is remembered for 30 days.' : (error as Error).message;
}
