// I am expecting a mail: for a quarter of an hour proven senders to one address are not asked to come back. With mouse, keyboard alone and without script.
import { expect, test } from '@playwright/test';
import { send } from '../smtp.js';

let number = 0;
/** Somebody new at a partner whose domain names this address as its server (SPF). */
const proven = () => ({ from: `new-${Date.now().toString(36)}-${process.pid}-${(number += 1)}@customer.example`, ip: '127.8.1.77' });
/** Somebody new whom nothing proves. */
const unproven = () => ({ from: `sue@unproven-${Date.now().toString(36)}-${process.pid}-${(number += 1)}.example` });

const rowOf = (page, to) => page.locator('tbody tr').filter({ hasText: to });

async function isExpected(page, to) {
  await expect(page).toHaveURL(/\/expecting$/);
  await expect(rowOf(page, to).locator('td[data-name="Left"]')).toHaveText(/^1[45] min( \d+ s)? left$/);
  const accepted = await send({ ...proven(), to });
  expect(accepted.code, accepted.text).toBe(250);
  expect((await send({ ...unproven(), to })).code).toBe(451);
  return accepted.ref;
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with the mouse' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('from the deferred row to the mail that comes in, and to who let it in', async ({ page }, { retry, repeatEachIndex }) => {
      // Somebody of its own: whoever is expected by another try is let in already.
      const seat = 1 + 10 * repeatEachIndex + 2 * retry + Number(javaScriptEnabled);
      const to = `course-${`${seat}`.padStart(3, '0')}@corp.example`;
      const refused = await send({ ...proven(), to });
      expect(refused.code, refused.text).toBe(451);
      await page.goto(`/messages/${refused.ref}`);
      await page.getByRole('link', { name: /^Expecting a mail/ }).click();
      await expect(page.getByLabel('Who expects a mail')).toHaveValue(to);
      await page.getByLabel('Remark').fill('the offer');
      await page.getByRole('button', { name: /^Expect it/ }).click();
      const reference = await isExpected(page, to);
      await page.goto(`/messages/${reference}`);
      await expect(page.locator('main')).toContainText('It did not have to come back, because mail was expected');
      const decision = page.getByRole('region', { name: 'Decision' });
      await expect(decision).toContainText(`${to} expects a mail: the offer`);
      await decision.locator('a[href^="/system/audit/"]').first().click();
      await expect(page.getByRole('heading', { level: 1 })).toContainText('Let proven senders to one recipient past greylisting');
      await expect(page.getByRole('link', { name: refused.ref })).toBeVisible();
      await page.goto('/expecting');
      await rowOf(page, to).getByRole('button', { name: /^End it/ }).click();
      await expect(rowOf(page, to)).toHaveCount(0);
      expect((await send({ ...proven(), to })).code).toBe(451);
    });
  });
}

test('with the keyboard alone, and an address elsewhere is refused', async ({ page }) => {
  const to = 'ann@corp.example';
  await page.goto('/expecting');
  const field = page.getByLabel('Who expects a mail');
  for (let steps = 0; steps < 80 && !(await field.evaluate((node) => node === document.activeElement)); steps += 1) {
    await page.keyboard.press('Tab');
  }
  await page.keyboard.type('ann@elsewhere.example');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('is in no domain of yours');
  await expect(field).toHaveValue('ann@elsewhere.example');
  await field.focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.type(to);
  await page.keyboard.press('Enter');
  await isExpected(page, to);
});
