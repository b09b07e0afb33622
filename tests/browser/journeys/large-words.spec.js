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
  return [...document.querySelectorAll('.button, .tabs a, .tabs button, .rail nav a, label, th')]
    .filter((node) => node.checkVisibility() && !node.closest('.sr') && !fits(node))
    .map((node) => node.outerHTML.slice(0, 120));
}

/** By how much the page scrolls sideways, and the innermost elements whose fault it is. */
function stickingOut() {
  const { clientWidth, scrollWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const outside = ({ left, right }) => right > clientWidth + 0.5 || left < -0.5;
  const culprits = [...document.querySelectorAll('body *')].filter((node) => node.checkVisibility() && outside(node.getBoundingClientRect()));
  return [`${scrollWidth - clientWidth} pixels too wide`, ...culprits.slice(-5).map((node) => node.outerHTML.slice(0, 120))];
}

async function fits(page, how) {
  expect.soft(await page.evaluate(stickingOut), how).toEqual([]);
  expect.soft(await page.evaluate(cutOff), how).toEqual([]);
}

for (const [name, open] of Object.entries(screens)) {
  test(`${name} at 200 % zoom, and in longer words from right to left`, async ({ browser, baseURL }) => {
    // 1600 by 1000 pixels, each twice as large.
    const context = await browser.newContext({ baseURL, viewport: { width: 800, height: 500 }, deviceScaleFactor: 2 });
    const page = await context.newPage();
    await open(page, baseURL);
    await fits(page, 'at 200 % zoom');
    await page.evaluate(otherLanguage);
    for (const width of [1600, 320]) {
      await page.setViewportSize({ width, height: 900 });
      await fits(page, `in longer words, ${width} pixels`);
      const [rail, main] = await Promise.all(['.rail', 'main'].map((part) => page.locator(part).first().boundingBox({ timeout: 1000 }).catch(() => null)));
      if (rail && main && width > 720) expect.soft(rail.x, 'the rail stands on the right').toBeGreaterThan(main.x);
    }
    await context.close();
  });
}
