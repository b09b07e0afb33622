// What the demo's week holds, asked over the API with the browser's own session, so that a journey knows whom to look for.

import { expect } from '@playwright/test';
import { send } from './smtp.js';

/** The rows of a search over the whole week. */
export async function attempts(request, q, { view = 'all', limit = 100 } = {}) {
  const answer = await request.get(`/api/v1/attempts?${new URLSearchParams({ q, view, limit, from: 'now-7d' })}`);
  if (!answer.ok()) throw new Error(`${q}: ${answer.status()} ${await answer.text()}`);
  return (await answer.json()).rows;
}

/** A life-line whose steps have titles that begin so, with the accepted attempt's row. */
export async function story(request, q, titles) {
  for (const row of await attempts(request, q)) {
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
  const from = `patient-${Math.random().toString(36).slice(2, 8)}@waits.example`;
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
