// A time is shown to people as they read times, in their zone: no list and no side of a message has one as programs write it,
// but what is quoted.
import { expect, test } from '@playwright/test';
import { screens } from '../screens.js';
import { attempts, deferredMail } from '../stories.js';

/** Texts with a time as programs write it, outside of what is code, and hints that have one. */
function raw() {
  const time = /\d{4}-\d\d-\d\dT\d\d:\d\d/;
  const found = [...document.querySelectorAll('[title]')].map((node) => node.title).filter((title) => time.test(title));
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (time.test(node.textContent) && !node.parentElement.closest('pre, code, textarea, script, style')) found.push(node.textContent.trim());
  }
  return found;
}

const LOOKED_AT = ['rejected', 'deferred', 'queue', 'held', 'held-message', 'held-release', 'held-delete', 'bounced', 'everything', 'waiting',
  'side-panel', 'message', 'message-life-line', 'message-verdict', 'life-line', 'compare'];

for (const [name, open] of LOOKED_AT.map((name) => [name, screens[name]])) {
  test(`${name}`, async ({ browser, baseURL }) => {
    const context = await browser.newContext({ baseURL });
    const page = await context.newPage();
    await open(page, baseURL);
    expect(await page.evaluate(raw)).toEqual([]);
    await context.close();
  });
}

for (const [what, q, view] of [
  ['a greylisted attempt', 'type:greylist.first_seen retried:no -is:expired', 'deferred'],
  ['a client with a reputation', 'type:reputation', 'all'],
]) {
  test(`${what}, on every side`, async ({ page, request }) => {
    const [row] = await attempts(request, q, { view });
    for (const path of [`/messages/${row.id}`, `/messages/${row.id}/life`, `/messages/${row.id}/verdict`, `/lifelines/${row.life}`]) {
      await page.goto(path);
      await expect(page.locator('main time').first()).toBeVisible();
      expect(await page.evaluate(raw), path).toEqual([]);
    }
  });
}

test('a time to come says how long it takes till then', async ({ page, request }) => {
  const row = await deferredMail(page, request);
  for (const path of [`/lifelines/${row.life}`, `/messages/${row.id}/life`, `/messages/${row.id}`]) {
    await page.goto(path);
    expect(await page.evaluate(raw), path).toEqual([]);
  }
  await expect(page.locator('.lead')).toContainText(/next try \d+ \w{3} \d\d:\d\d:\d\d \(in .+\)|due now/);
  const [waits] = await attempts(request, 'type:greylist.first_seen retried:no -is:expired', { view: 'deferred' });
  await page.goto(`/messages/${waits.id}`);
  const window = page.locator('section', { has: page.getByRole('heading', { name: 'Greylist triplet' }) }).locator('dl > div', { has: page.locator('dt', { hasText: /^Window$/ }) });
  await expect(window).toContainText(/until \d+ \w{3} \d\d:\d\d:\d\d \(in .+\)/);
  await expect(window.locator('time')).toHaveCount(2);
});
