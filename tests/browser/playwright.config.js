import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'journeys',
  // One gateway is shared by all; two cores are.
  workers: 2,
  fullyParallel: true,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  retries: 0,
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
