// The longest address that RFC 5321 section 4.5.3.1 has, without a place to break it: on a phone, no page that quotes it scrolls
// sideways.
import { expect, test } from '@playwright/test';
import { fresh } from '../fresh.js';
import { send } from '../smtp.js';

const LABEL = 'w'.repeat(62);
/** 64 octets before the sign, 254 in all; a new one each time, or it would have waited long enough. */
const longest = () => `${fresh('m').padEnd(64, 'm')}@${LABEL}.${LABEL}.${'w'.repeat(55)}.example`;
const SIDES = ['', '/life', '/verdict', '/raw', '/permit', '/block'];

const tooWide = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;

test('every page that quotes it, 320 pixels', async ({ browser, baseURL }) => {
  const from = longest();
  expect(from).toHaveLength(254);
  const refused = await send({ from, to: 'ann@corp.example', ip: '127.8.77.9' });
  expect(refused.code, refused.text).toBeGreaterThanOrEqual(400);
  const context = await browser.newContext({ baseURL, viewport: { width: 320, height: 800 } });
  const page = await context.newPage();
  const query = encodeURIComponent(`from:${from}`);
  const lists = [`/messages?view=all&q=${query}`, `/senders?q=${query}`, `/senders/new?sender=${query}`, `/expecting?sender=${query}&recipient=ann%40corp.example`];
  const pages = [...SIDES.map((side) => `/messages/${refused.ref}${side}`), ...lists];
  await page.goto(`/messages/${refused.ref}/life`);
  pages.push(await page.locator('a[href^="/lifelines/"]').first().getAttribute('href'));
  for (const path of pages) {
    const answer = await page.goto(path);
    expect.soft(answer.status(), path).toBe(200);
    expect.soft(await page.evaluate(tooWide), path).toBeLessThanOrEqual(0);
  }
  await context.close();
});
