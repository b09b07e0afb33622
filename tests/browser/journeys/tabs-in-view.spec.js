// A bar of tabs that is wider than the screen: the tab of the page is in view, with and without script.
import { expect, test } from '@playwright/test';

const PAGES = ['/messages?view=all', '/messages?view=queue', '/messages?view=rejected', '/reports/delays', '/policies/versions', '/system/submitters'];

for (const javaScriptEnabled of [true, false]) {
  for (const [width, direction] of [[390, 'ltr'], [320, 'ltr'], [390, 'rtl']]) {
    if (direction === 'rtl' && !javaScriptEnabled) continue;
    test(`${width} pixels, ${direction}, ${javaScriptEnabled ? 'with' : 'without'} script`, async ({ browser, baseURL }) => {
      const context = await browser.newContext({ baseURL, javaScriptEnabled, viewport: { width, height: 800 } });
      const page = await context.newPage();
      if (direction === 'rtl') await page.addInitScript(() => document.addEventListener('readystatechange', () => { document.documentElement.dir = 'rtl'; }, { once: true }));
      for (const path of PAGES) {
        await page.goto(path);
        const tab = page.locator('nav.tabs [aria-current]').first();
        await expect(tab, path).toBeInViewport({ ratio: 0.9 });
        const { x, width: room } = await tab.boundingBox();
        expect(x, path).toBeGreaterThanOrEqual(0);
        expect(x + room, path).toBeLessThanOrEqual(width);
        // Without script nothing scrolls to the others, so they are all there.
        if (!javaScriptEnabled) {
          for (const other of await page.locator('nav.tabs a').all()) {
            const box = await other.boundingBox();
            expect(box.x + box.width, path).toBeLessThanOrEqual(width);
          }
        }
      }
      await context.close();
    });
  }
}

test('the tab stays in view where its bar is fetched later', async ({ browser, baseURL }) => {
  const context = await browser.newContext({ baseURL, viewport: { width: 390, height: 800 } });
  const page = await context.newPage();
  await page.goto('/messages?view=all&from=now-7d');
  await page.evaluate(async () => {
    const list = document.querySelector('script[src$="list.js"]').src;
    const { figures } = await import(list.replace('list.js', 'histogram.js'));
    document.getElementById('histogram').dataset.source = `/messages/figures${location.search}`;
    document.getElementById('tabs').scrollLeft = 0;
    await figures();
  });
  await expect(page.locator('#tabs [aria-current]')).toBeInViewport({ ratio: 0.9 });
  await context.close();
});
