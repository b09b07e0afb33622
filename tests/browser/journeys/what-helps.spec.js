// What is offered is what can help, and what stands there is explained where it stands.
import { expect, test } from '@playwright/test';
import { week } from '../fresh.js';
import { ofTheWeek } from '../stories.js';

for (const type of ['relay.denied', 'sender.malformed', 'recipient.malformed']) {
  test(`no permit is offered against ${type}`, async ({ page, request }) => {
    const [row] = await ofTheWeek(request, `type:${type}`, { view: 'rejected' });
    await page.goto(`/messages/${row.id}`);
    await expect(page.getByRole('link', { name: /^Permit for recipient/ })).toHaveCount(0);
    await expect(page.getByRole('link', { name: /^Block for recipient/ })).toBeVisible();
    await expect(page.locator('main')).toContainText('No permit helps here: it skips greylisting, block lists and reputation, and spam scanning');
    await page.goto(`/messages?view=rejected&${week()}&q=type%3A${type}`);
    const line = page.locator('tbody tr').first();
    await line.locator('.row-actions summary').click();
    await expect(line.locator('.row-actions')).toContainText('No permit helps here');
    await expect(line.getByRole('link', { name: /^Permit/ })).toHaveCount(0);
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    await page.keyboard.press('p');
    await expect(page.locator('#toasts')).toContainText('No permit helps here');
  });
}

test('a permit is offered where it can help', async ({ page, request }) => {
  const [row] = await ofTheWeek(request, 'type:rbl', { view: 'rejected' });
  await page.goto(`/messages/${row.id}`);
  await expect(page.getByRole('link', { name: /^Permit for recipient/ })).toBeVisible();
  await expect(page.locator('main')).not.toContainText('No permit helps here');
});

test('mail of our own servers is offered what can act on it, and no list of senders', async ({ page, request }) => {
  const [row] = await ofTheWeek(request, 'direction:outbound is:accepted');
  for (const path of [`/messages/${row.id}`, `/messages/${row.id}/life`, `/lifelines/${row.life}`]) {
    await page.goto(path);
    await expect(page.locator('.lead, .life').first()).toBeVisible();
    await expect(page.getByRole('link', { name: /^(Permit|Block) for recipient/ })).toHaveCount(0);
  }
  await page.goto(`/messages?view=all&from=now-7d&q=life%3A${row.life}`);
  const line = page.locator(`tr[data-ref="${row.ref}"]`);
  await line.locator('.row-actions summary').click();
  await expect(line.locator('.row-actions')).toContainText('This is mail of your own servers');
  await expect(line.getByRole('link', { name: /^(Permit|Block)/ })).toHaveCount(0);
  await expect(line.getByRole('link', { name: 'Life-line' })).toBeVisible();
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('b');
  await expect(page.locator('#toasts')).toContainText('This is mail of your own servers');
  for (const verdict of ['permit', 'block']) {
    const answer = await request.get(`/api/v1/attempts/${row.id}/senders?verdict=${verdict}`);
    expect(answer.status()).toBe(422);
    expect((await answer.json()).detail).toContain('mail of your own servers');
  }
  await page.goto(`/messages/${row.id}/permit`);
  await expect(page.locator('main')).toContainText('This is mail of your own servers');
});

test('why a step belongs to a life-line is said in words', async ({ page, request }) => {
  const [row] = await ofTheWeek(request, 'type:greylist.too_early', { view: 'deferred' });
  await page.goto(`/messages/${row.id}/life`);
  const joined = page.locator('.rule').first();
  await expect(joined.locator('summary')).toHaveText(/^joined: same sender|^joined: sender's other server/);
  await joined.locator('summary').click();
  await expect(joined).toContainText(/Rule [12]: same sender and? ?recipient|Rule [12]: same sender, recipient/);
});
