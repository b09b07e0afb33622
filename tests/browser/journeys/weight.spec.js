// What a first visit loads, together: at most 60 KB as it goes over the wire.
import { expect, test } from '@playwright/test';

for (const path of ['/', '/messages?view=rejected&from=now-7d', '/messages?view=all&from=now-7d&facets=open']) {
  test(`a first visit of ${path}`, async ({ browser, baseURL }) => {
    // A new context, so that nothing is there from before.
    const context = await browser.newContext({ baseURL });
    const page = await context.newPage();
    await page.goto(path, { waitUntil: 'networkidle' });
    const loaded = await page.evaluate(() =>
      [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .map(({ name, encodedBodySize }) => ({ name: name.replace(location.origin, ''), octets: encodedBodySize })));
    const sum = loaded.reduce((octets, one) => octets + one.octets, 0);
    expect(sum, JSON.stringify(loaded)).toBeLessThanOrEqual(60_000);
    expect(sum).toBeGreaterThan(5_000);
    await context.close();
  });
}
