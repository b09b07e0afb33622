// The page behind the link in a reply: no sign-in, nothing private, not too often.
import { get } from 'node:http';
import { expect, test } from '@playwright/test';
import { send } from '../smtp.js';
import { blockedMail } from '../stories.js';

/** The status of a page for a client of another address, so that the limit does not meet the other tests. */
const statusFromElsewhere = (url) =>
  new Promise((answered, failed) => {
    get(url, { localAddress: '127.0.0.9' }, (answer) => answered(answer.resume().statusCode)).on('error', failed);
  });

test('the reply as it was sent leads to the page that explains it', async ({ browser, baseURL }) => {
  const from = `lost-${Date.now().toString(36)}@as-sent-${process.pid}.example`;
  const reply = await send({ from, to: 'ann@corp.example', ip: '127.8.77.31' });
  expect(reply.code, reply.text).toBe(451);
  const [link] = reply.text.match(/https?:\/\/\S+\/r\/\w+/) ?? [];
  expect(link, reply.text).toBe(`${baseURL}/r/${reply.ref}`);
  const stranger = await browser.newContext({ storageState: { cookies: [], origins: [] } });
  const page = await stranger.newPage();
  const answer = await page.goto(link);
  expect(answer.status()).toBe(200);
  await expect(page.locator('main')).toContainText(reply.ref);
  await expect(page.locator('main')).toContainText('451 4.7.1');
  await stranger.close();
});

for (const javaScriptEnabled of [true, false]) {
  test(`the public page ${javaScriptEnabled ? 'with' : 'without'} script`, async ({ browser, request, baseURL }) => {
    const row = await blockedMail(request);
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

for (const javaScriptEnabled of [true, false]) {
  test(`a request ${javaScriptEnabled ? 'with' : 'without'} script`, async ({ browser, page, request, baseURL }) => {
    const row = await blockedMail(request);
    const stranger = await browser.newContext({ baseURL, javaScriptEnabled, storageState: { cookies: [], origins: [] } });
    const theirs = await stranger.newPage();
    await theirs.goto(`/r/${row.ref}`);
    const mark = `customer ${Date.now()}`;
    await theirs.getByLabel('Why it is wrong').fill(`We are ${mark} of yours.\n<img src=x onerror=alert(1)> =1+1`);
    await theirs.getByLabel('Where you can be reached').fill('post@sender.example');
    await theirs.getByRole('button', { name: 'Hand in' }).click();
    await expect(theirs.getByRole('heading', { level: 1 })).toHaveText('Handed in');
    await stranger.close();

    await page.goto(`/messages/${row.id}`);
    await page.getByRole('link', { name: /Read the request/ }).click();
    const line = page.locator('.requests tbody tr', { hasText: mark });
    await expect(line).toContainText(row.ref);
    await expect(line).toContainText('<img src=x onerror=alert(1)>');
    await expect(line.getByRole('link').first()).toHaveAttribute('href', `/messages/${row.id}`);
    await line.getByPlaceholder(/Note/).fill('told them');
    await line.getByRole('button', { name: 'Answered' }).click();
    await expect(page.locator('.requests')).toHaveCount(0);
    await page.getByRole('link', { name: /^Answered/ }).click();
    await expect(line).toContainText('told them');
  });
}

test('the page is not answered without end', async ({ baseURL }) => {
  const answers = [];
  for (let asked = 0; asked < 200 && !answers.includes(429); asked += 1) answers.push(await statusFromElsewhere(`${baseURL}/r/AAAAAAAAAAAA`));
  expect(answers).toContain(429);
});
