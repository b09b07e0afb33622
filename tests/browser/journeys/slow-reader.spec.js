// A reader of the stream who is slower than the mail is cut off, is told so, and misses nothing when it comes back.
import { request as ask } from 'node:http';
import { expect, test } from '@playwright/test';
import { enter } from '../entrance.js';
import { startGateway } from '../gateway.js';

const WEEK_MS = 8 * 86_400_000;

/** Opens the stream behind an event. Reads nothing for a while, then all there is, until it ends or `enough` says so. */
function follow(gateway, cookie, last, { waitMs = 0, enough = () => false } = {}) {
  return new Promise((done, failed) => {
    const headers = { cookie, 'last-event-id': last };
    const asked = ask(`${gateway.url}/api/v1/attempts/stream?view=all`, { headers }, (answer) => {
      answer.pause();
      const events = [];
      let rest = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece) => {
        const parts = (rest + piece).split('\n\n');
        rest = parts.pop();
        for (const part of parts) events.push(Object.fromEntries(part.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])));
        if (enough(events)) answer.destroy();
      });
      answer.on('close', () => done(events));
      setTimeout(() => answer.resume(), waitMs);
    });
    asked.on('error', failed);
    asked.end();
  });
}

test('it is cut off, says so, and goes on without a loss', async ({ browser }) => {
  test.setTimeout(300_000);
  const gateway = await startGateway({ history: 12_000, weeks: 1, rate: 0 });
  try {
    const context = await browser.newContext({ storageState: { cookies: [], origins: [] } });
    const page = await context.newPage();
    await enter(page, gateway);
    const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    const all = [];
    for (let cursor = ''; cursor !== null;) {
      const asked = await page.request.get(`${gateway.url}/api/v1/attempts?${new URLSearchParams({ view: 'all', from: 'now-8d', limit: 200, cursor })}`);
      const { rows, next } = await asked.json();
      all.push(...rows.map(({ id }) => id));
      cursor = next;
    }
    const attempts = (events) => events.filter(({ event }) => event === 'attempt');
    // 20 seconds may a stream stay full; how long it takes to fill it, the machine says.
    let first;
    for (const waitMs of [30_000, 60_000, 90_000]) {
      first = await follow(gateway, cookie, `${Date.now() - WEEK_MS}_t`, { waitMs, enough: (events) => attempts(events).length >= all.length });
      if (first.at(-1).event === 'cut') break;
    }
    expect(first.at(-1).event).toBe('cut');
    expect(first.at(-1).data).toContain('too slowly');
    const seen = attempts(first).map(({ data }) => JSON.parse(data).id);
    expect(seen.length).toBeLessThan(all.length);
    const last = attempts(first).at(-1).id;
    const rest = await follow(gateway, cookie, last, { enough: (events) => attempts(events).length >= all.length - seen.length });
    const ids = [...seen, ...attempts(rest).map(({ data }) => JSON.parse(data).id)];
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(ids)).toEqual(new Set(all));
  } finally {
    await gateway.stop();
  }
});
