import { PUT_OFF } from './entrance.js';
import { fresh, week } from './fresh.js';
import { beThere } from './identity.js';
import { send } from './smtp.js';

/** Every screen by name: how to open it in a page that is signed in. Pictures and accessibility checks share it. */
const at = (path) => async (page, url) => {
  await page.goto(url + path);
  await page.waitForLoadState('load');
};

/** A list of what the demo's weeks hold, so that no live mail changes which row is its first. */
const ofWeek = (list) => (page, url) => at(`/messages?${list}&${week()}`)(page, url);

/** The first row of such a list, on one of the four sides of a message. */
const firstRow = (list, side = '') => rowOf(ofWeek(list), (rows) => rows.first(), side);

/** A row of the list that this opens. */
const rowOf = (open, which, side = '') => async (page, url) => {
  await open(page, url);
  const href = new URL(await which(page.locator('tbody a.open')).getAttribute('href'), url);
  href.pathname += side;
  await at(href.pathname + href.search)(page, url);
};

/**
 * A page of the server whose people come in by a sign-in service, for `subject` there if anybody; where that leads without a
 * `path`.
 */
const byService = (path, subject) => async (page) => {
  const home = process.env.SERVICE_URL;
  await page.context().clearCookies();
  await at('/sign-in')(page, home);
  if (subject) {
    await page.getByRole('link', { name: 'Sign in with Corp' }).click();
    await beThere(page, subject);
    await page.waitForURL((url) => url.origin === home);
  }
  if (path) await at(path)(page, home);
};

/**
 * The queue, with something in it: what the next hop puts off is tried again a minute later. A gateway whose SMTP port is not
 * known shows the queue as it is.
 */
async function queueWithRows(page, url) {
  const open = at('/messages?view=queue');
  await open(page, url);
  if (!process.env.GATEWAY_SMTP) return;
  const rows = page.locator('tbody tr[data-id]');
  for (let tries = 0; tries < 20 && (await rows.count()) === 0; tries += 1) {
    await send({ ...PUT_OFF, subject: 'The new opening hours' });
    await open(page, url);
  }
  if ((await rows.count()) === 0) throw new Error('no message stays in the queue');
}

/** An open retry window: of a first contact that is made now. A gateway whose SMTP port is not known shows the newest it has. */
async function openWindow(page, url) {
  if (!process.env.GATEWAY_SMTP) return firstRow('view=deferred&q=type%3Agreylist.first_seen%20retried%3Ano%20-is%3Aexpired', '/life')(page, url);
  const { ref } = await send({ from: `sue@${fresh('newcomer')}.example`, to: 'ann@corp.example', ip: '127.8.76.2' });
  return at(`/messages/${ref}/life`)(page, url);
}

/** Who the sign-in service of these screens knows. */
export const people = {
  'p-olga': { preferred_username: 'olga', groups: ['mail-owners'] },
  'p-eve': { preferred_username: 'eve', groups: ['staff'] },
};

/** The story of a message that was greylisted, came back too early, and was delivered. */
const GREYLISTED = 'view=delivered&q=from%3Aimpatient.example%20wait%3A%3E10s';
const REFUSED = 'view=rejected&q=type%3Ablocked';
/** Journeys release and delete what they had held themselves: the oldest row of the list stays. */
const HELD = at('/messages?view=held');

