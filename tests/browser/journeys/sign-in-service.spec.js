// People come in by the sign-in service of their organisation: a real OpenID Connect provider, whose groups say who may what.
import { expect, test } from '@playwright/test';
import { answerOf, beThere, startIdentity } from '../identity.js';
import { addAccount, PASSWORD, startService } from '../service.js';

const nobody = { cookies: [], origins: [] };

/** Who the provider knows; a test changes the groups of its own person only. */
const people = {
  'p-olga': { preferred_username: 'olga', groups: ['staff', 'mail-owners'] },
  'p-vera': { preferred_username: 'vera', groups: ['mail-desk'] },
  'p-eve': { preferred_username: 'eve', groups: ['staff'] },
  'p-thief': { preferred_username: 'Ana', email: 'ana@corp.example', email_verified: true, groups: ['mail-owners'] },
  'p-ana': { preferred_username: 'ana.smith', groups: [] },
  'p-mia': { preferred_username: 'mia', groups: ['mail-desk'] },
};

test.describe.configure({ mode: 'serial' });

let service;
let identity;
let server;

test.beforeAll(async () => {
  test.setTimeout(120_000);
  service = await startService(people);
  ({ server, identity } = service);
  addAccount(server, 'ana', 'viewer');
});

test.afterAll(async () => {
  // Not that which the service's last journey started in its place.
  if (identity !== service?.identity) await identity?.stop();
  await service?.stop();
});

/** A browser of its own. */
async function visitor(browser, options = {}) {
  const context = await browser.newContext({ baseURL: server.url, storageState: nobody, ...options });
  return context.newPage();
}

/** By the provider, as this person there. */
async function comeIn(page, subject, path = '/sign-in') {
  await page.goto(path);
  await page.getByRole('link', { name: 'Sign in with Corp' }).click();
  await beThere(page, subject);
}

