// Every screen, in light and dark, wide and at 320 pixels: no WCAG 2.2 AA violation that axe-core can see, no scrolling in two
// dimensions, no error on the browser's console (so no breach of the content security policy either).
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { screens } from '../screens.js';

// These are answered with 404, which the browser reports.
const ABSENT = ['no-such-page', 'public-page-unknown'];
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

for (const [name, open] of Object.entries(screens)) {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1600, 320]) {
      test(`${name}, ${colorScheme}, ${width} pixels`, async ({ browser, baseURL }) => {
        const context = await browser.newContext({ baseURL, colorScheme, viewport: { width, height: 900 } });
        const page = await context.newPage();
        const complaints = [];
        page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
        page.on('pageerror', (error) => complaints.push(`${error}`));
        await open(page, baseURL);
        const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
        const seen = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 200)).join(' | ')}`);
        expect(seen).toEqual([]);
        expect(complaints.filter((text) => !(ABSENT.includes(name) && /status of 404/.test(text)))).toEqual([]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(overflow, 'pixels too wide').toBeLessThanOrEqual(0);
        await context.close();
      });
    }
  }
}
