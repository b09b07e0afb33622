// The last hour: the histogram narrows, facets add and exclude, the live tail pauses.
import { expect, test } from '@playwright/test';
import { fresh } from '../fresh.js';
import { send } from '../smtp.js';

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

test('a range that was dragged out, and narrowed again, is left for the one before', async ({ page }) => {
  await page.goto(LIST);
  const drag = async (from, to) => {
    const bars = await page.locator('#brush').boundingBox();
    const y = bars.y + bars.height / 2;
    await page.mouse.move(bars.x + bars.width * from, y);
    await page.mouse.down();
    await page.mouse.move(bars.x + bars.width * to, y, { steps: 4 });
    await Promise.all([page.waitForURL(/within=/), page.mouse.up()]);
    await expect(page.locator('#brush')).toBeVisible();
  };
  await drag(0.4, 0.8);
  const once = page.url();
  await drag(0.2, 0.6);
  expect(page.url()).not.toBe(once);
  const back = page.locator('#range-reset');
  await expect(back).toHaveText('Back to: Last 7 days');
  await back.click();
  await expect(page).toHaveURL(/from=now-7d/);
  await expect(page.getByRole('group', { name: 'Time range' })).toContainText('Last 7 days');
  await expect(back).toHaveCount(0);
});

test('the live tail shows what ends, and pauses', async ({ page }) => {
  await page.goto('/messages/live');
  const [first, second] = ['first', 'second'].map((word) => `${fresh(word)}@live.example`);
  const rowOf = (from) => page.locator('#live tbody tr', { hasText: from });
  const state = page.locator('#live-state');
  await expect(state).toHaveText('live');
  await send({ from: first, to: 'ann@corp.example' });
  await expect(rowOf(first)).toBeVisible();
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(state).toHaveText(/^paused/);
  const shown = await page.locator('#live tbody tr').count();
  const waiting = async () => Number((await state.textContent()).match(/(\d+) waiting/)?.[1] ?? 0);
  const before = await waiting();
  await send({ from: second, to: 'ann@corp.example' });
  await expect.poll(waiting).toBeGreaterThan(before);
  expect(await page.locator('#live tbody tr').count()).toBe(shown);
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(rowOf(second)).toBeVisible();
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
