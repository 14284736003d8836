// A page that has something worked out, and shows who did it.

import { EdgeNet, type JobProgress } from '../sdk/edge.js';
import { about, count, find, make, relays, short, time } from './page.js';

const TEXT = `The edge of a cloth is woven so that it does not come apart: threads of the weft turn back there and hold those of the warp.

A fabric of machines has such an edge too. Each machine belongs to somebody, each owner says what may be done with theirs, and what one machine says counts only when another, which belongs to somebody else, says the same. So the cloth holds where a thread breaks.`;

const steps = [...find('#steps').children];

function mark(now: number, bad = false): void {
  steps.forEach((step, i) => step.setAttribute('class', i < now ? 'past' : i === now ? (bad ? 'bad' : 'now') : ''));
}

function progress({ state, ahead, executions, retries, mismatches }: JobProgress): void {
  if (state === 'waiting') mark(0);
  else if (state === 'running') mark(executions > 0 ? 2 : 1);
  const parts = [ahead > 0 ? `${ahead} before it` : '', executions > 0 ? `${executions} runs` : '', retries > 0 ? `${retries} lost` : '', ...mismatches.map((each) => `${short(each.node)} gave a wrong result`)];
  find('#note').textContent = parts.filter((part) => part !== '').join(' · ') || 'Under way.';
}

function show(text: string): void {
  const lines = text.split('\n');
  const figure = (name: string): string => lines.find((line) => line.startsWith(`${name} `))?.split(' ')[1] ?? '0';
  find('#figures').replaceChildren(...['words', 'unique', 'lines', 'bytes'].map((name) => make('div', {}, make('b', {}, count(Number(figure(name)))), make('span', {}, name === 'unique' ? 'different' : name))));
  const top = lines.filter((line) => line.startsWith('top ')).map((line) => line.split(' ')).slice(0, 8);
  const most = Math.max(1, ...top.map(([, , n]) => Number(n)));
  find('#bars').replaceChildren(...top.map(([, word = '', n = '0']) => make('li', {}, make('span', {}, word), make('meter', { max: most, value: n, 'aria-label': `${word}: ${n}` }), make('span', { class: 'number' }, n))));
}

const { owner } = await about();
find<HTMLTextAreaElement>('#text').value = TEXT;
const node = await EdgeNet.init({ siteId: owner, relays, contribution: false });
const go = find<HTMLButtonElement>('#go');
go.disabled = false;

find('#ask').addEventListener('submit', async (event) => {
  event.preventDefault();
  go.disabled = true;
  for (const id of ['#result', '#proof']) find(id).hidden = true;
  mark(0);
  find('#note').textContent = 'Asked.';
  const redundancy = Number(find<HTMLSelectElement>('#redundancy').value);
  try {
    const result = await node.submit({ type: 'textstats', payload: find<HTMLTextAreaElement>('#text').value, options: { redundancy, timeout: 30_000, onProgress: progress } });
    mark(4);
    find('#note').textContent = `Done in ${time(result.ms)}, with ${result.executions} runs.`;
    show(result.text());
    const verdict = find('#verdict');
    verdict.textContent = result.verified ? `${result.agreements} owners agree` : 'one machine says so';
    verdict.className = result.verified ? 'chip good' : 'chip wait';
    find('#workers').replaceChildren(...result.workers.map((each) => make('tr', {}, make('td', { class: 'mono', title: each.node }, short(each.node)), make('td', { class: 'mono', title: each.owner }, short(each.owner)),
      make('td', { class: 'end number' }, count(each.fuel)), make('td', { class: 'end number' }, time(each.ms)))));
    find('#module').textContent = result.module;
    find('#output').textContent = result.outputCid;
    find('#trace').textContent = result.trace;
    for (const id of ['#result', '#proof']) find(id).hidden = false;
  } catch (error) {
    mark(steps.findIndex((step) => step.className === 'now'), true);
    find('#note').textContent = error instanceof Error ? error.message : String(error);
  }
  go.disabled = false;
});
