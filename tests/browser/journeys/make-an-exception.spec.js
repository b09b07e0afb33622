// From a refusal to the exception: the editor is filled in, nothing is stored before somebody saves it, and what is never
// passed over has none.
import { expect, test } from '@playwright/test';
import { attempts } from '../stories.js';

const refused = async (request, type, view = 'rejected') => (await attempts(request, `type:${type}`, { view })).find(({ to }) => to);
const stored = async (request) => (await (await request.get('/api/v1/policies')).json()).policies.length;

/** The replay of what is filled in: it would have let something past. */
async function wouldHelp(page) {
  await page.getByRole('button', { name: /^Replay/ }).click();
  const replay = page.getByRole('region', { name: /What this would have changed/ });
  await expect(replay.locator('details').first()).toContainText(/rejected → (accepted|deferred|unknown)/);
}

test('of a geographical restriction, for the sender or for the server', async ({ page, request }) => {
  const row = await refused(request, 'geo.blocked');
  await page.goto(`/messages/${row.id}`);
  const before = await stored(request);
  await page.getByRole('link', { name: 'Make an exception for this sender…' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Geographical Restriction › new policy');
  await expect(page.getByLabel('Narrative: what it is for')).toHaveValue(`Exception for ${row.from} from message ${row.ref}`);
  await expect(page.getByLabel('Option', { exact: true }).locator('option:checked')).toHaveText('no action');
  await expect(page.getByLabel('Which, from')).toHaveValue(row.from);
  await expect(page.getByLabel('Which, to')).toHaveValue(row.to);
  await expect(page.getByRole('radio', { name: 'enforce', exact: true })).toBeChecked();
  await page.getByRole('link', { name: 'Back to the message' }).click();
  await page.getByRole('link', { name: 'Make an exception for this server…' }).click();
  await expect(page.getByLabel('Applies from')).toHaveValue('everyone');
  await expect(page.getByLabel('Only source networks, one per line')).toHaveValue(new RegExp(`^${row.ip.replaceAll('.', '\\.')}/32$`));
  await wouldHelp(page);
  expect(await stored(request), 'nothing is stored yet').toBe(before);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
  await expect(page.locator('main')).toContainText(`from message ${row.ref}`);
  const saved = page.url();
  await page.getByRole('link', { name: 'Back', exact: true }).click();
  await expect(page.getByRole('list', { name: 'Who did what' })).toContainText('demo');
  await page.goto(saved);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Undone');
  expect(await stored(request)).toBe(before);
});

test('a name that proved nothing is excepted at its server alone', async ({ page, request }) => {
  const row = await refused(request, 'spoofing');
  await page.goto(`/messages/${row.id}`);
  await expect(page.locator('#exceptions a')).toHaveText(['Make an exception for this sender at this server…']);
  await page.locator('#exceptions a').click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Anti-Spoofing');
  await expect(page.getByLabel('Only source networks, one per line')).toHaveValue(`${row.ip}/32`);
  await expect(page.getByLabel('Which, from')).not.toHaveValue('');
  await wouldHelp(page);
});

test('beside a list too, where there is room for both', async ({ page, request }) => {
  const row = await refused(request, 'rbl');
  await page.goto(`/messages?view=rejected&from=now-7d&sel=${row.id}`);
  await expect(page.locator('#panel #exceptions a').first()).toHaveAttribute('href', /^\/policies\/new\/reputation\?/);
});

test('what must never be passed over has no exception', async ({ page, request }) => {
  for (const type of ['relay.denied', 'recipient.unknown', 'sender.malformed']) {
    const row = (await attempts(request, `type:${type}`, { view: 'rejected' }))[0];
    await page.goto(`/messages/${row.id}`);
    await expect(page.locator('.lead')).toBeVisible();
    await expect(page.locator('#exceptions')).toHaveCount(0);
  }
});
