// An open retry window: what is to be expected, and a countdown that can be stopped and that nobody needs.
import { expect, test } from '@playwright/test';
import { greylistedMail } from '../stories.js';

async function open(page, request) {
  const row = await greylistedMail(request);
  await page.goto(`/messages/${row.id}/life`);
  await expect(page.locator('.waiting')).toContainText(/window closes in/);
  return page.locator('[data-countdown]');
}

test('it counts down, and stops where it is paused', async ({ page, request }) => {
  await page.clock.install();
  const words = await open(page, request);
  const before = await words.textContent();
  await page.clock.fastForward(2 * 60_000);
  await expect(words).not.toHaveText(before);
  await page.getByRole('button', { name: 'Pause' }).click();
  const paused = await words.textContent();
  await page.clock.fastForward(2 * 60_000);
  await expect(words).toHaveText(paused);
  await expect(page.getByRole('button', { name: 'Count down' })).toHaveAttribute('aria-pressed', 'true');
});

test('it says when servers like it usually return, and from how many that is known', async ({ page, request }) => {
  await open(page, request);
  await expect(page.locator('.waiting')).toContainText(/usually return after .+ \(from \d+ returns in 30 days; .+\)\./);
});

test.describe('whoever prefers less motion', () => {
  test.use({ contextOptions: { reducedMotion: 'reduce' } });
  test('sees nothing move until asked for', async ({ page, request }) => {
    await page.clock.install();
    const words = await open(page, request);
    const before = await words.textContent();
    await page.clock.fastForward(2 * 60_000);
    await expect(words).toHaveText(before);
    await page.getByRole('button', { name: 'Count down' }).click();
    await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible();
    await expect(words).not.toHaveText(before);
  });
});

test.describe('without script', () => {
  test.use({ javaScriptEnabled: false });
  test('the words are right as they stand, and there is no button', async ({ page, request }) => {
    await open(page, request);
    await expect(page.locator('.waiting time')).toHaveCount(2);
    await expect(page.locator('[data-countdown-pause]')).toBeHidden();
  });
});
