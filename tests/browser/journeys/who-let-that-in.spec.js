// From an accepted row to the permit that let it in, and to the entry of the audit log: who, from which row, with which effect since.
import { expect, test } from '@playwright/test';
import { send } from '../smtp.js';

const TO = 'ann@corp.example';
let number = 0;
/** A sender nobody has seen before, of a domain of its own. */
const stranger = () => `sue@let-in-${Date.now().toString(36)}-${process.pid}-${(number += 1)}.example`;

/** A sender that was refused, permitted from the row of that, and accepted. */
async function permitted(page) {
  const from = stranger();
  const { ref } = await send({ from, to: TO });
  await page.goto(`/messages/${ref}/permit`);
  await page.getByRole('button', { name: 'Permit', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
  const accepted = await send({ from, to: TO });
  expect(accepted.code, accepted.text).toBe(250);
  return { from, refused: ref, accepted: accepted.ref };
}

/** The page of the entry says who, from which row, and what it decided since. */
async function readsWholeStory(page, { refused }) {
  const what = page.locator('main');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Changed managed senders');
  await expect(what.getByRole('term').filter({ hasText: 'Who' })).toBeVisible();
  await expect(what.getByRole('link', { name: refused })).toHaveAttribute('href', `/messages/${refused}`);
  const effect = page.getByRole('region', { name: 'Effect since' });
  await expect(effect).toContainText('as it was left');
  await expect(effect.locator('td[data-name="Decided since"]')).toHaveText('1');
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with the mouse' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('from the accepted row to the permit, the entry and its effect', async ({ page }) => {
      const story = await permitted(page);
      await page.goto(`/messages?view=accepted&q=${encodeURIComponent(`from:${story.from}`)}`);
      if (javaScriptEnabled) {
        await page.locator(`tr[data-ref="${story.accepted}"] a.open`).click();
      } else {
        await page.goto(`/messages/${story.accepted}`);
      }
      const decision = page.getByRole('region', { name: 'Decision' });
      await expect(decision).toContainText('Let in by');
      await expect(decision).toContainText('Who let that in');
      // One piece of text, so that no room of the layout comes before the colon.
      await expect(decision.locator('.lanes li > span').first()).toHaveText(/^\S+: \S/);
      await expect(decision.getByRole('link', { name: /^managed sender #?\d+ \(permit\)/ })).toHaveAttribute('href', /^\/senders\/\d+$/);
      await expect(decision.getByRole('link', { name: story.refused }).first()).toBeVisible();
      await decision.locator('a[href^="/system/audit/"]').first().click();
      await readsWholeStory(page, story);
      await page.getByRole('link', { name: /^Attempts that/ }).click();
      await expect(page.locator('tbody')).toContainText(story.from);
    });

    test('what was let in by hand says so, and the entry says whether it came', async ({ page }) => {
      const from = stranger();
      const { ref } = await send({ from, to: TO });
      await page.goto(`/messages/${ref}`);
      await page.getByRole('button', { name: 'Let this one in' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Let in');
      const accepted = await send({ from, to: TO });
      expect(accepted.code, accepted.text).toBe(250);
      await page.goto(`/messages/${accepted.ref}`);
      await expect(page.locator('main')).toContainText('did not have to wait because somebody let it in');
      const decision = page.getByRole('region', { name: 'Decision' });
      await decision.locator('a[href^="/system/audit/"]').first().click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Let triplets pass');
      await expect(page.getByRole('region', { name: 'Effect since' })).toContainText(`accepted as ${accepted.ref}`);
    });
  });
}

/** Presses Tab until the link has the focus. */
async function tabTo(page, link) {
  const focused = () => link.evaluate((node) => node === document.activeElement);
  for (let steps = 0; steps < 120 && !(await focused()); steps += 1) await page.keyboard.press('Tab');
  expect(await focused()).toBe(true);
}

test('with the keyboard alone', async ({ page }) => {
  const story = await permitted(page);
  await page.goto(`/messages?view=accepted&q=${encodeURIComponent(`from:${story.from}`)}`);
  await expect(page.locator(`tr[data-ref="${story.accepted}"]`)).toBeVisible();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  const entry = page.getByRole('region', { name: 'Decision' }).locator('a[href^="/system/audit/"]').first();
  await expect(entry).toBeVisible();
  await tabTo(page, entry);
  await page.keyboard.press('Enter');
  await readsWholeStory(page, story);
});
