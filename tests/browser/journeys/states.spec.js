// What screens say when there is nothing yet, when a part cannot be read, when the gateway is gone, and when somebody may not.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { enter } from '../entrance.js';
import { fresh } from '../fresh.js';
import { startGateway } from '../gateway.js';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const nobody = { cookies: [], origins: [] };

async function expectAccessible(page) {
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  expect(violations.map(({ id, help }) => `${id}: ${help}`)).toEqual([]);
}

test.describe('nothing has arrived yet', () => {
  let gateway;
  let page;
  test.describe.configure({ mode: 'serial' });
  test.beforeAll(async ({ browser }) => {
    test.setTimeout(240_000);
    gateway = await startGateway({ history: 0, rate: 0 });
    page = await (await browser.newContext({ storageState: nobody })).newPage();
    await enter(page, gateway);
  });
  test.afterAll(() => gateway?.stop());

  for (const [path, said] of [
    ['/messages?view=all', 'Nothing has arrived yet.'],
    ['/', 'Nothing was refused.'],
    ['/messages?view=queue', 'Nothing has arrived yet.'],
    ['/messages/live', 'Nothing in the last hour.'],
    ['/compare', 'Which two?'],
    ['/views', 'No view is saved yet.'],
    ['/requests', 'No request waits.'],
    ['/reports/downloads', 'None yet.'],
  ]) {
    test(`${path} says so`, async () => {
      await page.goto(gateway.url + path);
      await expect(page.locator('main')).toContainText(said);
      await expectAccessible(page);
    });
  }

  test('the list shows what must be ready', async () => {
    await page.goto(`${gateway.url}/messages?view=all`);
    await expect(page.locator('.checks li').first()).toBeVisible();
  });
});

