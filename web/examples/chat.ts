// The page of guests/chat.c, which serves it.

import { find, make, time } from './page.js';

interface Said { number: number; at: number; name: string; text: string }

const talk = find('#talk'), state = find('#state'), name = find<HTMLInputElement>('#name'), text = find<HTMLInputElement>('#text');
const EVERY_MS = 700;
let last = 0, began = '';
const own = new Set<string>();

function show(said: Said): void {
  const mine = own.has(`${said.name}\n${said.text}`);
  const at = new Date(said.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  talk.append(make('p', mine ? { class: 'own' } : {}, make('b', {}, said.name, make('time', { datetime: new Date(said.at).toISOString() }, at)), said.text));
  talk.scrollTop = talk.scrollHeight;
}

async function look(): Promise<void> {
  const asked = performance.now();
  try {
    const answer = await fetch(`said?after=${last}`);
    if (!answer.ok) throw new Error(`${answer.status}`);
    const { began: room, said } = (await answer.json()) as { began: string; said: Said[] };
    if (room !== began && began !== '') { // another instance, with a memory of its own
      [last, began] = [0, room];
      talk.replaceChildren();
      state.textContent = 'It began anew, on this machine or another.';
      return;
    }
    began = room;
    for (const each of said) if (each.number > last) show(each);
    last = said.at(-1)?.number ?? last;
    find('#took').textContent = time(performance.now() - asked);
    state.textContent = last === 0 ? 'Nobody said anything yet.' : '';
  } catch {
    state.textContent = 'It cannot be reached just now; trying again.';
  }
}

find('#say').addEventListener('submit', async (event) => {
  event.preventDefault();
  const said = `${name.value.trim()}\n${text.value.trim()}`;
  if (said.startsWith('\n') || said.endsWith('\n')) return;
  own.add(said);
  const answer = await fetch('say', { method: 'POST', headers: { 'Content-Type': 'application/x-selvedge-chat' }, body: said }).catch(() => null);
  if (answer?.ok) text.value = '';
  else state.textContent = 'It was not taken; try again.';
  await look();
});

find<HTMLButtonElement>('#go').disabled = false;
find('#key').textContent = (await (await fetch('about')).text()).trim();
await look();
setInterval(() => void look(), EVERY_MS);
