// From a refusal to the exception: the editor is filled in, nothing is stored before somebody saves it, and what is never
// passed over has none.
import { expect, test } from '@playwright/test';
import { fresh } from '../fresh.js';
import { send } from '../smtp.js';
import { ofTheWeek, rowOf, sendPastGreylisting } from '../stories.js';

const TO = 'ann@corp.example';

/** The row of a mail that was refused now, for this. */
async function refused(request, reply, type) {
  expect(reply.code, reply.text).toBeGreaterThanOrEqual(500);
  const row = await rowOf(request, reply.ref);
  expect(row.reason).toContain(type);
  return row;
}

/** How many policies are stored that were made of this row: others are stored by other journeys meanwhile. */
async function stored(request, row) {
  const { policies } = await (await request.get('/api/v1/policies')).json();
  expect(policies.length, 'those of the demo').toBeGreaterThan(5);
  return policies.filter((policy) => JSON.stringify(policy).includes(`from message ${row.ref}`)).length;
}

/** The replay of what is filled in: it would have let something past. */
async function wouldHelp(page) {
  await page.getByRole('button', { name: /^Replay/ }).click();
  const replay = page.getByRole('region', { name: /What this would have changed/ });
  await expect(replay.locator('details').first()).toContainText(/rejected → (accepted|deferred|unknown)/);
}

test('of a geographical restriction, for the sender or for the server', async ({ page, request }, { retry, repeatEachIndex }) => {
  // A server of its own, or the exception of another try would let its mail in.
  const ip = `127.8.49.${20 + 10 * repeatEachIndex + retry}`;
  const row = await refused(request, await send({ from: `${fresh('far')}@faraway.test`, to: TO, ip }), 'geo.blocked');
  await page.goto(`/messages/${row.id}`);
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
  expect(await stored(request, row), 'nothing is stored yet').toBe(0);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
  await expect(page.locator('main')).toContainText(`from message ${row.ref}`);
  expect(await stored(request, row)).toBe(1);
  const saved = page.url();
  await page.getByRole('link', { name: 'Back', exact: true }).click();
  await expect(page.getByRole('list', { name: 'Who did what' })).toContainText('demo');
  await page.goto(saved);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Undone');
  expect(await stored(request, row)).toBe(0);
});

test('a name that proved nothing is excepted at its server alone', async ({ page, request }) => {
  const reply = await sendPastGreylisting(page, { from: `${fresh('boss')}@corp.example`, to: TO, ip: '127.8.45.77' });
  const row = await refused(request, reply, 'spoofing');
  await page.goto(`/messages/${row.id}`);
  await expect(page.locator('#exceptions a')).toHaveText(['Make an exception for this sender at this server…']);
  await page.locator('#exceptions a').click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Anti-Spoofing');
  await expect(page.getByLabel('Only source networks, one per line')).toHaveValue(`${row.ip}/32`);
  await expect(page.getByLabel('Which, from')).not.toHaveValue('');
  await wouldHelp(page);
});

test('beside a list too, where there is room for both', async ({ page, request }) => {
  const row = (await ofTheWeek(request, 'type:rbl', { view: 'rejected' })).find(({ to }) => to);
  await page.goto(`/messages?view=rejected&from=now-7d&sel=${row.id}`);
  await expect(page.locator('#panel #exceptions a').first()).toHaveAttribute('href', /^\/policies\/new\/reputation\?/);
});

test('what must never be passed over has no exception', async ({ page, request }) => {
  for (const type of ['relay.denied', 'recipient.unknown', 'sender.malformed']) {
    const [row] = await ofTheWeek(request, `type:${type}`, { view: 'rejected' });
    await page.goto(`/messages/${row.id}`);
    await expect(page.locator('.lead')).toBeVisible();
    await expect(page.locator('#exceptions')).toHaveCount(0);
  }
});
