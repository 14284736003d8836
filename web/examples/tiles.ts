// A picture in tiles, each a job: submitBatch of all of them, and a canvas that fills as they come.

import { EdgeNet, type JobRequest, type JobResult } from '../sdk/edge.js';
import { about, count, find, lendingPage, make, relays, short, time } from './page.js';

const TILE = 120, ITERATIONS = 3000;
const canvas = find<HTMLCanvasElement>('#picture');
const pen = canvas.getContext('2d') as CanvasRenderingContext2D;
const across = canvas.width / TILE, down = canvas.height / TILE;

interface View { x: number; y: number; width: number }
interface Machine { colour: string; tiles: number; node: string }
let view: View = { x: -0.65, y: 0, width: 3.4 };
let round = 0;
const machines = new Map<string, Machine>();
const done = new Map<number, JobResult>();

/** A cloth's colours: ink, teal, linen, gold, and back. */
const STOPS: [number, number, number, number][] = [[0, 9, 28, 33], [0.2, 20, 70, 78], [0.38, 111, 174, 159], [0.55, 245, 238, 220], [0.72, 214, 158, 66], [0.87, 122, 52, 30], [1, 20, 24, 30]];

function colour(value: number): [number, number, number] {
  const at = ((value / 65535) * 2.1) % 1;
  const next = Math.max(1, STOPS.findIndex(([stop]) => stop >= at));
  const [from, ...a] = STOPS[next - 1] as [number, number, number, number], [to, ...b] = STOPS[next] as [number, number, number, number];
  const part = (at - from) / (to - from);
  return a.map((each, i) => each + ((b[i] as number) - each) * part) as [number, number, number];
}

function paint(index: number, result: JobResult): void {
  const image = pen.createImageData(TILE, TILE);
  const values = new DataView(result.output.buffer, result.output.byteOffset, result.output.byteLength);
  for (let i = 0; i < TILE * TILE; ++i) {
    const value = values.getUint16(2 * i, true);
    const [r, g, b] = value === 65535 ? [9, 20, 24] : colour(value);
    image.data.set([r, g, b, 255], 4 * i);
  }
  const x = (index % across) * TILE, y = Math.floor(index / across) * TILE;
  pen.putImageData(image, x, y);
  if (find<HTMLInputElement>('#frames').checked) frame(x, y, result);
}

/** A corner in the colour of each machine that signed for the tile. */
function frame(x: number, y: number, result: JobResult): void {
  result.workers.forEach(({ node }, i) => {
    pen.fillStyle = machines.get(node)?.colour ?? '#888';
    pen.beginPath();
    pen.arc(x + 11 + i * 15, y + 11, 5.5, 0, 2 * Math.PI);
    pen.fill();
    pen.strokeStyle = '#0009';
    pen.stroke();
  });
}

function waiting(index: number, running: boolean): void {
  const x = (index % across) * TILE, y = Math.floor(index / across) * TILE;
  pen.fillStyle = running ? '#1d4a50' : '#14343b';
  pen.fillRect(x, y, TILE, TILE);
  pen.strokeStyle = '#ffffff14';
  pen.strokeRect(x + 0.5, y + 0.5, TILE - 1, TILE - 1);
}

function credit(result: JobResult): void {
  for (const { node } of result.workers) {
    const known = machines.get(node) ?? { colour: `hsl(${(machines.size * 137.5 + 40) % 360} 75% 62%)`, tiles: 0, node };
    known.tiles += 1;
    machines.set(node, known);
  }
}

function legend(began: number, total: number): void {
  const results = [...done.values()];
  const fuel = results.reduce((sum, each) => sum + each.fuel * BigInt(each.workers.length), 0n);
  const wrong = new Set(results.flatMap((each) => each.mismatches.map(({ node }) => node)));
  const figures: [string, string][] = [[`${results.length} / ${total}`, 'tiles'], [String(machines.size), 'machines and tabs'], [time(performance.now() - began), 'so far'], [count(fuel / 1_000_000n), 'million instructions']];
  if (wrong.size > 0) figures.push([String(wrong.size), 'gave wrong results']);
  find('#figures').replaceChildren(...figures.map(([value, name]) => make('div', {}, make('b', {}, value), make('span', {}, name))));
  find('#legend').replaceChildren(...[...machines.values()].map((machine) => {
    const dot = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), circle = document.createElementNS('http://www.w3.org/2000/svg', 'circle');
    dot.setAttribute('viewBox', '0 0 10 10');
    dot.setAttribute('aria-hidden', 'true');
    for (const [name, value] of [['cx', '5'], ['cy', '5'], ['r', '5'], ['fill', machine.colour]] as const) circle.setAttribute(name, value);
    dot.append(circle);
    return make('li', { title: machine.node }, dot, make('span', { class: 'mono' }, short(machine.node)), make('span', { class: 'muted number' }, machine.tiles));
  }));
  find<HTMLProgressElement>('#progress').max = total;
  find<HTMLProgressElement>('#progress').value = results.length;
}

function jobs(signal: AbortSignal, each: (index: number, running: boolean) => void): JobRequest[] {
  const step = view.width / canvas.width;
  const left = view.x - view.width / 2, top = view.y - (step * canvas.height) / 2;
  return Array.from({ length: across * down }, (_, index) => ({
    type: 'tile',
    args: [left + (index % across) * TILE * step, top + Math.floor(index / across) * TILE * step, step, TILE, TILE, ITERATIONS].map((value) => value.toPrecision(17)).map((value, i) => (i > 2 ? String(Math.round(Number(value))) : value)),
    options: { redundancy: 2, timeout: 60_000, signal, onProgress: ({ state }) => each(index, state === 'running') },
  }));
}

let stop = new AbortController();

async function draw(): Promise<void> {
  stop.abort();
  stop = new AbortController();
  const mine = ++round, began = performance.now();
  done.clear();
  machines.clear();
  const { signal } = stop;
  const requests = jobs(signal, (index, running) => mine === round && !done.has(index) && waiting(index, running));
  requests.forEach((_, index) => waiting(index, false));
  legend(began, requests.length);
  find('#note').textContent = 'Each tile appears when two owners\' machines gave the same.';
  try {
    await node.submitBatch(requests, (result, index) => {
      if (mine !== round) return;
      done.set(index, result);
      credit(result);
      paint(index, result);
      legend(began, requests.length);
    });
    if (mine === round) find('#note').textContent = `Done in ${time(performance.now() - began)}. Touch the picture to go closer.`;
  } catch (error) {
    if (mine === round) find('#note').textContent = error instanceof Error ? error.message : String(error);
  }
}

find('#more').setAttribute('href', lendingPage());
const { owner } = await about();
const node = await EdgeNet.init({ siteId: owner, relays, contribution: false });
find('#go').addEventListener('click', () => {
  const [x = 0, y = 0, width = 1] = find<HTMLSelectElement>('#place').value.split(' ').map(Number);
  view = { x, y, width };
  void draw();
});
find('#frames').addEventListener('change', () => {
  for (const [index, result] of done) paint(index, result);
});
canvas.addEventListener('click', ({ offsetX, offsetY }) => {
  const step = view.width / canvas.clientWidth;
  view = { x: view.x + (offsetX - canvas.clientWidth / 2) * step, y: view.y + (offsetY - canvas.clientHeight / 2) * step, width: view.width / 4 };
  void draw();
});
void draw();
