// A time is shown to people as they read times, in their zone: no side of a message has one as programs write it, but what is
// quoted. That no screen has one is looked at where each is open anyway (accessibility.spec.js).
import { expect, test } from '@playwright/test';
import { attempts, deferredMail } from '../stories.js';
import { rawTimes } from '../times.js';

for (const [what, q, view] of [
  ['a greylisted attempt', 'type:greylist.first_seen retried:no -is:expired', 'deferred'],
  ['a client with a reputation', 'type:reputation', 'all'],
]) {
  test(`${what}, on every side`, async ({ page, request }) => {
    const [row] = await attempts(request, q, { view });
    for (const path of [`/messages/${row.id}`, `/messages/${row.id}/life`, `/messages/${row.id}/verdict`, `/lifelines/${row.life}`]) {
      await page.goto(path);
      await expect(page.locator('main time').first()).toBeVisible();
      expect(await page.evaluate(rawTimes), path).toEqual([]);
    }
  });
}

test('a time to come says how long it takes till then', async ({ page, request }) => {
  const row = await deferredMail(page, request);
  for (const path of [`/lifelines/${row.life}`, `/messages/${row.id}/life`, `/messages/${row.id}`]) {
    await page.goto(path);
    expect(await page.evaluate(rawTimes), path).toEqual([]);
  }
  await expect(page.locator('.lead')).toContainText(/next try \d+ \w{3} \d\d:\d\d:\d\d \(in .+\)|due now/);
  const [waits] = await attempts(request, 'type:greylist.first_seen retried:no -is:expired', { view: 'deferred' });
  await page.goto(`/messages/${waits.id}`);
  const window = page.locator('section', { has: page.getByRole('heading', { name: 'Greylist triplet' }) }).locator('dl > div', { has: page.locator('dt', { hasText: /^Window$/ }) });
  await expect(window).toContainText(/until \d+ \w{3} \d\d:\d\d:\d\d \(in .+\)/);
  await expect(window.locator('time')).toHaveCount(2);
});

test('a mistake that names a time names it as times are read', async ({ page }) => {
  await page.goto('/senders/new');
  await page.getByLabel(/^Sender:/).fill('late@partner.example');
  await page.getByLabel('Recipient', { exact: true }).fill('support@corp.example');
  await page.getByLabel(/^Until:/).fill('2026-01-05');
  await page.getByRole('button', { name: 'Save' }).click();
  const told = page.getByRole('alert');
  await expect(told).toContainText(/it would end at 5 Jan \d\d:\d\d:\d\d, which is past \(it is \d+ \w{3} \d\d:\d\d:\d\d now\)/);
  await expect(told.locator('time')).toHaveCount(2);
  expect(await page.evaluate(rawTimes)).toEqual([]);
});
