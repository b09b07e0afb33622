// Pictures of every screen, to be looked at: node shots.js FOLDER [NAME...]. Light and dark, 1600 and 320 pixels wide.
// SHOTS_URL is the entrance of a running gateway; without it, one is started.
import { chromium } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startGateway } from './gateway.js';
import { enter, leaveRequests, permitPutOff } from './entrance.js';
import { people, screens } from './screens.js';
import { startService } from './service.js';

const [folder = 'target/browser/shots', ...names] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const running = process.env.SHOTS_URL;
const gateway = running ? { entrance: running, url: new URL(running).origin, stop: async () => {} } : await startGateway({});
const service = await startService(people);
process.env.SERVICE_URL = service.server.url;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage'],
});
const broken = [];
try {
  // The address that lets somebody in works once.
  const first = await browser.newContext();
  const entered = await first.newPage();
  await enter(entered, gateway);
  // A gateway that runs already keeps what it has.
  if (!running) {
    await leaveRequests(entered, gateway);
    await permitPutOff(entered, gateway);
    process.env.GATEWAY_SMTP = `${gateway.smtp}`;
    process.env.WEEK_END = gateway.began;
  }
  const storageState = await first.storageState();
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1600, 320]) {
      const context = await browser.newContext({ colorScheme, storageState, viewport: { width, height: width === 320 ? 720 : 1000 } });
      const page = await context.newPage();
      page.on('console', (message) => message.type() === 'error' && broken.push(`${page.url()}: ${message.text()}`));
      page.on('pageerror', (error) => broken.push(`${page.url()}: ${error}`));
      for (const [name, open] of Object.entries(screens)) {
        if (names.length && !names.includes(name)) continue;
        try {
          await open(page, gateway.url);
          await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${width}.png`), fullPage: false });
        } catch (error) {
          broken.push(`${name} ${colorScheme} ${width}: ${error.message.split('\n')[0]}`);
        }
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
  await gateway.stop();
  await service.stop();
}
for (const line of new Set(broken)) console.error(line);