export const screens = {
  overview: at('/'),
  'overview-7-days': at('/?span=7d'),
  rejected: at('/messages?view=rejected&from=now-7d'),
  deferred: at('/messages?view=deferred&from=now-7d'),
  accepted: at('/messages?view=accepted&from=now-7d'),
  queue: queueWithRows,
  held: HELD,
  'held-message': rowOf(HELD, (rows) => rows.last()),
  'held-release': async (page, url) => {
    await HELD(page, url);
    const ids = await page.locator('tbody tr[data-id]').evaluateAll((rows) => rows.slice(-3).map((row) => `&id=${row.dataset.id}`));
    await at(`/messages/queue?act=release&view=held${ids.join('')}`)(page, url);
  },
  'held-delete': async (page, url) => {
    await HELD(page, url);
    await at(`/messages/queue?act=delete&id=${await page.locator('tbody tr[data-id]').last().getAttribute('data-id')}`)(page, url);
  },
  'held-all': at('/messages/queue?act=release&all=1&view=held'),
  'mistaken-address': at('/?span=xyz'),
  bounced: at('/messages?view=bounced&from=now-7d'),
  'older-than-kept': at('/messages?view=rejected&from=2026-01-05&to=2026-01-06'),
  everything: at('/messages?view=all&from=now-7d&facets=open'),
  'query-with-chips': at('/messages?view=all&from=now-7d&q=is%3Arejected%20-type%3Arecipient.unknown'),
  'query-mistake': at('/messages?view=rejected&q=sujbect%3Ainvoice'),
  'nothing-found': at('/messages?view=rejected&q=nobody-ever-wrote-this'),
  'open-by-address': async (page, url) => {
    await ofWeek(REFUSED)(page, url);
    await ofWeek(`${REFUSED}&sel=${await page.locator('tbody tr[data-id]').first().getAttribute('data-id')}`)(page, url);
  },
  waiting: openWindow,
  'side-panel': async (page, url) => {
    await ofWeek(REFUSED)(page, url);
    await page.locator('tbody a.open').first().click();
    await page.locator('#panel:not([hidden]), .message').first().waitFor();
  },
  message: firstRow(REFUSED),
  'message-life-line': firstRow(GREYLISTED, '/life'),
  'message-verdict': firstRow(REFUSED, '/verdict'),
  'message-raw': firstRow(REFUSED, '/raw'),
  'life-line': async (page, url) => {
    await firstRow(GREYLISTED, '/life')(page, url);
    await page.locator('a[href^="/lifelines/"]').first().click();
    await page.waitForLoadState('load');
  },
  compare: async (page, url) => {
    await ofWeek(REFUSED)(page, url);
    const refs = await page.locator('tbody tr[data-ref]').evaluateAll((rows) => rows.slice(0, 2).map((row) => row.dataset.ref));
    await at(`/compare?a=${refs[0]}&b=${refs[1]}`)(page, url);
  },
  live: at('/messages/live'),
  requests: at('/requests?list=all'),
  permit: async (page, url) => {
    await firstRow('view=deferred&q=type%3Agreylist', '/permit')(page, url);
  },
  block: async (page, url) => {
    await firstRow(REFUSED, '/block')(page, url);
  },
  bulk: at('/messages/bulk?act=permit&all=1&view=rejected&from=now-7d&q=type%3Areputation%20OR%20type%3Ablocked'),
  senders: at('/senders'),
  'auto-allow': at('/senders/auto'),
  'sender-new': at('/senders/new'),
  'senders-import': at('/senders/import'),
  expecting: at('/expecting?recipient=ann%40corp.example'),
  groups: at('/groups'),
  group: at('/groups/Permitted%20Senders'),
  policies: at('/policies'),
  'policy-new': at('/policies/new/greylisting'),
  definitions: at('/definitions'),
  definition: async (page, url) => {
    await at('/definitions')(page, url);
    // Journeys make definitions and remove them; the demo's own stay.
    await page.locator('main tbody').getByRole('link', { name: 'Block Lists', exact: true }).click();
    await page.waitForLoadState('load');
  },
  'definition-kinds': at('/definitions/new'),
  'definition-new': at('/definitions/new?kind=dns_authentication'),
  'definition-reputation': at('/definitions/Block%20Lists'),
  'definition-places': async (page, url) => {
    await at('/definitions/new?kind=geographical_restriction')(page, url);
    await page.getByLabel('Add a country: its name or its code').fill('gs, vc, Germany, CH, XF');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.waitForLoadState('load');
  },
  'definition-text': at('/definitions/Block%20Lists?as=text'),
  'definition-mistakes': async (page, url) => {
    await at('/definitions/new?kind=reputation')(page, url);
    await page.getByLabel('Name', { exact: true }).fill('Lists');
    await page.getByLabel('Refuse from this sum of weights on').fill('a lot');
    await page.getByLabel(/^Name of list/).last().fill('not a name');
    await page.getByLabel(/^Weight of list/).last().fill('heavy');
    await page.getByLabel(/^Answers of list/).last().fill('192.0.2.1');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.waitForLoadState('load');
  },
  versions: at('/policies/versions'),
  rollback: at('/policies/rollback/0'),
  precision: at('/reports/precision'),
  reputation: at('/reports/reputation'),
  delays: at('/reports/delays'),
  recipients: at('/reports/recipients'),
  simulator: at('/policies/simulator?to=ann%40corp.example&from=somebody%40outside.example&ip=192.0.2.1'),
  downloads: at('/reports/downloads'),
  'export-new': at('/reports/downloads/new?view=rejected&from=now-7d'),
  views: at('/views'),
  alert: async (page, url) => {
    await at('/messages?view=rejected')(page, url);
    await page.locator('summary').filter({ hasText: 'Save' }).click();
    await page.getByLabel('Name of the view').fill('All that is refused');
    await page.getByRole('button', { name: 'Save and set an alert' }).click();
    await page.waitForLoadState('load');
  },
  audit: at('/system/audit'),
  'audit-of-tokens': at('/system/audit?action=token'),
  'audit-entry': async (page, url) => {
    await at('/system/audit?action=sign_in')(page, url);
    await page.locator('main tbody a').first().click();
    await page.waitForLoadState('load');
  },
  accounts: at('/system/access'),
  account: at('/system/access/demo'),
  submitters: at('/system/submitters'),
  submitter: async (page, url) => {
    // Tests run beside each other, and a name is given once.
    const name = fresh('printer');
    await at('/system/submitters')(page, url);
    await page.getByLabel('Name', { exact: true }).fill(name);
    await page.getByLabel('Note').fill('Second floor');
    await page.getByLabel('May send as').fill('printer@corp.example');
    await page.getByRole('button', { name: 'Add the submitter' }).click();
    await page.waitForLoadState('load');
    await page.getByRole('link', { name, exact: true }).click();
    await page.waitForLoadState('load');
  },
  roles: at('/system/roles'),
  role: at('/system/roles/viewer'),
  me: at('/me'),
  api: at('/api/docs'),
  'no-such-page': at('/no-such-page'),
  'public-page': async (page, url) => {
    await ofWeek(REFUSED)(page, url);
    await at(`/r/${await page.locator('tbody tr[data-ref]').first().getAttribute('data-ref')}`)(page, url);
  },
  'public-page-unknown': at('/r/AAAAAAAAAAAA'),
  // The last ones: nobody is signed in after them.
  'sign-in': async (page, url) => {
    await page.context().clearCookies();
    await at('/sign-in')(page, url);
  },
  'sign-in-by-service': byService(),
  'sign-in-by-service-refused': byService('', 'p-eve'),
  'sign-in-by-service-too-late': byService('/sign-in/provider/back?code=x&state=y'),
  'me-by-service': byService('/me', 'p-olga'),
  'account-by-service': byService('/system/access/olga', 'p-olga'),
  'directories-on-servers': byService('/reports/recipients', 'p-olga'),
  'signed-out-of-service': async (page, url) => {
    await byService('/me', 'p-olga')(page, url);
    await page.locator('details', { has: page.locator('form[action="/sign-out"]') }).locator('summary').first().click();
    await page.locator('form[action="/sign-out"] button').click();
    await page.waitForURL(/\/signed-out$/);
  },
};
