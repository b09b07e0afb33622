// What the demo's week holds, asked over the API with the browser's own session, so that a journey knows whom to look for.

import { expect } from '@playwright/test';
import { fresh } from './fresh.js';
import { send } from './smtp.js';

/** The rows of a search over the last seven days, the newest first: mail comes while the tests run, so they are others each time. */
export async function attempts(request, q, { view = 'all', limit = 100, to = '' } = {}) {
  const answer = await request.get(`/api/v1/attempts?${new URLSearchParams({ q, view, limit, from: 'now-7d', ...(to && { to }) })}`);
  if (!answer.ok()) throw new Error(`${q}: ${answer.status()} ${await answer.text()}`);
  return (await answer.json()).rows;
}

/** The rows of a search over what the demo's weeks hold: the same each time, and in the same order as on a page of `week()`. */
export const ofTheWeek = (request, q, options) => attempts(request, q, { ...options, to: process.env.WEEK_END });

/** The row of an attempt by its reference. */
export async function rowOf(request, ref) {
  const [row] = await attempts(request, `ref:${ref}`);
  if (!row) throw new Error(`there is no attempt ${ref}`);
  return row;
}

/** The row of a mail that is sent now and refused, because its sender stands in the demo's group of blocked ones. */
export async function blockedMail(request, to = 'ann@corp.example') {
  const refused = await send({ from: `${fresh('offer')}@cheap-pills.test`, to, ip: '127.8.77.21' });
  expect(refused.code, refused.text).toBe(550);
  return rowOf(request, refused.ref);
}

/** The row of a first contact that is made now, and asked to come back. */
export async function greylistedMail(request) {
  const deferred = await send({ from: `sue@${fresh('newcomer')}.example`, to: 'ann@corp.example', ip: '127.8.76.1' });
  expect(deferred.code, deferred.text).toBe(451);
  return rowOf(request, deferred.ref);
}

/** Whose mail the demo's policies hold, for what reason, and from where they write. */
const HELD = {
  'hold.authentication': { domain: 'contractor.example', ip: '127.8.32.77' },
  'hold.geo': { domain: 'overseas.example', ip: '127.8.50.77' },
};

/**
 * The reply to a mail whose first contact is let in, so that it does not have to wait and meets what comes after greylisting.
 * One of a server that came back often enough does not have to wait at all.
 */
export async function sendPastGreylisting(page, mail) {
  const first = await send(mail);
  if (first.code !== 451) return first;
  await page.goto(`/messages/${first.ref}`);
  await page.getByRole('button', { name: 'Let this one in' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Let in');
  return send(mail);
}

/** The row of a mail that is held now for this reason, for a mailbox that takes what is released. `page` lets its sender in first. */
export async function heldMail(page, request, reason) {
  const { domain, ip } = HELD[reason];
  const accepted = await sendPastGreylisting(page, { from: `${fresh('wanted')}@${domain}`, to: 'ann@corp.example', ip });
  expect(accepted.code, accepted.text).toBe(250);
  const held = await attempts(request, `ref:${accepted.ref} type:${reason}`, { view: 'held' });
  expect(held.length, accepted.text).toBe(1);
  return held[0];
}

/** A life-line whose steps have titles that begin so, with the accepted attempt's row. */
export async function story(request, q, titles) {
  for (const row of await ofTheWeek(request, q)) {
    const life = await (await request.get(`/api/v1/lifelines/${row.life}`)).json();
    if (life.steps.length === titles.length && life.steps.every((step, place) => step.title.startsWith(titles[place]))) {
      const accepted = (await attempts(request, `life:${row.life} is:accepted`)).find((one) => one.subject);
      if (accepted && wordOf(accepted.subject)) return { life, accepted };
    }
  }
  throw new Error(`the demo's week has no story of ${titles}`);
}

/** A word that is typed as it stands: letters only, long enough to be rare. */
export const wordOf = (subject) => subject.match(/[A-Za-z]{4,}/g)?.at(-1);

/**
 * The row of a mail that its next hop put off: the mailbox `support` is too busy for every second one. `page` permits the
 * sender first, so that nothing is greylisted.
 */
export async function deferredMail(page, request) {
  const from = `${fresh('patient')}@waits.example`;
  const to = 'support@corp.example';
  const refused = await send({ from, to });
  await page.goto(`/messages/${refused.ref}/permit`);
  await page.getByRole('button', { name: 'Permit', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Saved');
  let row;
  await expect(async () => {
    expect((await send({ from, to })).code).toBe(250);
    row = (await attempts(request, `from:${from}`, { view: 'queue' })).find(({ queue }) => queue?.standing === 'deferred');
    expect(row).toBeTruthy();
  }).toPass({ intervals: [1000], timeout: 30_000 });
  return row;
}
