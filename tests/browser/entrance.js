import { request as post } from 'node:http';

/** Goes in as the demo's printed address lets everybody in who can read the terminal. */
export async function enter(page, gateway) {
  await page.goto(gateway.entrance);
  await page.waitForLoadState('load');
}

/** Writes what refused senders write on the public page, from an address of its own, so that its limit meets no journey. */
export async function leaveRequests(page, gateway) {
  const asked = await page.request.get(`${gateway.url}/api/v1/attempts?view=rejected&from=now-7d&limit=40`);
  const { rows } = await asked.json();
  const known = rows.findLast(({ from, to }) => from && to) ?? rows.at(-1);
  const requests = [
    [known?.ref ?? 'AAAAAAAAAAAB', 'We have been a supplier of yours for nine years, and since Monday every order confirmation comes back.\nPlease let orders@ through again.', 'it@supplier.example, +49 30 1234567'],
    ['AAAAAAAAAAAA', 'Your server says my mail is refused. I typed the reference from the report of our server.', ''],
  ];
  for (const [reference, text, contact] of requests) await handIn(gateway, reference, { text, contact });
}

function handIn(gateway, reference, form) {
  const body = `${new URLSearchParams(form)}`;
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body), 'sec-fetch-site': 'same-origin' };
  return new Promise((done, failed) => {
    const sent = post(`${gateway.url}/r/${reference}`, { method: 'POST', localAddress: '127.0.0.10', headers }, (answer) => {
      answer.resume();
      if (answer.statusCode === 303) done();
      else failed(new Error(`a request was answered with ${answer.statusCode}`));
    });
    sent.on('error', failed);
    sent.end(body);
  });
}

/** Mail that nothing holds up, for a mailbox whose mail the next hop puts off every second time. */
export const PUT_OFF = { from: 'planning@branch-builders.example', to: 'support@corp.example' };

/** Permits its sender, so that a screen can have something in the queue whenever it wants. */
export async function permitPutOff(page, gateway) {
  await page.goto(gateway.url);
  const csrf = await page.locator('input[name=csrf]').first().getAttribute('value');
  const sender = { sender: PUT_OFF.from, recipient: PUT_OFF.to, action: 'permit' };
  const answer = await page.request.post(`${gateway.url}/api/v1/senders`, { headers: { 'x-csrf-token': csrf }, data: { sender } });
  if (!answer.ok()) throw new Error(`${PUT_OFF.from} could not be permitted: ${await answer.text()}`);
}
