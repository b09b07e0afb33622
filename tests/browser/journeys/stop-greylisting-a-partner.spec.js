// The policy editor with its replay: a change is known beforehand, published, told apart from somebody else's, and rolled back.
import { expect, test } from '@playwright/test';
import { fresh } from '../fresh.js';
import { send } from '../smtp.js';

async function newExemption(page, domain) {
  await page.goto('/policies');
  await page.getByRole('link', { name: 'Add a policy of Greylisting' }).click();
  await page.getByLabel('Narrative: what it is for').fill(`No waiting for ${domain}`);
  await page.getByLabel('Option', { exact: true }).selectOption({ label: 'no action' });
  await page.getByLabel('Applies from').selectOption('domain');
  await page.getByLabel('Which, from').fill(domain);
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with script' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('replay, observe, enforce, undo', async ({ page, request }) => {
      // A partner of its own: what one journey exempts, another one's replay would not change.
      const domain = `${fresh('impatient')}.example`;
      expect((await send({ from: `sue@${domain}`, to: 'ann@corp.example' })).code).toBe(451);
      await newExemption(page, domain);
      await page.getByRole('button', { name: /^Replay/ }).click();
      const replay = page.getByRole('region', { name: /What this would have changed/ });
      await expect(replay.getByRole('row', { name: /^deferred/ }).first()).toBeVisible();
      await expect(replay.locator('details').first()).toContainText(/deferred → (accepted|unknown)/);
      await expect(replay).toContainText('Self-check');
      // What was typed is still there.
      await expect(page.getByLabel('Narrative: what it is for')).toHaveValue(`No waiting for ${domain}`);
      await page.getByRole('radio', { name: /^observe/ }).check();
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
      await page.goto('/policies');
      const row = page.getByRole('row', { name: `No waiting for ${domain}` });
      await expect(row).toContainText('observe');
      await row.getByRole('link', { name: /No waiting/ }).click();
      await page.getByRole('radio', { name: 'enforce', exact: true }).check();
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.locator('main')).toContainText('mode = "on"');
      const saved = page.url();
      await page.goto('/policies/versions');
      await page.getByRole('link', { name: /^Go back to before/ }).first().click();
      await expect(page.getByRole('region', { name: /What this would have changed/ })).toBeVisible();
      // Other journeys change the set at the same time: only what this one did is taken back.
      await page.goto(saved);
      await page.getByRole('button', { name: 'Undo' }).click();
      await expect(page.locator('main')).toContainText('mode = "observe"');
    });

    test('of two administrators the second is told, and nothing is overwritten', async ({ page, context }) => {
      const domain = `${fresh('both')}.example`;
      await newExemption(page, domain);
      await page.getByRole('button', { name: 'Save' }).click();
      await page.goto('/policies');
      const href = await page.getByRole('link', { name: `No waiting for ${domain}` }).getAttribute('href');
      const other = await context.newPage();
      await page.goto(href);
      await other.goto(href);
      await other.getByLabel('Narrative: what it is for').fill(`Changed by the first for ${domain}`);
      await other.getByRole('button', { name: 'Save' }).click();
      await expect(other.getByRole('heading', { level: 1 })).toHaveText('Saved');
      await page.getByLabel('Narrative: what it is for').fill('Changed by the second');
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.getByRole('alert')).toContainText('nothing is overwritten');
      await expect(page.getByLabel('Narrative: what it is for')).toHaveValue('Changed by the second');
      await page.goto(href);
      await expect(page.getByLabel('Narrative: what it is for')).toHaveValue(`Changed by the first for ${domain}`);
      await page.getByRole('button', { name: 'Remove this policy' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
    });

    test('a permit for an own domain is refused with the reason', async ({ page }) => {
      await page.goto('/policies/new/permitted_senders');
      await page.getByLabel('Narrative: what it is for').fill('Ourselves');
      await page.getByLabel('Option', { exact: true }).selectOption({ label: 'permit' });
      await page.getByLabel('Applies from').selectOption('domain');
      await page.getByLabel('Which, from').fill('corp.example');
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.getByRole('alert')).toContainText("one of the organisation's own domains");
    });
  });
}
