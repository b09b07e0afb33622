/** Every screen by name: how to open it in a page that is signed in. */
const at = (path) => async (page, url) => {
  await page.goto(url + path);
  await page.waitForLoadState('load');
};

/** Opens the first row of a list. */
const firstRow = (path, tab) => async (page, url) => {
  await at(path)(page, url);
  const href = await page.locator('a[href*="/messages/"]:not([href*="live"])').first().getAttribute('href');
  await at(tab ? `${href}${href.includes('?') ? '&' : '?'}tab=${tab}` : href)(page, url);
};

export const screens = {
  overview: at('/'),
  rejected: at('/messages?view=rejected'),
  deferred: at('/messages?view=deferred'),
  everything: at('/messages?view=all'),
  message: firstRow('/messages?view=rejected'),
};
