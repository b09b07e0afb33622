// What gives way where there is little room: columns beside the panel, places of a phone's bar, figures of the overview.
import { expect, test } from '@playwright/test';
import { week } from '../fresh.js';

// How wide a column is follows from what stands in it: rows that stay the same.
const LIST = `/messages?view=rejected&${week()}&q=type%3Ablocked`;

for (const [width, least] of [[1100, 88], [1280, 120], [1440, 150], [1600, 120]]) {
  test(`beside the panel who wrote to whom can be read, ${width} pixels`, async ({ browser, baseURL }) => {
    const context = await browser.newContext({ baseURL, viewport: { width, height: 900 } });
    const page = await context.newPage();
    await page.goto(LIST);
    await page.locator('tbody a.open').first().click();
    await expect(page.locator('#panel .message')).toBeVisible();
    for (const column of ['c-from', 'c-to']) {
      const { width: room } = await page.locator(`tbody td.${column}`).first().boundingBox();
      expect(room, column).toBeGreaterThan(least);
    }
    await context.close();
  });
}

test('where there is no room for both, the panel stands alone until it is closed', async ({ browser, baseURL }) => {
  const context = await browser.newContext({ baseURL, viewport: { width: 800, height: 700 } });
  const page = await context.newPage();
  await page.goto(LIST);
  await page.locator('tbody a.open').first().click();
  const panel = page.locator('#panel');
  await expect(panel.locator('.message')).toBeVisible();
  expect((await panel.boundingBox()).width).toBeGreaterThan(600);
  await page.keyboard.press('Escape');
  await expect(panel).toBeHidden();
  await expect(page.locator('tbody a.open').first()).toBeVisible();
  await context.close();
});

for (const javaScriptEnabled of [true, false]) {
  test(`a phone's bar has five places, none cut off, ${javaScriptEnabled ? 'with' : 'without'} script`, async ({ browser, baseURL }) => {
    const context = await browser.newContext({ baseURL, javaScriptEnabled, viewport: { width: 320, height: 640 } });
    const page = await context.newPage();
    await page.goto('/');
    const places = page.getByRole('navigation', { name: 'Main' }).locator('> a:visible, > details > summary:visible');
    await expect(places).toHaveCount(5);
    for (const place of await places.all()) {
      const { x, width } = await place.boundingBox();
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x + width).toBeLessThanOrEqual(320);
      expect(await place.evaluate((node) => node.scrollWidth <= node.clientWidth + 1)).toBe(true);
    }
    await places.last().click();
    await page.getByRole('link', { name: 'System' }).click();
    await expect(page).toHaveURL(/\/system\//);
    await expect(places.last()).toHaveAttribute('aria-current', 'true');
    await context.close();
  });
}

for (const width of [1200, 1280, 1440, 1600]) {
  test(`no figure of the overview stands alone in a line, ${width} pixels`, async ({ browser, baseURL }) => {
    const context = await browser.newContext({ baseURL, viewport: { width, height: 900 } });
    const page = await context.newPage();
    await page.goto('/');
    const tops = await page.locator('.figures > div').evaluateAll((nodes) => nodes.map((node) => node.getBoundingClientRect().top));
    expect(new Set(tops).size, `${tops}`).toBe(1);
    await context.close();
  });
}
