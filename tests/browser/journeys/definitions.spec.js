// Definitions: one of each kind is made in a form, tried out, used, changed in one place for all who use it, and kept while it is
// used. The text is the other side of the same page. All of it by the keyboard and without script too.
import { expect, test } from '@playwright/test';
import { fresh } from '../fresh.js';

const saved = async (page) => expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');

/** Opens the form of a new definition of a kind, from the list. */
async function newOne(page, kind) {
  await page.goto('/definitions');
  await page.getByRole('link', { name: 'New definition' }).click();
  await page.getByRole('link', { name: `${kind}: fill in a form` }).click();
  await expect(page.getByRole('button', { name: 'As a form' })).toHaveAttribute('aria-current', 'true');
}

async function removed(page, name) {
  await page.goto(`/definitions/${encodeURIComponent(name)}`);
  await page.getByRole('button', { name: 'Remove this definition' }).click();
  await saved(page);
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with the mouse' : 'without script', () => {
    test.use({ javaScriptEnabled });

    test('make, use, change, and remove when nobody uses it', async ({ page }) => {
      const name = fresh('Strict');
      await newOne(page, 'DNS Authentication');
      // What a new installation does is chosen already.
      await expect(page.getByLabel('SPF: Failed', { exact: true })).toHaveValue('ignore_permitted');
      await expect(page.getByLabel('DMARC: Failed', { exact: true })).toHaveValue('honour_record');
      await expect(page.getByLabel('DKIM: Failed', { exact: true }).locator('option:checked')).toHaveText('No action (default)');
      await page.getByLabel('Name').fill(name);
      await page.getByLabel('DKIM: Failed', { exact: true }).selectOption({ label: 'Hold' });
      await page.getByLabel('SPF: Not known for now').selectOption({ label: 'Defer' });
      await page.getByRole('button', { name: /^Replay/ }).click();
      await expect(page.getByRole('region', { name: /What this would have changed/ })).toContainText('Self-check');
      await expect(page.getByLabel('DKIM: Failed', { exact: true })).toHaveValue('hold');
      await page.getByLabel('What this change is for').fill('from a form');
      await page.getByRole('button', { name: 'Save' }).click();
      await saved(page);
      await page.goto('/policies/versions');
      await expect(page.getByRole('row').filter({ hasText: 'from a form' }).first()).toBeVisible();
      // A policy uses it.
      await page.goto('/policies/new/dns_authentication');
      await page.getByLabel('Narrative: what it is for').fill(`Uses ${name}`);
      await page.getByLabel('Option', { exact: true }).selectOption({ label: `apply: ${name}` });
      await page.getByLabel('Applies from').selectOption('domain');
      await page.getByLabel('Which, from').fill('nobody-writes-from.example');
      await page.getByRole('button', { name: 'Save' }).click();
      await saved(page);
      await page.goto('/definitions');
      const row = page.getByRole('row').filter({ hasText: name });
      await expect(row.getByRole('link', { name: /^policy #/ })).toBeVisible();
      await row.getByRole('link', { name }).click();
      await page.getByRole('button', { name: 'Remove this definition' }).click();
      await expect(page.getByRole('alert')).toContainText('still used by policy');
      await page.getByLabel('DKIM: Failed', { exact: true }).selectOption({ label: 'Reject' });
      await page.getByRole('button', { name: 'Save' }).click();
      await saved(page);
      await expect(page.locator('main')).toContainText('reject');
      // Sent as it was opened, it makes no version.
      await page.goto(`/definitions/${encodeURIComponent(name)}`);
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(page).toHaveURL(/\/definitions$/);
      await row.getByRole('link', { name: /^policy #/ }).click();
      await page.getByRole('button', { name: 'Remove this policy' }).click();
      await removed(page, name);
      await page.goto('/definitions');
      await expect(row).toHaveCount(0);
    });

    test('lists are ticked, weighed, and a mistake stands beside its field', async ({ page }) => {
      const name = fresh('Lists');
      await newOne(page, 'Reputation');
      await page.getByLabel('Name', { exact: true }).fill(name);
      await page.getByLabel('Refuse from this sum of weights on').fill('3');
      const rows = page.locator('table.asked tbody tr');
      const before = await rows.count();
      await page.getByRole('button', { name: 'More rows' }).click();
      await expect(rows).toHaveCount(before + 3);
      const last = rows.last();
      await last.getByLabel(/^Name of list/).fill('bl.example.net');
      await last.getByLabel(/^Weight of list/).fill('two');
      await last.getByLabel(/^Answers of list/).fill('127.0.0.2, 127.0.0.4/30');
      await page.getByRole('button', { name: 'Save' }).click();
      const weight = page.getByLabel(/^Weight of list/).and(page.locator('[aria-invalid]'));
      await expect(weight).toHaveValue('two');
      await expect(weight).toHaveAccessibleDescription(/whole number/);
      await page.getByRole('alert').getByRole('link').click();
      await expect(weight).toBeInViewport();
      await weight.fill('2');
      // What the message center refuses stands beside its field too.
      await page.getByRole('button', { name: 'Save' }).click();
      const sum = page.getByLabel('Refuse from this sum of weights on');
      await expect(sum).toHaveAccessibleDescription(/weigh 2 together/);
      await sum.fill('2');
      await page.getByLabel('As written here').check();
      await page.getByLabel('Put off from this score on').fill('40');
      await page.getByLabel('Refuse from this score on').fill('90');
      await page.getByLabel('Look at global permitted lists').uncheck();
      await page.getByRole('button', { name: 'Save' }).click();
      await saved(page);
      await page.goto(`/definitions/${encodeURIComponent(name)}`);
      await expect(page.locator('main')).toContainText('Global permitted lists are not looked at');
      // The other side says the same, and takes a change back here.
      await page.getByRole('button', { name: 'As text' }).click();
      const text = page.getByLabel('The definition');
      await expect(text).toHaveValue(/global_permitted_list = false/);
      await text.fill((await text.inputValue()).replace('defer_score = 40', 'defer_score = nonsense'));
      await page.getByRole('button', { name: 'As a form' }).click();
      await expect(page.getByRole('alert')).toContainText(/Line \d+/);
      await text.fill((await text.inputValue()).replace('nonsense', '45'));
      await page.getByRole('button', { name: 'As a form' }).click();
      await expect(page.getByLabel('Put off from this score on')).toHaveValue('45');
      await page.getByLabel('Ask list 1').uncheck();
      await page.getByRole('button', { name: 'Save' }).click();
      await saved(page);
      await page.goto(`/definitions/${encodeURIComponent(name)}?as=text`);
      await expect(text).not.toHaveValue(/bl\.example\.net/);
      await expect(text).toHaveValue(/defer_score = 45/);
      await removed(page, name);
    });

    test('countries are looked for by name', async ({ page }) => {
      const name = fresh('Places');
      await newOne(page, 'Geographical Restriction');
      await page.getByLabel('Name', { exact: true }).fill(name);
      const add = page.getByLabel('Add a country: its name or its code');
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(add).toHaveAccessibleDescription(/no country and no network/);
      await add.fill('Germny');
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await expect(add).toHaveValue('Germny');
      await expect(add).toHaveAccessibleDescription(/is no country/);
      await add.fill('germany, Austria (AT), ch');
      await add.press('Enter');
      await expect(page.getByLabel('Germany (DE)')).toBeChecked();
      await page.getByLabel('Austria (AT)').uncheck();
      await add.fill('Japan');
      await page.getByRole('radio', { name: /^Block/ }).check();
      await page.getByRole('button', { name: 'Save' }).click();
      await saved(page);
      await page.goto(`/definitions/${encodeURIComponent(name)}?as=text`);
      const text = page.getByLabel('The definition');
      for (const part of ['"DE"', '"CH"', '"JP"', 'action = "block"']) await expect(text).toHaveValue(new RegExp(part));
      await expect(text).not.toHaveValue(/"AT"/);
      await removed(page, name);
    });
  });
}

test('the keyboard alone makes a definition, and Enter in a field stores nothing', async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 720 });
  await page.goto('/definitions/new?kind=dns_authentication');
  const called = fresh('By keys');
  await page.getByLabel('Name', { exact: true }).focus();
  await page.keyboard.type(called);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('region', { name: /What this would have changed/ })).toBeVisible();
  const name = page.getByLabel('Name', { exact: true });
  await expect(name).toHaveValue(called);
  await name.focus();
  await page.keyboard.press('Tab');
  await page.keyboard.type('All of it');
  await page.keyboard.press('Tab');
  await expect(page.getByLabel('SPF: Passed')).toBeFocused();
  await page.getByLabel('SPF: Failed', { exact: true }).focus();
  await page.keyboard.type('Rej');
  await page.getByRole('button', { name: 'Save' }).focus();
  await page.keyboard.press('Enter');
  await saved(page);
  await expect(page.locator('main')).toContainText('reject');
  await removed(page, called);
});

