// Definitions: one is made from an example, replayed, used, changed in one place for all who use it, and kept while it is used.
import { expect, test } from '@playwright/test';
import { fresh } from '../fresh.js';

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with the mouse' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('make, use, change, and remove when nobody uses it', async ({ page }) => {
      const name = fresh('Strict');
      await page.goto('/definitions');
      await page.getByRole('link', { name: /^New: DNS Authentication/ }).click();
      const text = page.getByLabel('The definition');
      await text.fill((await text.inputValue()).replace('Sender authentication', name).replace('honour_record', 'nonsense'));
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.getByRole('alert')).toContainText('nonsense');
      await text.fill((await text.inputValue()).replace('nonsense', 'hold'));
      await page.getByRole('button', { name: /^Replay/ }).click();
      await expect(page.getByRole('region', { name: /What this would have changed/ })).toContainText('Self-check');
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
      // A policy uses it.
      await page.goto('/policies/new/dns_authentication');
      await page.getByLabel('Narrative: what it is for').fill(`Uses ${name}`);
      await page.getByLabel('Option', { exact: true }).selectOption({ label: `apply: ${name}` });
      await page.getByLabel('Applies from').selectOption('domain');
      await page.getByLabel('Which, from').fill('nobody-writes-from.example');
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
      await page.goto('/definitions');
      const row = page.getByRole('row').filter({ hasText: name });
      await expect(row.getByRole('link', { name: /^policy #/ })).toBeVisible();
      await row.getByRole('link', { name }).click();
      await page.getByRole('button', { name: 'Remove this definition' }).click();
      await expect(page.getByRole('alert')).toContainText('still used by policy');
      await text.fill((await text.inputValue()).replace('"hold"', '"reject"'));
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.locator('main')).toContainText('reject');
      await page.goto('/definitions');
      await row.getByRole('link', { name: /^policy #/ }).click();
      await page.getByRole('button', { name: 'Remove this policy' }).click();
      await page.goto('/definitions');
      await row.getByRole('link', { name }).click();
      await page.getByRole('button', { name: 'Remove this definition' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
      await page.goto('/definitions');
      await expect(row).toHaveCount(0);
    });
  });
}

test('a definition of Reputation says whether it looks at global permitted lists', async ({ page }) => {
  const name = fresh('Exceptions');
  await page.goto('/definitions/new?kind=reputation');
  const text = page.getByLabel('The definition');
  await expect(text).toHaveValue(/global_permitted_list = true/);
  await text.fill((await text.inputValue()).replace('"Block lists"', `"${name}"`));
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
  await page.goto(`/definitions/${name}`);
  await expect(page.locator('main')).toContainText('Global permitted lists are looked at; the settings have none.');
  await text.fill((await text.inputValue()).replace('reject_weight = 1', 'reject_weight = 1\nglobal_permitted_list = false'));
  await page.getByRole('button', { name: 'Save' }).click();
  await page.goto(`/definitions/${name}`);
  await expect(page.locator('main')).toContainText('Global permitted lists are not looked at');
  await page.getByRole('button', { name: 'Remove this definition' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
});
