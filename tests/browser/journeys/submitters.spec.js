// A printer gets a name and a password: the password is shown once, what is wrong is said and what was typed stays, it gets another one, and it goes. With and without script.
import { expect, test } from '@playwright/test';

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with the mouse' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('from a new name to its end', async ({ page }) => {
      const name = `scan-${Date.now().toString(36)}-${process.pid}`;
      await page.goto('/system/submitters');
      await page.getByLabel('Name', { exact: true }).fill(name);
      await page.getByLabel('Note').fill('Second floor');
      await page.getByLabel('May send as').fill('scan@far-away.example');
      await page.getByRole('button', { name: 'Add the submitter' }).click();
      await expect(page.getByRole('alert')).toContainText('neither one of the domains');
      await expect(page.getByLabel('Note')).toHaveValue('Second floor');
      await page.getByLabel('May send as').fill('scan@corp.example');
      await page.getByLabel('Only from these networks').fill('192.0.2.7');
      await page.getByRole('button', { name: 'Add the submitter' }).click();
      const first = await page.getByRole('status').locator('code').textContent();
      expect(first).toMatch(/^([0-9a-f]{6}-){4}[0-9a-f]{6}$/);
      const row = page.getByRole('row').filter({ hasText: name });
      await expect(row).toContainText('scan@corp.example');
      await expect(row).toContainText('192.0.2.7/32');
      await expect(row).toContainText('never');
      // It is shown once.
      await page.goto('/system/submitters');
      await expect(page.locator('main')).not.toContainText(first);
      await page.getByRole('link', { name, exact: true }).click();
      await page.getByRole('button', { name: 'New password' }).click();
      const second = await page.getByRole('status').locator('code').textContent();
      expect(second).not.toBe(first);
      await page.getByLabel('Disabled').check();
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(row).toContainText('disabled');
      await page.getByRole('link', { name, exact: true }).click();
      await page.getByRole('button', { name: 'Remove the submitter' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Submitters');
      await expect(row).toHaveCount(0);
      // Who did it is in the audit log, and no password.
      await page.goto('/system/audit?action=submitter');
      const log = page.locator('main');
      await expect(log).toContainText('submitter');
      await expect(log).toContainText(name);
      await expect(log).not.toContainText(second);
    });
  });
}
