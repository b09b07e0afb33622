// A caller says: "our supplier wrote to Ana, where is it?" An address and a word must lead to the life-line.
import { expect, test } from '@playwright/test';
import { story, wordOf } from '../stories.js';

const STEPS = ['deferred', 'too early', 'accepted', 'delivered'];

async function expectTheStory(page, life) {
  const drawing = page.locator('.drawing [role=img]:visible').first();
  await expect(drawing).toHaveAttribute('aria-label', /deferred, too early .*, accepted .*, delivered/);
  await expect(page.locator('.badge:visible', { hasText: 'Delivered after waiting' }).first()).toBeVisible();
  // Whose delay it was: ours, and the sender's.
  await expect(page.locator('p:visible', { hasText: /ours.*sender.s retry gap/ }).first()).toBeVisible();
  for (const step of life.steps) await expect(page.locator('time:visible', { hasText: step.at.slice(11, 19) }).first()).toBeVisible();
}

test('with the keyboard alone', async ({ page, request }) => {
  const { life, accepted } = await story(request, 'type:greylist.too_early', STEPS);
  await page.goto('/messages?view=all&from=now-7d');
  await page.keyboard.press('/');
  await page.keyboard.type(`${accepted.to} ${wordOf(accepted.subject)}`);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/q=/);
  const row = page.locator(`tr[data-ref="${accepted.ref}"]`);
  await expect(row).toBeVisible();
  for (let steps = 0; steps < 100 && !(await row.evaluate((tr) => tr.contains(document.activeElement) || tr.matches('[aria-selected=true], .current'))); steps += 1) {
    await page.keyboard.press('j');
  }
  await page.keyboard.press('Enter');
  await expect(page.locator('#panel')).toBeVisible();
  await page.keyboard.press('l');
  await expectTheStory(page, life);
});

test('with the mouse', async ({ page, request }) => {
  const { life, accepted } = await story(request, 'type:greylist.too_early', STEPS);
  await page.goto('/');
  await page.getByRole('searchbox').or(page.getByRole('combobox', { name: 'Search messages' })).first().fill(`${accepted.to} ${wordOf(accepted.subject)} time:last7d`);
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await page.locator(`tr[data-ref="${accepted.ref}"] a.open`).click();
  await page.getByRole('link', { name: 'Life-line', exact: true }).first().click();
  await expectTheStory(page, life);
});

test.describe('without script', () => {
  test.use({ javaScriptEnabled: false });
  test('by forms and links', async ({ page, request }) => {
    const { life, accepted } = await story(request, 'type:greylist.too_early', STEPS);
    await page.goto('/');
    await page.locator('input[name=q]').first().fill(`${accepted.to} ${wordOf(accepted.subject)} time:last7d`);
    await page.getByRole('button', { name: 'Search', exact: true }).click();
    await page.locator(`tr[data-ref="${accepted.ref}"] a.open`).click();
    await page.getByRole('link', { name: 'Life-line', exact: true }).first().click();
    await expectTheStory(page, life);
  });
});
