import { defineConfig } from 'playwright/test'
import { chromiumArgs, findChromium } from '../scripts/chromium.mjs'

// Real browsers, one at a time. A test starts the relay it needs, on a free port; pages come from dist/e2e and dist/demo.

const executablePath = findChromium()

export default defineConfig({
  testDir: '.',
  // Without `paths`: here `pulsing/node` is the built package, as for everybody else.
  tsconfig: '../.config/tsconfig.e2e.json',
  outputDir: '../test-results',
  workers: 1,
  retries: 0,
  forbidOnly: true,
  timeout: 60_000,
  reporter: process.env['PLAYWRIGHT_JSON_OUTPUT_FILE'] ? [['list'], ['json']] : [['list']],
  use: {
    headless: true,
    launchOptions: { ...(executablePath === undefined ? {} : { executablePath }), args: [...chromiumArgs] },
  },
})
