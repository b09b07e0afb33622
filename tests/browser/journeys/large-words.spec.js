// Zoom, longer words than English has, and a script that runs from right to left: nothing scrolls sideways, nothing is cut off.
import { expect, test } from '@playwright/test';
import { screens } from '../screens.js';

/** Puts accents on every word of ours, makes it half as long again, and turns the page around. What a sender wrote stays. */
function otherLanguage() {
  document.documentElement.dir = 'rtl';
  const accents = { a: 'ä', e: 'ë', i: 'ï', o: 'ö', u: 'ü', n: 'ñ', A: 'Å', E: 'É', I: 'Î', O: 'Ø', U: 'Û' };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const longer = (word) => word.replace(/[aeiounAEIOU]/g, (letter) => accents[letter]) + '\u00fe'.repeat(Math.ceil(word.length / 2));
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (node.parentElement.closest('bdi, code, pre, time, textarea, script, style, svg')) continue;
    node.textContent = node.textContent.replace(/\p{L}{3,}/gu, longer);
  }
}

/** Controls whose words do not fit into them. */
function cutOff() {
  const fits = (node) => node.scrollWidth <= node.clientWidth + 1 || getComputedStyle(node).overflowX === 'visible';
  return [...document.querySelectorAll('.button, .tabs a, .rail nav a, label, th')]
    .filter((node) => node.checkVisibility() && !node.closest('.sr') && !fits(node))
    .map((node) => node.outerHTML.slice(0, 120));
}

const tooWide = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;

for (const [name, open] of Object.entries(screens)) {
  test(`${name} at 200 % zoom`, async ({ browser, baseURL }) => {
    // 1600 by 1000 pixels, each twice as large.
    const context = await browser.newContext({ baseURL, viewport: { width: 800, height: 500 }, deviceScaleFactor: 2 });
    const page = await context.newPage();
    await open(page, baseURL);
    expect(await page.evaluate(tooWide), 'pixels too wide').toBeLessThanOrEqual(0);
    expect(await page.evaluate(cutOff)).toEqual([]);
    await context.close();
  });

  for (const width of [1600, 320]) {
    test(`${name} in longer words from right to left, ${width} pixels`, async ({ browser, baseURL }) => {
      const context = await browser.newContext({ baseURL, viewport: { width, height: 900 } });
      const page = await context.newPage();
      await open(page, baseURL);
      await page.evaluate(otherLanguage);
      expect(await page.evaluate(tooWide), 'pixels too wide').toBeLessThanOrEqual(0);
      expect(await page.evaluate(cutOff)).toEqual([]);
      const [rail, main] = await Promise.all(['.rail', 'main'].map((part) => page.locator(part).first().boundingBox({ timeout: 1000 }).catch(() => null)));
      if (rail && main && width > 720) expect(rail.x, 'the rail stands on the right').toBeGreaterThan(main.x);
      await context.close();
    });
  }
}
