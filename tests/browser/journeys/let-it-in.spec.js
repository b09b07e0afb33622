// From a row to the repair: permit and block with a preview, undo, let this one in. With mouse, keyboard alone and without script.
import { expect, test } from '@playwright/test';
import { send } from '../smtp.js';

const TO = 'ann@corp.example';
let number = 0;
/** A sender nobody has seen before, of a domain of its own: a block of one journey's domain must not meet another's sender. */
const stranger = () => `sue@stranger-${Date.now().toString(36)}-${process.pid}-${(number += 1)}.example`;

async function refused(page, request, from) {
  const reply = await send({ from, to: TO });
  expect(reply.code, reply.text).toBe(451);
  await page.goto(`/messages/${reply.ref}`);
  await page.waitForLoadState('load');
  return reply;
}

async function block(page) {
  await page.getByRole('link', { name: /^Block for recipient/ }).first().click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText(`Block for ${TO}`);
  await page.getByRole('button', { name: 'Block', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with the mouse' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('block, permit from the rejected row, undo', async ({ page, request }) => {
      const from = stranger();
      await refused(page, request, from);
      await block(page);
      const rejected = await send({ from, to: TO });
      expect(rejected.code, rejected.text).toBe(550);
      await page.goto(`/messages?view=rejected&q=${encodeURIComponent(`from:${from}`)}`);
      if (javaScriptEnabled) {
        await page.locator('tbody .row-actions summary').first().click();
        await page.getByRole('link', { name: /^Permit for recipient/ }).first().click();
      } else {
        await page.goto(await page.locator('tbody [data-act=permit]').first().getAttribute('href'));
      }
      await expect(page.locator('main')).toContainText('there is no message here that could be released');
      await expect(page.locator('main')).toContainText('It never skips anti-virus');
      await expect(page.locator('#preview-text')).toContainText('It would now get past');
      await page.getByRole('button', { name: 'Permit', exact: true }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
      const accepted = await send({ from, to: TO });
      expect(accepted.code, accepted.text).toBe(250);
      await page.getByRole('button', { name: 'Undo' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Undone');
      expect((await send({ from, to: TO })).code).toBe(550);
    });

    test('an own domain is refused with the reason, and a typed scope is previewed', async ({ page, request }) => {
      await refused(page, request, stranger());
      await page.getByRole('link', { name: /^Permit for recipient/ }).first().click();
      await page.locator('input[name=sender][value=other]').check();
      await page.getByLabel('Another address or domain').fill('corp.example');
      if (javaScriptEnabled) await page.getByLabel('Another address or domain').blur();
      else await page.getByRole('button', { name: 'Preview' }).click();
      await expect(page.getByRole('alert')).toContainText("one of the organisation's own domains");
      await page.getByRole('button', { name: 'Permit', exact: true }).click();
      await expect(page.getByRole('alert')).toContainText("one of the organisation's own domains");
    });

    test('a permit for authenticated mail says that nothing proved the sender, and so does the record', async ({ page, request }) => {
      const from = stranger();
      await refused(page, request, from);
      await page.getByRole('link', { name: /^Permit for recipient/ }).first().click();
      await page.getByRole('checkbox', { name: /^Only if authenticated/ }).check();
      if (!javaScriptEnabled) await page.getByRole('button', { name: 'Preview' }).click();
      await expect(page.locator('#preview-text')).toContainText('SPF did not prove its sender');
      await expect(page.locator('#preview-late')).toContainText('Where only DKIM does');
      await page.getByRole('button', { name: 'Permit', exact: true }).click();
      await expect(page.locator('main')).toContainText('authenticated_only = true');
      const again = await send({ from, to: TO });
      expect(again.code, again.text).toBe(451);
      await page.goto(`/messages/${again.ref}/verdict`);
      await expect(page.locator('main')).toContainText('its sender was not authenticated');
    });

    test('for everyone, until a day, as a policy', async ({ page, request }) => {
      const from = stranger();
      await refused(page, request, from);
      await page.getByRole('link', { name: /^Permit for recipient/ }).first().click();
      await page.locator('input[name=whom][value=everyone]').check();
      await page.getByLabel('Until when').selectOption('7');
      await page.getByRole('button', { name: 'Permit', exact: true }).click();
      await expect(page.locator('main')).toContainText('permitted_senders');
      await expect(page.locator('main')).toContainText('until =');
      expect((await send({ from, to: 'bob@corp.example' })).code).toBe(250);
      await page.getByRole('button', { name: 'Undo' }).click();
    });

    test('let this one in: the next attempt passes greylisting', async ({ page, request }) => {
      const from = stranger();
      await refused(page, request, from);
      await page.getByRole('button', { name: 'Let this one in' }).click();
      await expect(page.getByRole('status').first()).toContainText('passes greylisting');
      const accepted = await send({ from, to: TO });
      expect(accepted.code, accepted.text).toBe(250);
    });
  });
}

test('with the keyboard alone', async ({ page }) => {
  const from = stranger();
  const reply = await send({ from, to: TO });
  await page.goto(`/messages?view=deferred&q=${encodeURIComponent(`from:${from}`)}`);
  const row = page.locator(`tr[data-ref="${reply.ref}"]`);
  await expect(row).toBeVisible();
  await page.keyboard.press('j');
  await page.keyboard.press('p');
  await expect(page.getByRole('heading', { level: 1 })).toContainText(`Permit for ${TO}`);
  const button = page.getByRole('button', { name: 'Permit', exact: true });
  for (let steps = 0; steps < 60 && !(await button.evaluate((node) => node === document.activeElement)); steps += 1) {
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
  expect((await send({ from, to: TO })).code).toBe(250);
});
