// Every screen, in light and dark, wide and at 320 pixels: no WCAG 2.2 AA violation that axe-core can see, no scrolling in two
// dimensions, no error on the browser's console (so no breach of the content security policy either), no time as programs write it.
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { screens } from '../screens.js';
import { rawTimes } from '../times.js';

// These are answered with a refusal, which the browser reports.
const REFUSED = { 'mistaken-address': 400, 'definition-mistakes': 422, 'no-such-page': 404, 'public-page-unknown': 404, 'sign-in-by-service-refused': 403, 'sign-in-by-service-too-late': 400 };
// Screens that must show times as they are written, and why.
const RAW_TIMES = { api: 'the reference of the API says how times are written' };
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** What axe-core has to say of a page as it is now. */
async function violations(page) {
  const found = await new AxeBuilder({ page }).withTags(RULES).analyze();
  return found.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 200)).join(' | ')}`);
}

const tooWide = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;

// A screen is opened once for each width and changes its colours where it stands: opening it is what costs time.
for (const [name, open] of Object.entries(screens)) {
  for (const width of [1600, 320]) {
    test(`${name}, ${width} pixels`, async ({ browser, baseURL }) => {
      // Without motion no colour is measured half way to another.
      const context = await browser.newContext({ baseURL, viewport: { width, height: 900 }, reducedMotion: 'reduce' });
      const page = await context.newPage();
      const complaints = [];
      // The pages of the sign-in service on the way are not ours.
      const ours = ({ url }) => !url || [baseURL, process.env.SERVICE_URL].some((home) => url.startsWith(home));
      page.on('console', (message) => message.type() === 'error' && ours(message.location()) && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(`${error}`));
      await open(page, baseURL);
      if (!RAW_TIMES[name]) expect.soft(await page.evaluate(rawTimes), 'times as programs write them').toEqual([]);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        expect.soft(await violations(page), colorScheme).toEqual([]);
        expect.soft(await page.evaluate(tooWide), `pixels too wide, ${colorScheme}`).toBeLessThanOrEqual(0);
      }
      expect(complaints.filter((text) => !text.includes(`status of ${REFUSED[name]}`))).toEqual([]);
      await context.close();
    });
  }
}
