/** Every screen by name: how to open it in a page that is signed in. Pictures and accessibility checks share it. */
const at = (path) => async (page, url) => {
  await page.goto(url + path);
  await page.waitForLoadState('load');
};

/** The first row of a list, on one of the four sides of a message. */
const firstRow = (path, side = '') => async (page, url) => {
  await at(path)(page, url);
  const href = new URL(await page.locator('tbody a.open').first().getAttribute('href'), url);
  href.pathname += side;
  await at(href.pathname + href.search)(page, url);
};

/** The story of a message that was greylisted, came back too early, and was delivered. */
const GREYLISTED = '/messages?view=delivered&from=now-7d&q=from%3Aimpatient.example';
const REFUSED = '/messages?view=rejected&from=now-7d&q=type%3Ablocked';

export const screens = {
  overview: at('/'),
  'overview-7-days': at('/?days=7'),
  rejected: at('/messages?view=rejected&from=now-7d'),
  deferred: at('/messages?view=deferred&from=now-7d'),
  everything: at('/messages?view=all&from=now-7d&facets=1'),
  'query-with-chips': at('/messages?view=all&from=now-7d&q=is%3Arejected%20-type%3Arecipient.unknown'),
  'query-mistake': at('/messages?view=rejected&q=sujbect%3Ainvoice'),
  'nothing-found': at('/messages?view=rejected&q=nobody-ever-wrote-this'),
  'side-panel': async (page, url) => {
    await at(REFUSED)(page, url);
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
  live: at('/messages/live'),
  downloads: at('/reports/downloads'),
  views: at('/views'),
  me: at('/me'),
  api: at('/api/docs'),
  'no-such-page': at('/no-such-page'),
  'public-page-unknown': at('/r/AAAAAAAAAAAA'),
};
