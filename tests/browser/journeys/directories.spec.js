// A directory on a server: what it has of each domain, what reading it would change, and an answer that can hardly be meant, which is accepted as it was seen. With and without script.
import { expect, test } from '@playwright/test';
import { onFreePort, startServer } from '../gateway.js';
import { directorySettings, startLdap } from '../ldap.js';
import { addAccount, PASSWORD } from '../service.js';

const PEOPLE = ['ann', 'bob', 'cid', 'dan'].map((who) => `${who}@ldap.example`).concat('eve@sister.example');

for (const javaScriptEnabled of [true, false]) {
  test(`what a directory says is looked at, and accepted ${javaScriptEnabled ? 'with script' : 'without script'}`, async ({ browser }) => {
    test.setTimeout(120_000);
    const ldap = await startLdap(PEOPLE);
    const server = await onFreePort((http) => startServer({ http, settings: directorySettings(ldap) }));
    const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled, storageState: { cookies: [], origins: [] } });
    try {
      addAccount(server, 'root', 'owner');
      const page = await context.newPage();
      await page.goto('/sign-in');
      await page.getByLabel('Name').fill('root');
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      const row = page.getByRole('row').filter({ hasText: ldap.url });
      const status = page.locator('main').getByRole('status');
      const alert = page.locator('main').getByRole('alert');
      await expect(async () => {
        await page.goto('/reports/recipients');
        await expect(row).toContainText('5 recipients, read');
      }).toPass();
      await expect(row).toContainText('sister.example: 1 recipients, read');
      // Times are those of the other pages, and the whole time is there as well.
      await expect(row.locator('time')).toHaveText(/^\d+ [A-Z][a-z]{2} \d\d:\d\d:\d\d$/);
      await expect(page.locator('main')).not.toContainText(/\d{4}-\d\d-\d\dT/);

      ldap.has([...PEOPLE, 'fay@ldap.example']);
      await page.getByRole('button', { name: 'See what synchronising corp-ad would change' }).click();
      await expect(status).toContainText('1 would be new, 0 would be gone; nothing is changed yet');
      await page.getByRole('button', { name: 'Synchronise corp-ad now' }).click();
      await expect(status).toContainText('1 are new, 0 are gone; this is in force');

      ldap.has(['ann@ldap.example', 'eve@sister.example', 'gus@sister.example']);
      await page.getByRole('button', { name: 'Synchronise corp-ad now' }).click();
      await expect(alert).toContainText('4 of 5 recipients of ldap.example are gone in the answer');
      await expect(row).toContainText('ldap.example: 5 recipients');
      await expect(row).toContainText('sister.example: 2 recipients');
      // Meanwhile the last one goes as well, which nobody has seen.
      ldap.has(['gus@sister.example', 'eve@sister.example']);
      await page.getByRole('button', { name: /accept that 4/ }).click();
      await expect(alert).toContainText('more than the 4 that were accepted');
      await page.getByRole('button', { name: /accept that 5/ }).click();
      await expect(status).toContainText('this is in force');
      await expect(row).toContainText('ldap.example: 0 recipients');
    } finally {
      await context.close();
      await server.stop();
      await ldap.stop();
    }
  });
}
