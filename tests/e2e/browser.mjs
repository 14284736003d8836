// A headless Chromium for the end-to-end tests: one command a line on standard input, as JSON, and one answer a line. browser.py is its other half.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(process.env.SELVEDGE_WEB_PACKAGES + '/');
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const browser = await chromium.launch({ executablePath: process.env.SELVEDGE_CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking'] });
let context, page;
let requests = [], troubles = [];

const commands = {
  /** A browser that knows nothing. */
  async fresh({ width = 1280, height = 900, dark = false }) {
    await context?.close();
    context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', acceptDownloads: true });
    await commands.tab();
  },
  async shut() { await page.close(); },
  async tab() {
    page = await context.newPage();
    requests = [], troubles = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => troubles.push(String(error)));
    page.on('console', (line) => { if (line.type() === 'error') troubles.push(line.text()); });
  },
  async go({ url }) {
    const answer = await page.goto(url);
    return answer?.status() ?? 0;
  },
  async paints({ dark }) { await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' }); },
  async resize({ width, height }) { await page.setViewportSize({ width, height }); },
  async click({ role = 'button', name, within }) { await (within ? page.getByRole('article', { name: within }).first() : page).getByRole(role, { name, exact: true }).first().click({ timeout: 10000 }); },
  async press({ key }) { await page.keyboard.press(key); },
  async fill({ label, text }) { await page.getByLabel(label).first().fill(text); },
  async select({ label, value }) { await page.getByLabel(label).first().selectOption(value); },
  async slide({ label, value }) {
    const slider = page.getByLabel(label).first();
    await slider.evaluate((input, to) => {
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, to);
      input.dispatchEvent(new Event('input', { bubbles: true }));
      input.dispatchEvent(new Event('change', { bubbles: true }));
    }, String(value));
  },
  async sees({ text, timeout = 10000 }) { await page.getByText(text).first().waitFor({ timeout }); },
  async misses({ text, timeout = 10000 }) { await page.getByText(text).first().waitFor({ state: 'hidden', timeout }); },
  async text() { return page.locator('body').innerText(); },
  async download({ name }) {
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name, exact: true }).first().click()]);
    return { name: file.suggestedFilename(), content: readFileSync(await file.path(), 'utf8') };
  },
  async evaluate({ script }) { return page.evaluate(script); },
  async cookies() { return context.cookies(); },
  async requests() { return requests; },
  async troubles() { return troubles; },
  async screenshot({ path }) { await page.screenshot({ path, fullPage: true }); },
  /** What a person with a screen reader or a keyboard stumbles over. The page's policy forbids scripts in it, so this goes around. */
  async axe() {
    const session = await context.newCDPSession(page);
    await session.send('Runtime.evaluate', { expression: axe });
    const run = await session.send('Runtime.evaluate', { expression: 'axe.run(document, { resultTypes: ["violations"] }).then((r) => JSON.stringify(r.violations.map((v) => ({ id: v.id, help: v.help, nodes: v.nodes.map((n) => n.html.slice(0, 160)) }))))', awaitPromise: true });
    if (run.exceptionDetails) throw new Error(JSON.stringify(run.exceptionDetails));
    return JSON.parse(run.result.value);
  },
  async paint() {
    return page.evaluate(() => ({ paint: performance.getEntriesByType('paint').find((each) => each.name === 'first-contentful-paint')?.startTime ?? null }));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: (await commands[command](options)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await browser.close();
