// From the Rejected tab to everything that is known of one refusal, and on to the next.
import { expect, test } from '@playwright/test';
import { week } from '../fresh.js';
import { ofTheWeek } from '../stories.js';

const LIST = `/messages?view=rejected&${week()}&q=type%3Ablocked.policy`;

async function expectTheVerdict(page, row) {
  await expect(page.locator('strong', { hasText: 'What can be done' }).first()).toBeVisible();
  await expect(page.locator('code:visible', { hasText: `${row.code} ${row.ecode}` }).first()).toBeVisible();
  await expect(page.locator('code:visible', { hasText: row.ref }).first()).toBeVisible();
  await expect(page.locator('dd:visible', { hasText: row.ip }).first()).toBeVisible();
}

test('with the mouse, and previous and next through the list', async ({ page, request }) => {
  const [first, second] = await ofTheWeek(request, 'type:blocked.policy', { view: 'rejected' });
  await page.goto('/');
  await page.getByRole('link', { name: 'Messages' }).first().click();
  await page.getByRole('link', { name: /^Rejected/ }).first().click();
  await page.goto(LIST);
  await page.locator(`tr[data-ref="${first.ref}"] a.open`).click();
  const panel = page.locator('#panel');
  await expect(panel).toBeVisible();
  await expectTheVerdict(panel, first);
  await panel.getByRole('link', { name: 'Verdict', exact: true }).click();
  await expect(panel.getByRole('table').first()).toContainText('Relay control');
  await expect(panel.locator('.panel-body').getByText(/Blocked Senders/).first()).toBeVisible();
  await panel.getByRole('link', { name: /Next/ }).click();
  await expect(panel.locator('code:visible', { hasText: second.ref }).first()).toBeVisible();
  await panel.getByRole('link', { name: /Previous/ }).click();
  await expect(panel.locator('code:visible', { hasText: first.ref }).first()).toBeVisible();
});

test('with the keyboard alone', async ({ page, request }) => {
  const [first] = await ofTheWeek(request, 'type:blocked.policy', { view: 'rejected' });
  await page.goto(LIST);
  await expect(page.locator('tr[data-ref]').first()).toHaveAttribute('data-ref', first.ref);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  const panel = page.locator('#panel');
  await expect(panel).toBeVisible();
  await page.keyboard.press('v');
  await expect(panel.getByRole('table').first()).toContainText('Relay control');
  await page.keyboard.press('Escape');
  await expect(panel).toBeHidden();
});

test.describe('without script', () => {
  test.use({ javaScriptEnabled: false });
  test('each side is a page of its own', async ({ page, request }) => {
    const [first, second] = await ofTheWeek(request, 'type:blocked.policy', { view: 'rejected' });
    await page.goto(LIST);
    await page.locator(`tr[data-ref="${first.ref}"] a.open`).click();
    await expectTheVerdict(page, first);
    await page.getByRole('link', { name: 'Verdict', exact: true }).click();
    await expect(page.getByRole('table').first()).toContainText('Relay control');
    await page.getByRole('link', { name: /Next/ }).click();
    await expect(page.locator('code:visible', { hasText: second.ref }).first()).toBeVisible();
  });

  test('a mistake in the query is shown at its place, with a proposal', async ({ page }) => {
    await page.goto('/messages?view=rejected&from=now-7d&q=sujbect%3Ainvoice');
    await expect(page.getByRole('alert')).toContainText('subject:');
    await expect(page.locator('#mistake mark')).toHaveText(/sujbect/);
  });
});
