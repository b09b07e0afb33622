// What cannot be found, and where it is: older than what is kept, without a subject, waiting or held.
import { expect, test } from '@playwright/test';

const day = (ago) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);

test('a time that is wholly older than what is kept is in the daily logs', async ({ page }) => {
  await page.goto(`/messages?view=rejected&from=${day(11)}&to=${day(10)}`);
  const notice = page.locator('#beyond');
  await expect(notice).toContainText('nothing of this time can be searched here any more');
  await expect(notice).toContainText('daily logs (CSV files, kept for ever)');
  await expect(page.locator('.empty')).toBeVisible();
  const downloading = page.waitForEvent('download');
  await notice.getByRole('link', { name: `rejected-${day(11)}.csv` }).click();
  await downloading;
  await expect(notice.getByRole('link', { name: 'All daily logs' })).toHaveAttribute('href', '/reports/downloads#d-logs');
});

test('of a time that is older in part, the list says where it begins', async ({ page }) => {
  await page.goto(`/messages?view=rejected&from=${day(10)}`);
  await expect(page.locator('#beyond')).toContainText('so this list begins at');
  await expect(page.locator('#beyond')).not.toContainText('nothing of this time');
  await expect(page.locator('tr[data-ref]').first()).toBeVisible();
});

test('a word of a subject that nobody has seen leads to the mail that never sent one', async ({ page }) => {
  await page.goto('/messages?view=all&from=now-7d&q=to%3A%40corp.example%20an-offer-nobody-made');
  const empty = page.locator('.empty');
  await expect(empty).toContainText('deferred or refused before its content was sent has no subject here');
  await empty.getByRole('link', { name: 'Show these' }).click();
  await expect(page.locator('tr[data-ref]').first()).toBeVisible();
  await expect(page).toHaveURL(/-subject%3A/);
});

test('held mail does not wait in the queue, and where nothing waits nothing is the oldest', async ({ page }) => {
  const now = page.getByRole('region', { name: 'Now' });
  const figure = (label) => now.locator('dl > div', { has: page.getByText(label, { exact: true }) }).locator('dd');
  const status = async () => (await page.request.get('/api/v1/status')).json();
  const isEmpty = ({ queue_oldest_age_s: age }) => age === null;
  // Mail comes and goes: the page is compared where the queue was the same before it and after.
  await expect(async () => {
    const before = await status();
    await page.goto('/');
    const shown = await figure('Waiting in queue').locator('.second').count();
    const after = await status();
    expect(isEmpty(after)).toBe(isEmpty(before));
    expect(shown).toBe(isEmpty(before) ? 0 : 1);
  }).toPass();
  await expect(figure('Waiting in queue')).toBeVisible();
  await expect(figure('Held back')).toBeVisible();
  expect((await status()).queue_held).toBeGreaterThan(0);
  const ids = async (q) => (await (await page.request.get(`/api/v1/attempts?${new URLSearchParams({ q, from: 'now-7d', limit: 200 })}`)).json()).rows.map(({ id }) => id);
  const [queued, held] = [await ids('is:queued'), await ids('is:held')];
  expect(held.length).toBeGreaterThan(0);
  expect(queued.filter((id) => held.includes(id))).toEqual([]);
});

for (const span of ['24h', '7d']) {
  test(`why mail was refused is compared with the week before, ${span}`, async ({ page }) => {
    await page.goto(`/?span=${span}`);
    const refused = page.getByRole('region', { name: 'Why refused' });
    await expect(refused).toContainText('change against the week before');
    const changes = await refused.locator('li > span.small').allTextContents();
    expect(changes.length).toBeGreaterThan(0);
    for (const change of changes) expect(change).toMatch(/^(=|new|[+\u2212]\d+ %)$/);
  });
}
