// What the demo's week holds, asked over the API with the browser's own session, so that a journey knows whom to look for.

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
