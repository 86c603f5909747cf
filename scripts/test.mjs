// `npm test`: everything, in order, on a fresh clone too. A failed step does not stop the later ones; it fails the whole.
// The last line is the sum: `N passed, N failed`. Names of steps as arguments run only these.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, toolFile } from './run.mjs'
import { setup } from './setup.mjs'

const scratch = mkdtempSync(join(tmpdir(), 'pulsing-test-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))

/** Each answers with its counts, or throws, which counts as one failed. A step that counts nothing itself is one test. */
const steps = {
  lint: async () => (await import('./lint.mjs')).checkStyle(),
  types: async () => (await import('./check.mjs')).checkTypes(),
  layers: async () => (await import('./layers.mjs')).checkLayers(),
  build: async () => {
    await (await import('./build.mjs')).buildIfStale()
    return { passed: 1, failed: 0 }
  },
  unit: async () => vitest(['node', 'alone'], await inOwnNetwork()),
  browser: async () => vitest(['browser'], await inBrowserNetwork()),
  package: packageChecks,
  interop: interopChecks,
  e2e: endToEnd,
  soak: async () => vitest(['soak'], await inOwnNetwork()),
}
const usual = ['lint', 'types', 'layers', 'build', 'unit', 'browser', 'package', 'interop', 'e2e']

/** Runs Node.js where WebRTC finds a host candidate and nothing is reached by mistake. */
async function inOwnNetwork() {
  const { runIsolated } = await import('./netns.mjs')
  return (file, args, options) => runIsolated(process.execPath, [file, ...args], options)
}

/** The same, with a browser at hand. */
async function inBrowserNetwork() {
  const { ensureChromium } = await import('./chromium.mjs')
  console.log(`browser: ${await ensureChromium()}`)
  return inOwnNetwork()
}

async function vitest(projects, start) {
  const report = join(scratch, `${projects.join('-')}.json`)
  const args = [
    'run',
    ...projects.flatMap((project) => ['--project', project]),
    '--allowOnly=false',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]
  const code = await start(toolFile('vitest'), args)
  const { numPassedTests, numFailedTests } = readReport(report, { numPassedTests: 0, numFailedTests: 0 })
  return counted(code, numPassedTests, numFailedTests)
}

async function packageChecks() {
  const start = await inBrowserNetwork()
  const { preparePackage } = await import('./pack.mjs')
  return checks('package', start, await preparePackage(scratch))
}

/** Counts nothing where there is no Python for the independent client. */
async function interopChecks() {
  const python = await (await import('./python.mjs')).ensurePython()
  if (python === undefined) {
    console.log(
      'interop: not run, there is no Python with the packages websockets and cbor2 (PULSING_PYTHON names one)',
    )
    return { passed: 0, failed: 0 }
  }
  await (await import('./build.mjs')).buildIfStale()
  return checks('interop', await inOwnNetwork(), { PULSING_PYTHON: python })
}

/** The `*.check.mjs` of a folder of test/, under the test runner of Node.js. */
async function checks(name, start, env) {
  const folder = join(root, 'test', name)
  const files = readdirSync(folder).filter((file) => file.endsWith('.check.mjs'))
  const report = join(scratch, `${name}.tap`)
  const [first, ...rest] = [
    '--test',
    '--test-concurrency=1',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=tap',
    `--test-reporter-destination=${report}`,
    ...files.map((file) => join(folder, file)),
  ]
  const code = await start(first, rest, { env })
  const text = readFileSync(report, 'utf8')
  const number = (word) => Number(text.match(new RegExp(`^# ${word} (\\d+)$`, 'm'))?.[1] ?? 0)
  return counted(code, number('pass'), number('fail') + number('cancelled'))
}

async function endToEnd() {
  const start = await inBrowserNetwork()
  const report = join(scratch, 'e2e.json')
  const args = ['test', '-c', 'e2e/playwright.config.ts']
  const code = await start(toolFile('playwright'), args, { env: { PLAYWRIGHT_JSON_OUTPUT_FILE: report } })
  const { stats, errors } = readReport(report, { stats: { expected: 0, unexpected: 0, flaky: 0 }, errors: [] })
  return counted(code, stats.expected, stats.unexpected + stats.flaky + errors.length)
}

/** A runner that fails without a failed test, or that ran none, has failed once. */
function counted(code, passed, failed) {
  const silent = failed === 0 && (code !== 0 || passed === 0)
  return { passed, failed: silent ? 1 : failed }
}

function readReport(file, otherwise) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    console.error(`no report of the runner: ${error.message}`)
    return otherwise
  }
}

await setup()
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in steps))
if (unknown.length > 0) {
  console.error(`no such step: ${unknown.join(', ')}; there are: ${Object.keys(steps).join(', ')}`)
  process.exit(2)
}

const total = { passed: 0, failed: 0 }
const summary = []
for (const name of wanted.length > 0 ? wanted : usual) {
  console.log(`\n=== ${name} ===`)
  const begin = performance.now()
  const result = await (async () => steps[name]())().catch((error) => {
    console.error(error instanceof Error ? error.message : error)
    return { passed: 0, failed: 1 }
  })
  const seconds = ((performance.now() - begin) / 1000).toFixed(1)
  summary.push(`${name.padEnd(8)} ${result.passed} passed, ${result.failed} failed in ${seconds} s`)
  console.log(`=== ${summary.at(-1)}`)
  total.passed += result.passed
  total.failed += result.failed
}
console.log(`\n${summary.map((line) => `  ${line}`).join('\n')}\n`)
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1
