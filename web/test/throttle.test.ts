// How much a page gives: never more than was agreed, less at the first late frame, nothing when it should be nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Duty } from '../sdk/duty.js';
import { LATE_FRAME_MS, Throttle } from '../sdk/throttle.js';

const OPTIONS = { cpuLimit: 0.4, minIdleTime: 5000, unfocusedOnly: false, respectBattery: true };

test('an idle page gives what was agreed, a used one half of it', () => {
  const page = new Throttle(OPTIONS);
  assert.equal(page.share(0), 0.4);
  page.input(1000);
  assert.equal(page.share(1001), 0.2);
  assert.equal(page.share(6001), 0.4);
  page.input(7000);
  page.visible(false); // nobody sees it: it cannot be in use
  assert.equal(page.share(7001), 0.4);
});

test('one late frame is enough, and it comes back slowly', () => {
  const page = new Throttle(OPTIONS);
  page.frame(100, LATE_FRAME_MS);
  assert.equal(page.share(100), 0.4);
  page.frame(200, LATE_FRAME_MS + 1);
  assert.ok(Math.abs(page.share(200) - 0.04) < 1e-9, 'within the frame that was late');
  let before = 0;
  for (let now = 200; now < 2200; now += 100) {
    const share = page.share(now);
    assert.ok(share >= before && share <= 0.2, `${now}: ${share}`);
    before = share;
  }
  assert.equal(page.share(2200), 0.4);
  page.visible(false);
  page.frame(3000, 1000); // frames of what is not shown say nothing
  assert.equal(page.share(3000), 0.4);
});

test('nothing when it should be nothing', () => {
  const cases: [string, (page: Throttle) => void][] = [
    ['paused', (page) => page.paused(true)],
    ['the browser froze the page', (page) => page.frozen(true)],
    ['the browser saves data', (page) => page.saveData(true)],
    ['the battery is low', (page) => page.battery(false, 0.29)],
  ];
  for (const [reason, happen] of cases) {
    const page = new Throttle(OPTIONS);
    happen(page);
    assert.equal(page.reason(0), reason);
    assert.equal(page.share(0), 0);
  }
  const charged = new Throttle(OPTIONS);
  charged.battery(true, 0.1);
  assert.equal(charged.share(0), 0.4);
  charged.battery(false, 0.9);
  assert.equal(charged.share(0), 0.2);
  assert.equal(new Throttle({ ...OPTIONS, unfocusedOnly: true }).share(0), 0, 'the page is in use');
});

test('whatever happens in whatever order, no more than was agreed is given', () => {
  let state = 1;
  const draw = (below: number): number => (state = (state * 48271) % 2147483647) % below;
  for (let run = 0; run < 200; ++run) {
    const cpuLimit = draw(1300) / 1000; // also what nobody can give
    const page = new Throttle({ ...OPTIONS, cpuLimit, unfocusedOnly: draw(2) === 0, respectBattery: draw(2) === 0 });
    for (let now = 0; now < 20_000; now += draw(400)) {
      const acts = [() => page.frame(now, draw(120)), () => page.input(now), () => page.visible(draw(2) === 0), () => page.focused(draw(2) === 0), () => page.frozen(draw(2) === 0),
        () => page.paused(draw(2) === 0), () => page.saveData(draw(2) === 0), () => page.battery(draw(2) === 0, draw(100) / 100)];
      acts[draw(acts.length)]?.();
      const share = page.share(now);
      assert.ok(share >= 0 && share <= Math.min(1, cpuLimit), `${share} of ${cpuLimit}`);
    }
  }
});

test('a program gets its share of the time, and none when it is to stand still', async () => {
  let now = 0;
  const clock = { now: () => now, sleep: async (ms: number) => { now += ms; } };
  const duty = new Duty(clock);
  duty.set(250, 10);
  duty.begin();
  while (now < 10_000) {
    now += 1; // a slice
    await duty.rest();
  }
  assert.ok(Math.abs(duty.busy / now - 0.25) < 0.01, `${duty.busy} of ${now}`);
  duty.set(0, 10);
  let resting = true;
  const rest = duty.rest()?.then(() => { resting = false; });
  assert.ok(rest !== undefined);
  await Promise.resolve();
  assert.ok(resting);
  duty.set(1000, 10);
  await rest;
  assert.ok(!resting);
});
