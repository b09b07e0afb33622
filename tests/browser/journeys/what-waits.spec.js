// The list of the queue says how each mail stands there, when it is tried next, and what its next hop said last.
import { expect, test } from '@playwright/test';
import { PUT_OFF } from '../entrance.js';
import { send } from '../smtp.js';
import { attempts, deferredMail } from '../stories.js';

/** Mail of a subject of its own, at least two of which wait; the query that finds it. */
async function severalWait(request) {
  const subject = `Winter tyres ${Math.random().toString(36).slice(2, 8)}`;
  const q = `subject:"${subject}"`;
  await expect(async () => {
    await send({ ...PUT_OFF, subject });
    expect((await attempts(request, q, { view: 'queue' })).length).toBeGreaterThan(1);
  }).toPass({ intervals: [200], timeout: 30_000 });
  return q;
}

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

    test('all that match is held back and then deleted, as the sheet said and with a reason', async ({ page, request }) => {
      const q = await severalWait(request);
      const choose = async (view, act) => {
        await page.goto(`/messages?view=${view}&q=${encodeURIComponent(q)}`);
        await page.getByText('All that match', { exact: true }).click();
        await page.getByRole('link', { name: `${act} all that match…` }).click();
        await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${act} all that match`);
        const [, done, of] = (await page.locator('#plan').textContent()).match(/This is done for (\d+) of (\d+)\. It is mail of 1 sender for 1 recipient\./);
        expect(done).toBe(of);
        await expect(page.locator('main tbody tr')).toHaveCount(Number(of));
        return Number(done);
      };
      const held = await choose('queue', 'Hold back');
      await page.getByRole('button', { name: `Hold back ${held}` }).click();
      await expect(page.locator('main').getByRole('status')).toContainText(`Held back: ${held} messages for ${held} recipients.`);
      const gone = await choose('held', 'Delete');
      expect(gone).toBe(held);
      await expect(page.getByLabel('Why')).toHaveAttribute('required', '');
      await page.getByLabel('Why').fill('a flood');
      await page.getByRole('button', { name: `Delete ${gone}` }).click();
      await expect(page.locator('main').getByRole('status')).toContainText(`Deleted: ${gone} messages for ${gone} recipients.`);
      expect(await attempts(request, q, { view: 'held' })).toEqual([]);
      await page.goto(`/messages/queue?act=delete&all=1&view=held&q=${encodeURIComponent(q)}`);
      await expect(page.locator('main')).toContainText('Nothing would be done: no mail matches.');
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