/** With name and password, beside the provider. */
async function comeInLocally(page, name, password = PASSWORD) {
  await page.goto('/sign-in');
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** By the menu of the frame. */
async function signOut(page) {
  await page.locator('details', { has: page.locator('form[action="/sign-out"]') }).locator('summary').first().click();
  await page.locator('form[action="/sign-out"] button').click();
  await expect(page).toHaveURL(/\/signed-out$/);
}

const audit = (text) => server.command(['audit', 'list', text]);

for (const javaScriptEnabled of [true, false]) {
  test(`a group gives a role ${javaScriptEnabled ? 'with script' : 'without script'}`, async ({ browser }) => {
    const page = await visitor(browser, { javaScriptEnabled });
    // Whoever followed a link gets where it leads.
    await comeIn(page, 'p-olga', '/system/access');
    await expect(page).toHaveURL(/\/system\/access$/);
    await expect(page.getByRole('row', { name: /olga/ })).toContainText('Owner');
    const { cookies } = await page.context().storageState();
    const session = cookies.find(({ name }) => name.startsWith('session-'));
    expect(session).toMatchObject({ httpOnly: true, sameSite: 'Lax' });
    expect(cookies.find(({ name }) => name.startsWith('provider-'))).toBeUndefined();
    await page.goto('/me');
    await expect(page.locator('#identities')).toContainText('p-olga');

    // Signing out ends the session here; the provider's own page ends it there.
    await signOut(page);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Signed out');
    await page.getByRole('link', { name: 'Sign out of Corp too' }).click();
    await page.getByRole('button', { name: /yes/i }).click();
    await expect(page).toHaveURL(`${server.url}/signed-out`);
    await page.getByRole('link', { name: 'Sign in', exact: true }).click();
    await page.getByRole('link', { name: 'Sign in with Corp' }).click();
    await expect(page.locator('input[name=login]')).toBeVisible();
    await page.context().close();
  });
}

test('a group gives a limited role', async ({ browser }) => {
  const page = await visitor(browser);
  await comeIn(page, 'p-vera');
  await page.goto('/me');
  await expect(page.locator('main')).toContainText('limited to the mail of corp.example');
  expect((await page.goto('/policies')).status()).toBe(403);
  await page.context().close();
});

test('whoever has no role is refused without the names of owners', async ({ browser }) => {
  const page = await visitor(browser);
  await comeIn(page, 'p-eve');
  await expect(page.getByRole('alert')).toHaveText(
    'Corp knows you, but none of your groups there has a role here; an owner can grant it.');
  await page.goto('/messages');
  await expect(page).toHaveURL(/\/sign-in/);
  expect(server.command(['account', 'list'])).not.toContain('eve');
  expect(audit('eve with Corp')).toContain('no role');
  await page.context().close();
});

test('an answer is believed in the browser that was sent only', async ({ browser }) => {
  const [one, other] = [await visitor(browser), await visitor(browser)];
  await one.goto('/sign-in');
  await one.getByRole('link', { name: 'Sign in with Corp' }).click();
  const answer = await answerOf(one, 'p-olga', server.url);
  for (const page of [other, other]) {
    const response = await page.goto(answer);
    expect(response.status()).toBe(400);
    await expect(page.getByRole('alert')).toContainText('belongs to no sign-in that was begun in this browser');
    await page.goto('/messages');
    await expect(page).toHaveURL(/\/sign-in/);
  }
  const forged = answer.replace(/state=[^&]*/, 'state=forged');
  expect((await one.goto(forged)).status()).toBe(400);
  // The right one still works there, once.
  await one.goto(answer);
  await expect(one).toHaveURL(`${server.url}/`);
  expect(audit('was not sent for')).toContain('sign_in.failed');
  await one.context().close();
  await other.context().close();
});

test('a role that is changed there counts at the next sign-in', async ({ browser }) => {
  const page = await visitor(browser);
  await comeIn(page, 'p-mia');
  await page.goto('/me');
  await expect(page.locator('main')).toContainText('Viewer');
  people['p-mia'].groups = ['mail-operators'];
  await signOut(page);
  await page.goto('/sign-in');
  // The provider remembers her.
  await page.getByRole('link', { name: 'Sign in with Corp' }).click();
  await page.goto('/me');
  await expect(page.locator('main')).toContainText('Operator');
  await expect(page.locator('main')).not.toContainText('limited to');
  expect(audit('mia')).toContain('account.role');

  // Without any role she is out, in every browser.
  people['p-mia'].groups = ['staff'];
  const second = await visitor(browser);
  await comeIn(second, 'p-mia');
  await expect(second.getByRole('alert')).toContainText('none of your groups');
  await page.goto('/me');
  await expect(page).toHaveURL(/\/sign-in/);
  await page.context().close();
  await second.context().close();
});

test('a local account is not taken over, and linked by its person', async ({ browser }) => {
  const thief = await visitor(browser);
  await comeIn(thief, 'p-thief');
  await expect(thief.getByRole('alert')).toContainText('There is an account "ana" here, and nobody has said that it is yours');
  await thief.goto('/messages');
  await expect(thief).toHaveURL(/\/sign-in/);

  const ana = await visitor(browser);
  await comeInLocally(ana, 'ana');
  await ana.goto('/me');
  await ana.getByText('Link who you are there').click();
  await ana.locator('#identities-password').fill('not her password at all');
  await ana.getByRole('button', { name: 'Link with Corp' }).click();
  await expect(ana.locator('#identities').getByRole('alert')).toContainText('not the present password');
  await ana.locator('#identities-password').fill(PASSWORD);
  await ana.getByRole('button', { name: 'Link with Corp' }).click();
  await ana.getByRole('link', { name: 'Go on to Corp' }).click();
  await beThere(ana, 'p-ana');
  await expect(ana.locator('p[role=status]')).toContainText('The account is linked');
  expect(audit('p-ana')).toContain('account.linked');

  const later = await visitor(browser);
  await comeIn(later, 'p-ana');
  await later.goto('/me');
  await expect(later.locator('main')).toContainText('Signed in as ana, Viewer');
  for (const page of [thief, ana, later]) await page.context().close();
});

test('with the provider down the page says so at once and a password lets in', async ({ browser }) => {
  const password = server.command(['account', 'emergency']).trim();
  await identity.stop();
  try {
    const page = await visitor(browser);
    // What is known of the provider is asked again after five minutes; the exchange of a code needs it at once.
    await page.goto('/sign-in');
    const begun = Date.now();
    const answer = await page.request.get('/sign-in/provider', { maxRedirects: 0 });
    expect(answer.status()).toBe(303);
    const state = new URL(answer.headers().location).searchParams.get('state');
    const back = await page.goto(`/sign-in/provider/back?code=x&state=${state}`);
    expect(Date.now() - begun).toBeLessThan(15_000);
    expect(back.status()).toBe(503);
    await expect(page.getByRole('alert')).toContainText('Corp cannot be asked at the moment');
    await comeInLocally(page, 'emergency', password);
    await expect(page).toHaveURL(`${server.url}/`);
    await page.context().close();
  } finally {
    identity = await startIdentity({ console: server.url, people, port: identity.port });
  }
});