test.describe('a stored file is damaged', () => {
  let gateway;
  let page;
  let folder;
  test.describe.configure({ mode: 'serial' });
  test.beforeAll(async ({ browser }) => {
    test.setTimeout(240_000);
    folder = mkdtempSync(join(tmpdir(), 'portcullis-damaged-'));
    const first = await startGateway({ history: 1500, weeks: 1, rate: 0, data: folder });
    await first.stop();
    const segments = readdirSync(folder, { recursive: true }).map(String).filter((name) => /events_.*\.arrow$/.test(name)).sort();
    expect(segments.length).toBeGreaterThan(1);
    const broken = join(folder, segments[0]);
    const octets = readFileSync(broken);
    octets.fill(0x58, Math.floor(octets.length / 3), Math.floor(octets.length / 2));
    writeFileSync(broken, octets);
    gateway = await startGateway({ history: 1500, weeks: 1, rate: 0, data: folder });
    page = await (await browser.newContext({ storageState: nobody })).newPage();
    await enter(page, gateway);
  });
  test.afterAll(async () => {
    await gateway?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('the list says which time is missing, and shows the rest', async () => {
    await page.goto(`${gateway.url}/messages?view=all&from=`);
    await expect(page.locator('.notice.warning:visible').first()).toContainText(/The list is incomplete\. A stored file is damaged, so nothing is shown from \d\d:\d\d .* \u2013 \d\d:\d\d/);
    await expect(page.locator('tr[data-ref]').first()).toBeVisible();
    await expectAccessible(page);
  });

  test('the week before is not compared with where nothing was counted', async () => {
    await page.goto(gateway.url);
    await expect(page.getByRole('region', { name: 'Why refused' })).toContainText('no figures of the week before');
  });

  test('so do the overview and the API', async () => {
    await page.goto(gateway.url);
    await expect(page.getByRole('region', { name: 'Attention' })).toContainText('cannot be read: a file of the event log is damaged');
    const found = await (await page.request.get(`${gateway.url}/api/v1/attempts?limit=1`)).json();
    expect(found.missing.length).toBeGreaterThan(0);
  });
});

test('a list whose gateway is gone stays, says since when, and recovers', async ({ browser }) => {
  test.setTimeout(180_000);
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-gone-'));
  let gateway = await startGateway({ history: 200, weeks: 1, rate: 0, data: folder });
  try {
    const page = await (await browser.newContext({ storageState: nobody })).newPage();
    await enter(page, gateway);
    await page.goto(`${gateway.url}/messages?view=all&from=now-7d`);
    const rows = await page.locator('tr[data-ref]').count();
    await gateway.stop();
    const banner = page.locator('#stale');
    await expect(banner).toContainText(/Showing results from \d\d:\d\d:\d\d/, { timeout: 40_000 });
    expect(await page.locator('tr[data-ref]').count()).toBe(rows);
    await expectAccessible(page);
    gateway = await startGateway({ history: 200, weeks: 1, rate: 0, data: folder, http: gateway.http });
    // The demo sets a new password at each start, which ends its sessions.
    await expect(banner).toContainText('Your sign-in has ended', { timeout: 40_000 });
    await enter(await page.context().newPage(), gateway);
    await page.bringToFront();
    await expect(banner).toBeHidden({ timeout: 40_000 });
  } finally {
    await gateway.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a live tail whose gateway is gone says so, and goes on', async ({ browser }) => {
  test.setTimeout(180_000);
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-tail-'));
  let gateway = await startGateway({ history: 200, weeks: 1, rate: 0, data: folder });
  try {
    const page = await (await browser.newContext({ storageState: nobody })).newPage();
    await enter(page, gateway);
    await page.goto(`${gateway.url}/messages/live?view=all&from=`);
    await expect(page.locator('#live-state')).toHaveText('live');
    await gateway.stop();
    await expect(page.locator('#live-state')).toHaveText('connection lost, trying again');
    await page.waitForTimeout(1000);
    await expect(page.locator('#live-state')).toHaveText('connection lost, trying again');
    await expectAccessible(page);
  } finally {
    await gateway.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('rows stand before their counts are there, and a failure to count is said', async ({ page }) => {
  // As the page is sent where counting takes longer than anybody waits.
  const uncounted = (html) => html.replace(/<section class="histogram"[\s\S]*?<\/section>/, '<section class="histogram" id="histogram" aria-label="Over time" data-source="/messages/figures?view=rejected&from=now-7d"><p class="muted small pending">Counting …</p></section>');
  await page.route('**/messages?*', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: uncounted(await answer.text()) });
  });
  let send;
  let held = new Promise((sent) => { send = sent; });
  await page.route('**/messages/figures?*', async (route) => { await held; await route.continue(); });
  await page.goto('/messages?view=rejected&from=now-7d');
  await expect(page.locator('tr[data-ref]').first()).toBeVisible();
  await expect(page.locator('#histogram')).toHaveText('Counting …');
  await expectAccessible(page);
  send();
  await expect(page.locator('#histogram svg')).toBeVisible();
  await page.unroute('**/messages/figures?*');
  await page.route('**/messages/figures?*', (route) => route.fulfill({ status: 503, body: '' }));
  await page.reload();
  await expect(page.locator('#histogram')).toHaveText('The counts cannot be read at the moment.');
  await expect(page.locator('tr[data-ref]').first()).toBeVisible();
});

test('details that take longer than 300 ms say that they are loading', async ({ page }) => {
  let send;
  const held = new Promise((sent) => { send = sent; });
  await page.route(/panel=1/, async (route) => { await held; await route.continue(); });
  await page.goto('/messages?view=rejected&from=now-7d');
  await page.locator('tbody a.open').first().click();
  const panel = page.locator('#panel');
  await expect(panel).toHaveAttribute('aria-busy', 'true');
  await expect(panel.getByRole('status')).toHaveText('Loading …');
  await expectAccessible(page);
  send();
  await expect(panel.getByRole('heading').first()).toBeVisible();
  await expect(panel).not.toHaveAttribute('aria-busy', 'true');
});

test('who may not is told which permission is missing and who can grant it', async ({ page, browser, baseURL }) => {
  await page.goto('/');
  const csrf = await page.locator('input[name=csrf]').first().getAttribute('value');
  const name = `${fresh('helpdesk')}@corp.example`;
  const password = 'five quiet words for tests';
  const headers = { 'x-csrf-token': csrf, 'content-type': 'application/json' };
  await page.request.post('/api/v1/accounts', { headers, data: { name, role: 'viewer' } });
  const set = await page.request.put(`/api/v1/accounts/${encodeURIComponent(name)}/password`, { headers, data: { password } });
  expect(set.ok(), await set.text()).toBe(true);
  const context = await browser.newContext({ baseURL, storageState: nobody });
  const viewer = await context.newPage();
  await viewer.goto('/sign-in');
  await viewer.locator('input[name=name]').fill(name);
  await viewer.locator('input[name=password]').fill(password);
  await viewer.getByRole('button', { name: /Sign in/ }).click();
  await viewer.waitForURL((url) => !url.pathname.startsWith('/sign-in'));
  await expect(viewer.locator('.rail').getByRole('link', { name: 'Downloads' })).toHaveCount(0);
  const answer = await viewer.goto('/reports/downloads');
  expect(answer.status()).toBe(403);
  await expect(viewer.locator('main')).toContainText(/lacks the permission export_metadata.*an owner can grant it/);
  await expectAccessible(viewer);
  await viewer.goto('/messages?view=all');
  await expect(viewer.getByRole('link', { name: 'Export', exact: true })).toHaveCount(0);
  await viewer.goto('/messages?view=rejected&from=now-7d&q=type%3Arbl');
  const row = await viewer.locator('tbody tr[data-ref]').first().getAttribute('data-id');
  await expect(viewer.locator('[data-act=permit], [data-act=block], [data-bulk]')).toHaveCount(0);
  await viewer.goto(`/messages/${row}`);
  await expect(viewer.getByRole('heading', { level: 1 })).toContainText('rejected');
  await expect(viewer.getByRole('link', { name: /^(Permit|Block) for recipient/ })).toHaveCount(0);
  for (const [path, lacks] of [[`/messages/${row}/permit`, 'edit_senders'], ['/definitions/new?kind=reputation', 'edit_policies'], ['/messages/bulk?act=permit&all=1&view=rejected', 'edit_policies'], ['/reports/downloads/new?view=rejected', 'export_metadata']]) {
    expect((await viewer.goto(path)).status(), path).toBe(403);
    await expect(viewer.locator('main')).toContainText(lacks);
    await expectAccessible(viewer);
  }
  await viewer.goto('/requests');
  await expect(viewer.getByRole('button', { name: 'Answered' })).toHaveCount(0);
  await context.close();
});
