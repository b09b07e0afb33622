// Every screen, in light and dark, wide and at 320 pixels: no WCAG 2.2 AA violation that axe-core can see, no scrolling in two
// dimensions, no error on the browser's console (so no breach of the content security policy either).
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { screens } from '../screens.js';

// These are answered with a refusal, which the browser reports.
const REFUSED = { 'mistaken-address': 400, 'no-such-page': 404, 'public-page-unknown': 404, 'sign-in-by-service-refused': 403, 'sign-in-by-service-too-late': 400 };
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

for (const [name, open] of Object.entries(screens)) {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1600, 320]) {
      test(`${name}, ${colorScheme}, ${width} pixels`, async ({ browser, baseURL }) => {
        const context = await browser.newContext({ baseURL, colorScheme, viewport: { width, height: 900 } });
        const page = await context.newPage();
        const complaints = [];
        // The pages of the sign-in service on the way are not ours.
        const ours = ({ url }) => !url || [baseURL, process.env.SERVICE_URL].some((home) => url.startsWith(home));
        page.on('console', (message) => message.type() === 'error' && ours(message.location()) && complaints.push(message.text()));
        page.on('pageerror', (error) => complaints.push(`${error}`));
        await open(page, baseURL);
        const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
        const seen = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 200)).join(' | ')}`);
        expect(seen).toEqual([]);
        expect(complaints.filter((text) => !text.includes(`status of ${REFUSED[name]}`))).toEqual([]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(overflow, 'pixels too wide').toBeLessThanOrEqual(0);
        await context.close();
      });
    }
  }
}
