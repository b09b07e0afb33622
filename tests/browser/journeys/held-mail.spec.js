// Mail that a policy held: found, explained, released or deleted by whoever may, one by one or several.
import { expect, test } from '@playwright/test';
import { fresh } from '../fresh.js';
import { attempts, heldMail, ofTheWeek } from '../stories.js';

const nobody = { cookies: [], origins: [] };

/** The titles of the steps of this row's life-line. */
const steps = async (request, row) => (await (await request.get(`/api/v1/lifelines/${row.life}`)).json()).steps.map(({ title }) => title);

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with script' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('it is found, understood, released, and arrives', async ({ page, request }) => {
      const row = await heldMail(page, request, 'hold.authentication');
      await page.goto('/');
      await page.getByRole('region', { name: 'Now' }).locator('dl > div', { hasText: 'Held back' }).getByRole('link').click();
      await expect(page).toHaveURL(/view=held/);
      await expect(page.locator(`tr[data-id="${row.id}"]`)).toContainText('Held: Sender Authentication');
      await page.goto(`/messages/${row.id}?view=held`);
      await expect(page.locator('.lead')).toContainText('It is still in the queue: held back until somebody releases it.');
      await expect(page.locator('main')).toContainText('Release it if the sender is known');
      await expect(page.locator('main')).not.toContainText('portcullis queue');
      await page.getByRole('link', { name: 'Release…' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Release this message');
      await expect(page.getByRole('row')).toHaveCount(2);
      await expect(page.locator('tbody')).toContainText('may be a danger');
      await page.getByLabel('Note').fill('asked on the telephone');
      await page.getByRole('button', { name: 'Release' }).click();
      await expect(page).toHaveURL(new RegExp(`/messages/${row.id}/life$`));
      await expect(page.locator('main')).toContainText('Released by demo: asked on the telephone.');
      await expect.poll(async () => (await steps(request, row)).at(-1), { timeout: 30_000 }).toMatch(/^delivered/);
      await page.reload();
      await expect(page.locator('.life li').last()).toContainText(/delivered/i);
      await page.goto('/messages?view=held');
      await expect(page.locator(`tr[data-id="${row.id}"]`)).toHaveCount(0);
      await page.goto(`/messages/${row.id}`);
      await expect(page.getByRole('link', { name: 'Release…' })).toHaveCount(0);
      await expect(page.locator('main')).toContainText('it is held no more');
      await expect(page.locator('main')).toContainText('Released queued messages');
    });

    test('it is deleted with a reason, and the story says so', async ({ page, request }) => {
      const row = await heldMail(page, request, 'hold.geo');
      await page.goto(`/messages/${row.id}`);
      await page.getByRole('link', { name: 'Delete…' }).click();
      await expect(page.locator('main').getByRole('status')).toContainText('cannot be brought back');
      await expect(page.getByLabel('Why')).toHaveAttribute('required', '');
      await page.getByLabel('Why').fill('phishing');
      await page.getByRole('button', { name: 'Delete' }).click();
      await expect(page.locator('main')).toContainText('Deleted without telling the sender by demo: phishing.');
      const gone = await request.get(`/api/v1/attempts?${new URLSearchParams({ q: `ref:${row.ref} is:deleted`, from: 'now-7d' })}`);
      expect((await gone.json()).rows.length).toBe(1);
    });
  });
}

test('several are released at once, and what cannot be is said', async ({ page, request }) => {
  const rows = [await heldMail(page, request, 'hold.geo'), await heldMail(page, request, 'hold.geo')];
  const [delivered] = await ofTheWeek(request, 'is:accepted is:delivered', { view: 'accepted' });
  await page.goto('/messages?view=held');
  const button = page.getByRole('group', { name: 'Selected messages' }).getByRole('button', { name: 'Release…' });
  await expect(button).toBeDisabled();
  for (const row of rows) await page.locator(`tr[data-id="${row.id}"]`).getByRole('checkbox').check();
  await button.click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Release 2 messages');
  // A row that has left meanwhile is named, and nothing is done for it.
  await page.goto(`${page.url()}&id=${delivered.id}`);
  await expect(page.locator('main').getByRole('status')).toContainText('This is done for 2 of 3.');
  await expect(page.locator('tbody')).toContainText('Nothing: it is not in the queue (any more)');
  await page.getByRole('button', { name: /^Release/ }).click();
  await expect(page.locator('main')).toContainText(/Released/);
  await expect.poll(async () => (await attempts(request, `ref:${rows[0].ref} OR ref:${rows[1].ref}`, { view: 'held' })).length).toBe(0);
});

test('a desk that may not release what is a danger reads why, and who can grant it', async ({ page, request, browser, baseURL }) => {
  const row = await heldMail(page, request, 'hold.authentication');
  const name = `${fresh('held-desk')}@corp.example`;
  await page.goto('/system/access');
  await page.getByLabel('Name or address').fill(name);
  await page.getByLabel('Role').selectOption('operator');
  await page.getByRole('button', { name: 'Add the account' }).click();
  const link = await page.getByRole('status').locator('code').textContent();
  const context = await browser.newContext({ baseURL, storageState: nobody });
  const desk = await context.newPage();
  await desk.goto(new URL(link).pathname);
  await desk.getByLabel('Password', { exact: true }).fill('five quiet words for tests');
  await desk.getByLabel(/again/i).fill('five quiet words for tests');
  await desk.getByRole('button').last().click();
  await desk.waitForURL((url) => !url.pathname.startsWith('/set-up'));
  await desk.goto(`/messages/${row.id}`);
  await expect(desk.locator('#may-not')).toContainText('You may not release it, for it may be a danger');
  await expect(desk.locator('#may-not')).toContainText('release_dangerous');
  await expect(desk.locator('#may-not')).toContainText('an owner can grant it: demo');
  await expect(desk.getByRole('link', { name: 'Release…' })).toHaveCount(0);
  await expect(desk.getByRole('link', { name: 'Delete…' })).toBeVisible();
  await desk.goto(`/messages/queue?act=release&id=${row.id}`);
  await expect(desk.locator('tbody')).toContainText('Nothing: releasing it needs the permission release_dangerous');
  await expect(desk.getByRole('button', { name: /^Release/ })).toHaveCount(0);
  await context.close();
});
