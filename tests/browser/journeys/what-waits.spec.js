// The list of the queue says how each mail stands there, when it is tried next, and what its next hop said last.
import { expect, test } from '@playwright/test';
import { deferredMail } from '../stories.js';

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with script' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('a mail that waits says what for, and until when', async ({ page, request }) => {
      const waits = await deferredMail(page, request);
      // A mail can be in the middle of a try, and a page that was read then says so until it is read again.
      await expect(async () => {
        await page.goto(`/messages?view=queue&q=from%3A${waits.from}`);
        const row = page.locator(`tr[data-ref="${waits.ref}"]`);
        await expect(row.locator('td.c-is .badge')).toHaveText('Deferred', { timeout: 1_000 });
        await expect(row.locator('td.c-is')).toContainText(/\d+ tr(y|ies)/);
        const next = row.locator('td.c-info time');
        await expect(next).toHaveText(/^next try (in \d+ (s|min|h|d)( \d+ (s|min|h))?|at once)$/);
        await expect(next).toHaveAttribute('datetime', /^\d{4}-.*Z$/);
        await expect(next).toHaveAttribute('title', /^\w{3} \d+ \w{3} \d{4} /);
        await expect(row.locator('td.c-info .second')).not.toBeEmpty();
        await expect(page.locator('table.messages')).not.toContainText('Accepted');
      }).toPass();
    });
  });
}

test('what it waits for can be read in compact rows and on a phone', async ({ browser, baseURL, page: first, request }) => {
  const waits = await deferredMail(first, request);
  for (const width of [1600, 320]) {
    const context = await browser.newContext({ baseURL, viewport: { width, height: 900 } });
    const page = await context.newPage();
    await page.goto(`/messages?view=queue&q=from%3A${waits.from}`);
    await page.evaluate(() => document.querySelector('table.messages').classList.add('compact'));
    const next = page.locator('td.c-info .one').first();
    await expect(next).toBeVisible();
    const { x, width: room } = await next.boundingBox();
    expect(x + room).toBeLessThanOrEqual(width);
    await context.close();
  }
});
