// The last hour: the histogram narrows, facets add and exclude, the live tail pauses.
import { expect, test } from '@playwright/test';

const LIST = '/messages?view=all&from=now-7d';

test('facets add and exclude', async ({ page }) => {
  await page.goto(LIST);
  await page.locator('#facets-toggle').click();
  const facets = page.getByRole('complementary', { name: 'Facets' });
  await facets.getByRole('link', { name: /^Only / }).first().click();
  await expect(page.locator('ul.chips .chip')).toHaveCount(1);
  await page.locator('ul.chips').getByRole('link', { name: /^Exclude / }).click();
  await expect(page.locator('ul.chips .chip.not')).toHaveCount(1);
  await page.locator('ul.chips').getByRole('link', { name: /^Remove / }).click();
  await expect(page.locator('ul.chips .chip')).toHaveCount(0);
});

test('the histogram narrows with the keyboard and can be reset', async ({ page }) => {
  await page.goto(LIST);
  const bars = page.getByRole('group', { name: /^Histogram/ });
  await bars.focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Shift+ArrowLeft');
  await page.keyboard.press('Enter');
  await expect(page.locator('#range-reset')).toBeVisible();
  await page.locator('#range-reset').click();
  await expect(page.locator('#range-reset')).toHaveCount(0);
});

test('the live tail shows what ends, and pauses', async ({ page }) => {
  await page.goto('/messages/live');
  const rows = page.locator('#live tbody tr');
  const before = await rows.count();
  await expect(async () => expect(await rows.count()).toBeGreaterThan(before)).toPass({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Pause' }).click();
  const paused = await rows.count();
  await page.waitForTimeout(3000);
  expect(await rows.count()).toBe(paused);
});

test.describe('without script', () => {
  test.use({ javaScriptEnabled: false });
  test('the table of the histogram has a link for each bar', async ({ page }) => {
    await page.goto(LIST);
    const wait = page.getByRole('link', { name: 'Wait for the counts' });
    if (await wait.count()) await wait.click();
    await page.locator('#histogram').getByRole('link', { name: 'Table' }).click();
    await page.locator('#histogram table a').first().click();
    await expect(page.locator('#range-reset')).toBeVisible();
  });
});
