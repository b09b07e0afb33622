// A saved view tells somebody: save a list, set its alert, see it fire, see why it could not be told. With a real receiver, and without script.
import { createServer } from 'node:http';
import { expect, test } from '@playwright/test';
import { send } from '../smtp.js';

/** A program that is told: what it got, and what it answers. */
async function receiver() {
  const got = [];
  const told = { got, status: 204 };
  const server = createServer((request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
      got.push({ fields: request.headers, body: JSON.parse(Buffer.concat(pieces).toString()) });
      response.writeHead(told.status).end();
    });
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address();
  return { ...told, told, url: `http://127.0.0.1:${port}/hook`, close: () => server.close() };
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with the mouse' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('from a list to the program that is told, and why it is not', async ({ page }) => {
      const hook = await receiver();
      const sender = `wanted-${Date.now().toString(36)}-${process.pid}@elsewhere.example`;
      const name = `Watched ${sender.slice(7, 20)}`;
      await page.goto(`/messages?view=rejected&q=${encodeURIComponent(`from:${sender}`)}`);
      await page.locator('summary').filter({ hasText: 'Save' }).click();
      await page.getByLabel('Name of the view').fill(name);
      await page.getByRole('button', { name: 'Save and set an alert' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toContainText(name);
      // What is wrong is said, and what was typed stays.
      await page.getByLabel('More than').fill('1');
      await page.getByLabel('Write to').fill('somebody@far-away.example');
      await page.getByLabel('Webhook').fill(hook.url);
      await page.getByRole('button', { name: 'Save the alert' }).click();
      await expect(page.getByRole('alert')).toContainText('none of our domains');
      await expect(page.getByLabel('Webhook')).toHaveValue(hook.url);
      await page.getByLabel('Write to').fill('ann@corp.example');
      await page.getByRole('button', { name: 'Save the alert' }).click();
      await expect(page.locator('#secret')).toHaveText(/^whsec_/);
      await page.goto(page.url());
      await expect(page.locator('#secret'), 'it is shown once').toHaveCount(0);
      const state = page.getByRole('region', { name: 'How it stands' });
      await expect(state).toContainText('never');
      // A test goes out to whom it tells.
      await page.getByRole('button', { name: 'Send a test' }).click();
      await expect.poll(() => hook.got.map(({ body }) => body.type)).toEqual(['alert.test']);
      await expect(async () => {
        await page.reload();
        await expect(state.locator('dd').nth(3)).toHaveText('0', { timeout: 500 });
      }).toPass();
      // One too many comes, and nobody takes the message.
      hook.told.status = 500;
      for (const _ of [1, 2]) {
        const refused = await send({ from: sender, to: 'nobody-here@corp.example', ip: '127.8.77.41' });
        expect(refused.code, refused.text).toBe(550);
      }
      await expect.poll(() => hook.got.length, { timeout: 20_000 }).toBeGreaterThan(1);
      const { data, type } = hook.got[1].body;
      expect([type, data.count, data.newest.length]).toEqual(['alert.fired', 2, 2]);
      await expect(async () => {
        await page.reload();
        await expect(state).toContainText('it answered 500', { timeout: 500 });
      }).toPass();
      await expect(state.locator('dd').nth(1)).not.toHaveText('never');
      await page.goto('/views');
      const row = page.getByRole('row').filter({ hasText: name });
      await expect(row).toContainText('more than 1 in 10 min');
      await expect(row).toContainText('not told');
      // It is tried again by itself, under the same name.
      hook.told.status = 200;
      await expect.poll(() => hook.got.length, { timeout: 20_000 }).toBeGreaterThan(2);
      expect(hook.got[2].fields['webhook-id']).toBe(hook.got[1].fields['webhook-id']);
      expect(hook.got[2].fields['webhook-signature']).toMatch(/^v1,/);
      await row.getByRole('link', { name: 'more than 1 in 10 min' }).click();
      await page.getByRole('button', { name: 'Remove the alert' }).click();
      await expect(row).toContainText('Set an alert');
      hook.close();
    });
  });
}
