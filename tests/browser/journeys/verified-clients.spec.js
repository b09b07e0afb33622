// Mail that only verified clients may send: the option of the policy, and what a client showed where its TLS is told.
import { expect, test } from '@playwright/test';
import { attempts } from '../stories.js';

test('the editor of Secure Receipt offers verified clients', async ({ page }) => {
  await page.goto('/policies/new/secure_receipt');
  await page.getByLabel('Option', { exact: true }).selectOption({ label: 'require verified' });
  await page.getByLabel('Narrative: what it is for').fill('The bank shows who it is');
  await page.getByLabel('Applies from').selectOption('domain');
  await page.getByLabel('Which, from').fill('nobody-writes-from.example');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
  await expect(page.locator('main')).toContainText('require_verified');
});

test('a refusal says what the client showed', async ({ page, request }) => {
  const [row] = await attempts(request, 'type:tls.unverified', { view: 'rejected' });
  await page.goto(`/messages/${row.id}`);
  const main = page.locator('main');
  await expect(main).toContainText('What the client showed: none, though it was asked for one.');
  await expect(page.locator('dt', { hasText: 'Client certificate' }).first()).toBeVisible();
  await page.goto(`/messages/${row.id}/verdict`);
  await expect(page.getByRole('row').filter({ hasText: 'Client certificate' }).first()).toContainText('none, though it was asked');
});
