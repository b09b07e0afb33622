// The open row is in the address, so that it can be handed on; how dense rows are is remembered for the person.
import { expect, test } from '@playwright/test';
import { week } from '../fresh.js';
import { attempts, ofTheWeek } from '../stories.js';

const LIST = `/messages?view=rejected&${week()}&q=type%3Ablocked`;

test('the address of a list opens what was open, with and without script', async ({ page, browser, baseURL, request }) => {
  const [first, second] = await ofTheWeek(request, 'type:blocked', { view: 'rejected' });
  await page.goto(LIST);
  await page.locator(`tr[data-ref="${first.ref}"] a.open`).click();
  await expect(page.locator('#panel')).toContainText(first.ref);
  await expect(page).toHaveURL(new RegExp(`sel=${first.id}`));
  await page.locator('#panel').getByRole('link', { name: /Next/ }).click();
  await expect(page).toHaveURL(new RegExp(`sel=${second.id}`));
  await expect(page.locator(`tr[data-ref="${second.ref}"]`)).toHaveAttribute('aria-selected', 'true');
  for (const link of await page.locator('[data-shared]').all()) expect(await link.getAttribute('data-copy')).toContain(`sel=${second.id}`);
  const address = page.url();
  for (const javaScriptEnabled of [true, false]) {
    const other = await browser.newContext({ baseURL, javaScriptEnabled });
    const shared = await other.newPage();
    await shared.goto(address);
    await expect(shared.locator('#panel')).toContainText(second.ref);
    await expect(shared.locator(`tr[data-ref="${second.ref}"]`)).toHaveAttribute('aria-selected', 'true');
    await shared.getByRole('link', { name: 'Close (Esc)' }).click();
    await expect(shared.locator('#panel')).toBeHidden();
    await expect(shared).not.toHaveURL(/sel=/);
    await other.close();
  }
  await page.keyboard.press('Escape');
  await expect(page).not.toHaveURL(/sel=/);
});

test('another page of the list keeps what is open', async ({ page, request }) => {
  const [first] = await attempts(request, '', { view: 'rejected' });
  await page.goto(`/messages?view=rejected&from=now-7d&sel=${first.id}`);
  await page.locator('#page-next').click();
  await expect(page).toHaveURL(new RegExp(`after=.*sel=${first.id}`));
  await expect(page.locator('#panel')).toContainText(first.ref);
  await page.locator('#page-back').click();
  await expect(page).toHaveURL(new RegExp(`sel=${first.id}`));
});

test('what is not there any more is said beside a whole list', async ({ page }) => {
  await page.goto(`${LIST}&sel=0198c0de-5f00-7000-8000-000000000001`);
  await expect(page.locator('.notice.warning:visible')).toContainText('cannot be shown');
  await expect(page.locator('tr[data-ref]').first()).toBeVisible();
});

// One after the other: both choose for the same person.
test('rows are as dense as was chosen, with and without script', async ({ browser, baseURL }) => {
  for (const javaScriptEnabled of [true, false]) {
    const context = await browser.newContext({ baseURL, javaScriptEnabled, viewport: { width: 1600, height: 1000 } });
    const page = await context.newPage();
    await page.goto(LIST);
    const table = page.locator('table.messages');
    const dense = page.getByRole('group', { name: 'Density' });
    await dense.getByRole('button', { name: 'Compact rows' }).click();
    await expect(table).toHaveClass(/compact/);
    const height = await table.locator('tbody tr').first().evaluate((row) => row.getBoundingClientRect().height);
    expect(height).toBeLessThanOrEqual(30);
    await page.goto('/messages?view=all');
    await expect(table).toHaveClass(/compact/);
    await dense.getByRole('button', { name: 'Comfortable rows' }).click();
    await expect(table).not.toHaveClass(/compact/);
    await context.close();
  }
});
