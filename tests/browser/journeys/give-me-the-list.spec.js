// Export of exactly this view, in the three formats, and the daily logs.
import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';

const LIST = '/messages?view=rejected&from=now-7d&q=type%3Arecipient';

async function exportAs(page, format) {
  await page.goto(LIST);
  const href = await page.getByRole('link', { name: 'Export', exact: true }).getAttribute('href');
  await page.goto(href);
  await page.locator(`input[name=format][value=${format}]`).check();
  await page.getByRole('button', { name: 'Start the export' }).click();
  // Its own row: another journey can begin an export at the same moment.
  const job = page.locator(new URL(page.url()).hash);
  await expect(job.locator('.tag')).toHaveText(new RegExp(format, 'i'));
  const link = job.locator('a[download]');
  // The page itself says when the file is there.
  await expect(link).toBeVisible({ timeout: 20_000 });
  const downloading = page.waitForEvent('download');
  await link.click();
  return readFileSync(await (await downloading).path());
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with script' : 'without script', () => {
    test.use({ javaScriptEnabled });
    test.describe.configure({ mode: 'serial' });

    test('CSV', async ({ page }) => {
      const [head, first] = `${await exportAs(page, 'csv')}`.split('\n');
      expect(head).toMatch(/time/i);
      expect(first.length).toBeGreaterThan(20);
    });

    test('NDJSON', async ({ page }) => {
      const lines = `${await exportAs(page, 'ndjson')}`.trim().split('\n');
      for (const line of lines) expect(JSON.parse(line).reason).toMatch(/^recipient\./);
    });

    test('XLSX', async ({ page }) => {
      expect((await exportAs(page, 'xlsx')).subarray(0, 2).toString()).toBe('PK');
    });

    test('a daily log', async ({ page }) => {
      await page.goto('/reports/downloads');
      const downloading = page.waitForEvent('download');
      await page.getByRole('region', { name: 'Daily logs' }).getByRole('link', { name: /^rejected-.*csv/ }).first().click();
      expect(`${readFileSync(await (await downloading).path())}`).toContain('Sender Failed to Retry');
    });
  });
}