test('a definition that somebody changed meanwhile is not overwritten', async ({ page, context }) => {
  const called = fresh('Of two people');
  await newOne(page, 'DNS Authentication');
  await page.getByLabel('Name', { exact: true }).fill(called);
  await page.getByRole('button', { name: 'Save' }).click();
  await saved(page);
  const other = await context.newPage();
  for (const one of [page, other]) await one.goto(`/definitions/${encodeURIComponent(called)}`);
  await other.getByLabel('SPF: Failed', { exact: true }).selectOption('reject');
  await other.getByRole('button', { name: 'Save' }).click();
  await saved(other);
  await page.getByLabel('SPF: Failed', { exact: true }).selectOption('hold');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('alert')).toContainText('nothing is overwritten');
  await expect(page.getByLabel('SPF: Failed', { exact: true })).toHaveValue('hold');
  await removed(page, called);
});

test('what the policy file manages is only shown, on both sides', async ({ page }) => {
  const nothing = async () => {
    await expect(page.locator('main')).toContainText('comes from the policy file');
    for (const name of ['Save', /^Replay/, /^Remove/]) await expect(page.getByRole('button', { name })).toHaveCount(0);
  };
  await page.goto('/definitions/Block%20Lists');
  await expect(page.getByLabel('Name of list 1')).toBeDisabled();
  await nothing();
  await page.getByRole('link', { name: 'As text' }).click();
  const text = page.getByLabel('The definition');
  await expect(text).toHaveValue(/addresses\.lists\.example/);
  await expect(text).not.toBeEditable();
  await nothing();
});
