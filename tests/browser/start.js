// Before the first journey: one gateway with the demo's week and traffic, a signed-in browser, and a server with a sign-in
// service. Ended by what is returned.
import { chromium } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGateway } from './gateway.js';
import { enter, leaveRequests, permitPutOff } from './entrance.js';
import { people } from './screens.js';
import { startService } from './service.js';

const here = dirname(fileURLToPath(import.meta.url));

export default async function start(config) {
  const [gateway, service] = await Promise.all([startGateway(), startService(people)]);
  const stop = () => Promise.all([gateway.stop(), service.stop()]);
  process.env.CONSOLE_URL = gateway.url;
  process.env.SERVICE_URL = service.server.url;
  process.env.GATEWAY_SMTP = `${gateway.smtp}`;
  process.env.WEEK_END = gateway.began;
  process.env.GATEWAY_FOLDER = gateway.folder;
  const folder = join(here, '../../target/browser');
  mkdirSync(folder, { recursive: true });
  const browser = await chromium.launch(config.projects[0].use.launchOptions);
  try {
    const context = await browser.newContext();
    const page = await context.newPage();
    await enter(page, gateway);
    await leaveRequests(page, gateway);
    await permitPutOff(page, gateway);
    await context.storageState({ path: join(folder, 'signed-in.json') });
  } catch (error) {
    await stop();
    throw error;
  } finally {
    await browser.close();
  }
  return stop;
}
