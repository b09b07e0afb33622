// Many rows at once: a selection or all that match are permitted as a job with a preview, and undone as one. With mouse, keyboard alone and without script.
import { expect, test } from '@playwright/test';
import { send } from '../smtp.js';

const TO = 'bob@corp.example';
let number = 0;

/** Greylisted senders of a domain of its own; the query that finds them. */
async function refused(count) {
  const domain = `many-${Date.now().toString(36)}-${process.pid}-${(number += 1)}.example`;
  const senders = Array.from({ length: count }, (_, place) => `sue${place}@${domain}`);
  for (const from of senders) expect((await send({ from, to: TO })).code).toBe(451);
  return { senders, list: `/messages?view=deferred&q=${encodeURIComponent(`from:${domain}`)}` };
}

async function isDoneAndUndone(page, senders) {
  await expect(page.getByRole('status').first()).toContainText(`${senders.length} entries are stored`, { timeout: 20_000 });
  for (const from of senders) expect((await send({ from, to: TO })).code).toBe(250);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Undone');
  expect((await send({ from: `new-${senders[0]}`, to: TO })).code).toBe(451);
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with the mouse' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('a selection is permitted with a preview, and undone', async ({ page }) => {
      const { senders, list } = await refused(3);
      await page.goto(list);
      for (const place of [0, 1]) await page.locator('tbody td.select input').nth(place).check();
      await page.getByRole('button', { name: 'Permit…' }).click();
      await expect(page.locator('#plan')).toContainText('Permit 2 distinct senders for 1 recipients: 2 entries.');
      await expect(page.locator('tbody')).toContainText('It would now get past');
      await page.getByLabel('Remark').fill('the trade fair');
      await page.getByRole('button', { name: 'Permit 2' }).click();
      await expect(page).toHaveURL(/\/messages\/bulk\/\d+$/);
      const permitted = senders.slice(1);
      await isDoneAndUndone(page, permitted);
    });

    test('all that match are let in', async ({ page }) => {
      const { senders, list } = await refused(2);
      await page.goto(list);
      await page.getByText('All that match', { exact: true }).click();
      await page.getByRole('link', { name: 'Let in all that match…' }).click();
      await expect(page.locator('#plan')).toContainText('Let in 2 triplets that wait');
      await page.getByRole('button', { name: 'Let in 2' }).click();
      await expect(page.getByRole('status').first()).toContainText('2 triplets pass at their next attempt', { timeout: 20_000 });
      for (const from of senders) expect((await send({ from, to: TO })).code).toBe(250);
    });
  });
}

test('with the keyboard alone', async ({ page }) => {
  const { senders, list } = await refused(2);
  await page.goto(list);
  await expect(page.locator('tbody tr')).toHaveCount(2);
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await expect(page.locator('#selected')).toHaveText('2 selected');
  const press = async (button) => {
    for (let steps = 0; steps < 120 && !(await button.evaluate((node) => node === document.activeElement)); steps += 1) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
  };
  await press(page.getByRole('button', { name: 'Permit…' }));
  await expect(page.locator('#plan')).toContainText('2 entries');
  await press(page.getByRole('button', { name: 'Permit 2' }));
  await isDoneAndUndone(page, senders);
});
