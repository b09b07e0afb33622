// The drawn life-line: its labels never lie on each other, however close its steps are and however many.
import { expect, test } from '@playwright/test';
import { fresh } from '../fresh.js';
import { send } from '../smtp.js';
import { attempts, ofTheWeek } from '../stories.js';

/** A greylisted sender that tries again thirteen times within seconds; its life-line's address. */
async function impatient(request) {
  const from = `${fresh('hurry')}@cannot-wait.example`;
  let last;
  for (let tries = 0; tries < 13; tries += 1) last = await send({ from, to: 'ann@corp.example', ip: '127.8.77.66' });
  expect(last.code).toBe(451);
  await expect.poll(async () => (await attempts(request, `from:${from}`)).length).toBe(13);
  const [row] = await attempts(request, `from:${from}`);
  return row;
}

/** Pairs of labels of which one lies on the other, and labels beside the room they have. */
function collisions(selector) {
  const boxes = [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility() && node.textContent.trim()).map((node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return { text: node.textContent.trim(), box: range.getBoundingClientRect() };
  });
  const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5;
  const found = [];
  for (const [place, one] of boxes.entries()) {
    for (const other of boxes.slice(place + 1)) if (meet(one.box, other.box)) found.push(`${one.text} | ${other.text}`);
  }
  return { labels: boxes.length, found };
}

const LABELS = '.drawing .gap, .drawing .word, .drawing .time';
const LISTED = '.life .when, .life .what > .badge, .life .what > div';

test('many steps within seconds', async ({ browser, baseURL, request }) => {
  const row = await impatient(request);
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1600, 800, 390]) {
      const context = await browser.newContext({ baseURL, colorScheme, viewport: { width, height: 900 } });
      const page = await context.newPage();
      for (const path of [`/lifelines/${row.life}`, `/messages/${row.id}/life`, `/messages?view=deferred&sel=${row.id}`]) {
        await page.goto(path);
        if (path.includes('sel=')) await page.locator('#panel').getByRole('link', { name: 'Life-line', exact: true }).click();
        await expect(page.locator('.life li')).toHaveCount(13);
        const drawn = await page.evaluate(collisions, LABELS);
        expect(drawn.found, `${path} ${width}`).toEqual([]);
        // On a phone the list is the drawing.
        expect(drawn.labels).toBe(width > 720 ? 8 * 2 + 7 : 0);
        expect((await page.evaluate(collisions, LISTED)).found, `${path} ${width}`).toEqual([]);
      }
      await context.close();
    }
  }
});

test('a story of days, with longer words and larger letters', async ({ browser, baseURL, request }) => {
  const rows = await ofTheWeek(request, 'from:impatient.example wait:>10s', { view: 'delivered' });
  expect(rows.length).toBeGreaterThan(0);
  const context = await browser.newContext({ baseURL, viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  for (const { life } of rows.slice(0, 3)) {
    await page.goto(`/lifelines/${life}`);
    await page.evaluate(() => {
      document.documentElement.style.fontSize = '130%';
      for (const node of document.querySelectorAll('.drawing .word, .drawing .gap')) node.textContent = node.textContent.replace(/\p{L}{3,}/gu, (word) => word + 'w'.repeat(word.length));
    });
    const { labels, found } = await page.evaluate(collisions, LABELS);
    expect(labels).toBeGreaterThan(4);
    expect(found).toEqual([]);
  }
  await context.close();
});
