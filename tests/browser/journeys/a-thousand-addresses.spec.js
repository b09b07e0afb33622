// Groups and managed senders: paste a thousand lines, every bad one is named, nothing changes unless it is taken.
import { expect, test } from '@playwright/test';
import { fresh } from '../fresh.js';

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with script' : 'without script', () => {
    test.use({ javaScriptEnabled });
    const lines = [...Array(1000).keys()].map((each) => `partner${each}@partners.example`);

    test('a group is made, filled, moved and exported', async ({ page, request }) => {
      const name = fresh('Partners');
      await page.goto('/groups');
      await page.getByLabel('New group').fill(name);
      await page.getByRole('button', { name: 'Make it' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
      await page.getByLabel(/one per line/).fill([...lines, 'nonsense', 'a@@b'].join('\n'));
      await page.getByRole('button', { name: 'Check' }).click();
      await expect(page.getByRole('status').first()).toContainText('1000 would be added');
      await expect(page.getByRole('table')).toContainText('1001');
      await page.getByRole('button', { name: 'Add all or nothing' }).click();
      await expect(page.getByRole('alert')).toContainText('Nothing was added');
      await page.getByRole('button', { name: 'Add the good lines' }).click();
      await expect(page.getByRole('status').first()).toContainText('1000 added');
      await page.getByLabel('Below').selectOption('Permitted Senders');
      await page.getByRole('button', { name: 'Move', exact: true }).click();
      await expect(page.locator('.sub')).toContainText('below Permitted Senders');
      const file = await (await request.get(`/groups/${encodeURIComponent(name)}/export`)).text();
      expect(file.trim().split('\n')).toHaveLength(1000);
      await page.getByLabel('Contains').fill('partner77@');
      await page.getByRole('button', { name: 'Show' }).click();
      await page.getByRole('checkbox', { name: 'partner77@partners.example' }).check();
      await page.getByRole('button', { name: 'Remove the ticked' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
    });

    test('managed senders are imported, found, edited and removed', async ({ page }) => {
      const domain = `${fresh('imported')}.example`;
      await page.goto('/senders/import');
      const csv = `sender,recipient,action,note\nnews@${domain},ann@corp.example,permit,wanted\nx@${domain},nobody@elsewhere.example,block,\n`;
      await page.getByLabel('Lines').fill(csv);
      await page.getByRole('button', { name: 'Check' }).click();
      await expect(page.getByRole('status').first()).toContainText('1 entries would be stored');
      await expect(page.getByRole('table')).toContainText('none of the domains');
      await page.getByRole('button', { name: 'Import the good lines' }).click();
      await expect(page.getByRole('status').first()).toContainText('1 entries are stored');
      await page.goto(`/senders?text=${domain}`);
      await page.getByRole('link', { name: /^Edit news@/ }).click();
      await page.getByLabel('Does').selectOption('block');
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.locator('main')).toContainText('action = "block"');
      await page.goto(`/senders?text=${domain}&action=block`);
      await page.getByRole('button', { name: /^Remove news@/ }).click();
      await page.goto(`/senders?text=${domain}`);
      await expect(page.locator('.empty')).toBeVisible();
    });

    test('an entry can match who signed, or count for authenticated mail alone', async ({ page }) => {
      const domain = `${fresh('signs')}.example`;
      const fill = async (sender) => {
        await page.getByLabel(/^Sender: an address/).fill(sender);
        await page.getByLabel('Recipient').fill('ann@corp.example');
      };
      await page.goto('/senders/new');
      await page.getByRole('radio', { name: /^Who signed it/ }).check();
      await fill(domain);
      await page.getByLabel('Does').selectOption('block');
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.locator('main')).toContainText(`sender = "dkim:${domain}"`);
      await page.goto('/senders/new');
      await fill(`news@${domain}`);
      await page.getByRole('checkbox', { name: /^Only if authenticated/ }).check();
      await page.getByLabel('Does').selectOption('block');
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.getByRole('alert')).toContainText('only a permit can be limited to what is authenticated');
      await expect(page.getByRole('checkbox', { name: /^Only if authenticated/ })).toBeChecked();
      await page.getByLabel('Does').selectOption('permit');
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page.locator('main')).toContainText('authenticated_only = true');
      await page.goto(`/senders?text=${domain}`);
      await page.getByLabel('Matches').selectOption('dkim_domain');
      await page.getByRole('button', { name: 'Show' }).click();
      await expect(page.locator('tbody tr')).toHaveCount(1);
      await page.getByRole('link', { name: /^Edit dkim:/ }).click();
      await expect(page.getByRole('radio', { name: /^Who signed it/ })).toBeChecked();
      await expect(page.getByLabel(/^Sender: an address/)).toHaveValue(domain);
      await expect(page.locator('main')).toContainText('mail is refused after its content was sent');
      await page.goto(`/senders?text=${domain}`);
      await page.getByLabel('Counts for').selectOption('authenticated mail alone');
      await page.getByRole('button', { name: 'Show' }).click();
      await expect(page.locator('tbody tr')).toHaveCount(1);
      await expect(page.locator('tbody')).toContainText('if authenticated');
      for (const left of [1, 0]) {
        await page.goto(`/senders?text=${domain}`);
        await page.getByRole('button', { name: /^Remove / }).first().click();
        await page.goto(`/senders?text=${domain}`);
        await expect(page.locator('tbody tr')).toHaveCount(left);
      }
    });

    test('the simulator says who wins and who loses', async ({ page }) => {
      await page.goto('/policies/simulator');
      await page.getByLabel('To', { exact: true }).fill('ann@corp.example');
      await page.getByLabel(/From, of the envelope/).fill('somebody@outside.example');
      await page.getByRole('button', { name: 'Show what applies' }).click();
      await expect(page.getByRole('row', { name: /Greylisting/ })).toContainText('first contacts');
      await page.getByLabel(/From, of the envelope/).fill('no address');
      await page.getByRole('button', { name: 'Show what applies' }).click();
      await expect(page.getByRole('alert')).toBeVisible();
    });
  });
}
