// The page behind the link in a reply: no sign-in, nothing private, not too often.
import { get } from 'node:http';
import { expect, test } from '@playwright/test';
import { attempts } from '../stories.js';

/** The status of a page for a client of another address, so that the limit does not meet the other tests. */
const statusFromElsewhere = (url) =>
  new Promise((answered, failed) => {
    get(url, { localAddress: '127.0.0.9' }, (answer) => answered(answer.resume().statusCode)).on('error', failed);
  });

for (const javaScriptEnabled of [true, false]) {
  test(`the public page ${javaScriptEnabled ? 'with' : 'without'} script`, async ({ browser, request, baseURL }) => {
    const [row] = await attempts(request, 'type:blocked', { view: 'rejected' });
    const stranger = await browser.newContext({ baseURL, javaScriptEnabled, storageState: { cookies: [], origins: [] } });
    const page = await stranger.newPage();
    await page.goto(`/r/${row.ref}`);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(/refused/);
    await expect(page.locator('main')).toContainText(`${row.code} ${row.ecode}`);
    const text = await page.content();
    for (const secret of [row.to, row.from, 'policy #']) expect(text).not.toContain(secret);
    await page.goto('/messages');
    await expect(page).toHaveURL(/sign-in/);
    await stranger.close();
  });
}

test('the page is not answered without end', async ({ baseURL }) => {
  const answers = [];
  for (let asked = 0; asked < 200 && !answers.includes(429); asked += 1) answers.push(await statusFromElsewhere(`${baseURL}/r/AAAAAAAAAAAA`));
  expect(answers).toContain(429);
});
