import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'journeys',
  // One gateway is shared by all; two cores are.
  workers: 2,
  fullyParallel: true,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  // On a machine that is short of processor time a journey can outlast its limits. It is tried once more, and the end of the
  // run names it: what fails by chance often enough to be read there is to be mended.
  retries: 1,
  forbidOnly: true,
  globalSetup: './start.js',
  outputDir: '../../target/browser/results',
  reporter: [['list'], ['json', { outputFile: '../../target/browser/results.json' }]],
  use: {
    baseURL: process.env.CONSOLE_URL,
    viewport: { width: 1600, height: 1000 },
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    storageState: '../../target/browser/signed-in.json',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    },
  },
});
