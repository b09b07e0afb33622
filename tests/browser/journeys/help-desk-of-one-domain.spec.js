// An owner makes a role and an account that sees one domain; whoever has it sees that domain and nothing else.
import { expect, test } from '@playwright/test';
import { fresh } from '../fresh.js';
import { send } from '../smtp.js';
import { attempts } from '../stories.js';

const nobody = { cookies: [], origins: [] };
const OWN = 'clinic.example';
const OTHER = 'corp.example';

for (const javaScriptEnabled of [true, false]) {
  test(`a desk for one domain ${javaScriptEnabled ? 'with script' : 'without script'}`, async ({ browser, baseURL, page: owner }) => {
    const name = fresh('desk');
    const page = owner;
    await page.goto('/system/roles');
    await page.getByLabel('Name').fill(name);
    await page.getByLabel('Whom it is for').fill('The desk of the clinic');
    for (const permission of ['see_metadata', 'export_metadata', 'see_senders', 'edit_senders', 'see_policies']) {
      await page.getByRole('checkbox', { name: new RegExp(`^${permission} `) }).check();
    }
    await page.getByRole('button', { name: 'Make the role' }).click();
    await expect(page.getByRole('columnheader', { name })).toBeVisible();
    await page.goto('/system/access');
    await page.getByLabel('Name or address').fill(`${name}@${OWN}`);
    await page.getByLabel('Role').selectOption(name);
    await page.getByLabel(/only the mail of/).fill('ann@clinic.example');
    await page.getByRole('button', { name: 'Add the account' }).click();
    await expect(page.getByRole('alert')).toContainText('is no domain');
    await page.getByLabel(/only the mail of/).fill(OWN);
    await page.getByRole('button', { name: 'Add the account' }).click();
    const link = await page.getByRole('status').locator('code').textContent();
    const other = (await attempts(page.request, `to:@${OTHER}`))[0];
    expect(other.to).toContain(OTHER);

    const context = await browser.newContext({ baseURL, storageState: nobody, javaScriptEnabled });
    const desk = await context.newPage();
    await desk.goto(new URL(link).pathname);
    await desk.getByLabel('Password', { exact: true }).fill('five quiet words for tests');
    await desk.getByLabel(/again/i).fill('five quiet words for tests');
    await desk.getByRole('button').last().click();
    await desk.waitForURL((url) => !url.pathname.startsWith('/set-up'));
    await desk.goto('/messages?view=all&from=now-7d&cols=time,is,to&rows=100');
    const rows = desk.locator('tr[data-ref]');
    expect(await rows.count()).toBeGreaterThan(5);
    for (const text of await rows.allTextContents()) expect(text).toContain(OWN);
    await desk.goto(`/messages?view=all&from=now-7d&q=to%3A%40${OTHER}`);
    await expect(rows).toHaveCount(0);
    for (const path of [`/messages/${other.ref}`, `/messages/${other.id}`, `/lifelines/${other.life}`]) {
      expect((await desk.goto(path)).status(), path).toBe(404);
    }
    const list = await (await desk.request.get('/api/v1/attempts/rows?view=all&from=now-7d')).text();
    expect(list).toContain(OWN);
    expect(list).not.toContain(`@${OTHER}`);
    const facets = await (await desk.request.get('/api/v1/attempts/facets?view=all&from=now-7d')).json();
    expect(facets.find((facet) => facet.key === 'to_domain').values.map((one) => one.value)).toEqual([OWN]);
    const refused = await desk.goto('/policies');
    expect(refused.status()).toBe(403);
    await expect(desk.locator('main')).toContainText('which nobody has who sees only some domains or groups; an owner can grant it: demo');
    await desk.goto('/');
    await expect(desk.getByRole('heading', { level: 1 })).toBeVisible();
    expect(await desk.locator('main').textContent()).not.toContain(`@${OTHER}`);
    await expect(desk.locator('.rail').getByRole('link', { name: 'System' })).toHaveCount(0);

    // The same desk for the one member of a group, from the next request on.
    // Somebody who only gets mail: of one whose programs submit it, what was sent is seen as well.
    const member = `course-${101 + Number(javaScriptEnabled)}@${OTHER}`;
    expect((await send({ from: `sue@${fresh('course')}.example`, to: member })).code).toBe(451);
    const group = `Ward of ${name}`;
    await page.goto('/groups');
    await page.getByLabel('New group').fill(group);
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.goto(`/groups/${encodeURIComponent(group)}`);
    await page.getByLabel(/one per line/).fill(member);
    await page.getByRole('button', { name: 'Add all or nothing' }).click();
    await expect(page.getByText(member).first()).toBeVisible();
    await page.goto(`/system/access/${encodeURIComponent(`${name}@${OWN}`)}`);
    await page.getByLabel(/only the mail of/).fill('');
    await page.getByLabel(/members of these groups/).fill('No such group');
    await page.getByRole('button', { name: 'Save' }).click();
    await expect(page.getByRole('alert')).toContainText('there is no group "No such group"');
    await page.getByLabel(/members of these groups/).fill(group);
    await page.getByRole('button', { name: 'Save' }).click();
    await expect(page.getByRole('row', { name: new RegExp(name) })).toContainText(`group ${group}`);
    await desk.goto('/messages?view=all&from=now-7d&cols=time,is,to&rows=100');
    expect(await rows.count()).toBeGreaterThan(0);
    for (const text of await rows.allTextContents()) expect(text).toContain(member);
    await desk.goto('/me');
    await expect(desk.locator('main')).toContainText(`limited to the mail of the group ${group}`);
    await page.goto(`/groups/${encodeURIComponent(group)}`);
    await page.getByRole('button', { name: 'Remove the group' }).click();
    await expect(page.getByRole('alert')).toContainText(`the account ${name}@${OWN} is limited to group`);

    await page.goto(`/system/access/${encodeURIComponent(`${name}@${OWN}`)}`);
    await page.getByLabel(/^Disabled/).check();
    await page.getByRole('button', { name: 'Save' }).click();
    await expect(page.getByRole('row', { name: new RegExp(name) })).toContainText('disabled');
    await desk.goto('/messages');
    expect(new URL(desk.url()).pathname).toBe('/sign-in');
    await page.goto('/system/access/demo');
    await page.getByLabel('Role').selectOption('viewer');
    await page.getByRole('button', { name: 'Save' }).click();
    await expect(page.getByRole('alert')).toContainText('the last owner');
    await context.close();
  });
}
