// Before the first journey: one gateway with the demo's week and traffic, and a signed-in browser. Ended by what is returned.
import { chromium } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGateway } from './gateway.js';
import { enter, leaveRequests } from './entrance.js';

const here = dirname(fileURLToPath(import.meta.url));

export default async function start(config) {
  const gateway = await startGateway();
  process.env.CONSOLE_URL = gateway.url;
  process.env.GATEWAY_SMTP = `${gateway.smtp}`;
  process.env.GATEWAY_FOLDER = gateway.folder;
  const folder = join(here, '../../target/browser');
  mkdirSync(folder, { recursive: true });
  const browser = await chromium.launch(config.projects[0].use.launchOptions);
  try {
    const context = await browser.newContext();
    const page = await context.newPage();
    await enter(page, gateway);
    await leaveRequests(page, gateway);
    await context.storageState({ path: join(folder, 'signed-in.json') });
  } catch (error) {
    await gateway.stop();
    throw error;
  } finally {
    await browser.close();
  }
  return () => gateway.stop();
}
