// Observe first: a policy shows what it would have done against what happened, is enforced with one click, and the set is
// rolled back with one step that is replayed before it is taken. On a gateway of its own, because a rollback takes everything along.
import { expect, test } from '@playwright/test';
import { startGateway } from '../gateway.js';
import { enter } from '../entrance.js';
import { send } from '../smtp.js';

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with the mouse' : 'without script', () => {
    test.use({ javaScriptEnabled, storageState: { cookies: [], origins: [] } });

    test('compare, enforce, roll back', async ({ page }) => {
      test.setTimeout(240_000);
      const gateway = await startGateway({ history: 0, rate: 0 });
      try {
        const port = gateway.smtp;
        await enter(page, gateway);
        await page.goto(`${gateway.url}/policies/new/blocked_senders`);
        await page.getByLabel('Narrative: what it is for').fill('Nothing more from loud.example');
        await page.getByLabel('Option', { exact: true }).selectOption({ label: 'block' });
        await page.getByLabel('Applies from').selectOption('domain');
        await page.getByLabel('Which, from').fill('loud.example');
        await page.getByRole('radio', { name: /^observe/ }).check();
        await page.getByRole('button', { name: 'Save' }).click();
        await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
        // It decides nothing, and what it would have decided is recorded and found.
        const [heard, other] = [await send({ from: 'ad@loud.example', to: 'ann@corp.example', port }), await send({ from: 'x@quiet.example', to: 'ann@corp.example', port })];
        expect([heard.code, other.code], `${heard.text} ${other.text}`).toEqual([451, 451]);
        await page.goto(`${gateway.url}/policies`);
        const row = page.getByRole('row', { name: /Nothing more from loud/ });
        await expect(row).toContainText('observe');
        await row.getByRole('link', { name: /^Compare policy/ }).click();
        const comparison = page.getByRole('region', { name: /What this would have changed/ });
        await expect(comparison.getByRole('row', { name: /^deferred/ })).toContainText('1');
        const cell = comparison.locator('details').filter({ hasText: 'deferred → rejected' });
        await expect(cell).toContainText('ad@loud.example');
        await expect(cell.locator(`a[href^="/messages/"]`)).toHaveCount(1);
        await page.getByRole('button', { name: 'Enforce it from now on' }).click();
        await expect(page.locator('main')).toContainText('mode = "on"');
        expect((await send({ from: 'ad@loud.example', to: 'ann@corp.example', port })).code).toBe(550);
        // One step back: first what that would have done, then the step itself.
        await page.goto(`${gateway.url}/policies/versions`);
        await page.getByRole('link', { name: /^Go back to before/ }).first().click();
        const replay = page.getByRole('region', { name: /What this would have changed/ });
        await expect(replay.getByRole('row', { name: /^rejected/ })).toBeVisible();
        await expect(replay.locator('details').filter({ hasText: /rejected → unknown/ })).toContainText('ad@loud.example');
        await page.getByRole('button', { name: /^Go back to version/ }).click();
        await expect(page.locator('main')).toContainText('mode = "observe"');
        expect((await send({ from: 'ad@loud.example', to: 'ann@corp.example', port })).code).toBe(451);
        await page.goto(`${gateway.url}/policies/versions`);
        await expect(page.getByRole('row').nth(1)).toContainText('back to');
      } finally {
        await gateway.stop();
      }
    });
  });
}
