// An address that says something impossible leads to a page that says what would be possible, whichever page it is of.
import { expect, test } from '@playwright/test';

for (const [path, what, more] of [
  ['/?span=xyz', 'span: xyz is not possible here; possible is', '24h'],
  ['/messages?from=garbage', 'garbage is no time (try last24h, today or', ''],
  ['/requests?list=xyz', 'list: xyz is not possible here; possible is waiting, answered, all', ''],
]) {
  test(`a mistake in an address is a page that says so: ${path}`, async ({ page }) => {
    const answer = await page.goto(path);
    expect(answer.status()).toBeGreaterThanOrEqual(400);
    await expect(page.locator('.rail')).toBeVisible();
    await expect(page.locator('main')).toContainText(what, { ignoreCase: true });
    await expect(page.locator('main')).toContainText(more);
    await page.getByRole('link', { name: 'Open this page without that' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(page.getByRole('link', { name: 'Open this page without that' })).toHaveCount(0);
  });
}
