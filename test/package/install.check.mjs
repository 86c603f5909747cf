import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { toolFile } from '../../scripts/run.mjs'
import { app, installed, repository, withPage } from './installed.mjs'

const everywhere = ['pulsing', 'pulsing/webrtc', 'pulsing/patterns', 'pulsing/testkit']
const inNode = [...everywhere, 'pulsing/node']

test('every entry is imported in Node.js, and importing does nothing', () => {
  const program = `
    const before = Object.getOwnPropertyNames(globalThis).length
    for (const name of ${JSON.stringify(inNode)}) {
      const found = Object.keys(await import(name))
      if (found.length === 0) throw new Error(name + ' exports nothing')
      console.log(name, found.length)
    }
    if (Object.getOwnPropertyNames(globalThis).length !== before) throw new Error('importing adds globals')
    await new Promise((resolve) => setImmediate(resolve))
    const handles = process.getActiveResourcesInfo().filter((kind) => !/^(PipeWrap|TTYWrap|CloseReq|FSReq|Immediate)/.test(kind))
    if (handles.length > 0) throw new Error('importing leaves open: ' + handles)`
  const output = node(program)
  assert.equal(output.trim().split('\n').length, inNode.length, output)
})

test('entries share their classes', () => {
  node(`
    const all = await Promise.all(${JSON.stringify(inNode)}.map((name) => import(name)))
    for (const a of all) for (const b of all) for (const key of Object.keys(a)) {
      if (key in b && key !== 'default' && a[key] !== b[key]) throw new Error(key + ' exists twice')
    }`)
})

test('require() is refused or answers with the same module', () => {
  const { status, stderr } = spawnSync(process.execPath, ['-e', "require('pulsing')"], { cwd: app, encoding: 'utf8' })
  assert.ok(status === 0 || /ERR_REQUIRE_ESM|ERR_PACKAGE_PATH_NOT_EXPORTED/.test(stderr), stderr)
})

test('the command runs', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(installed, 'dist/node/cli.js'), '--help'], {
    cwd: app,
    encoding: 'utf8',
    timeout: 30_000,
  })
  assert.equal(status, 0, stderr)
  assert.match(stdout, /pulsing/)
})

test('a page under a strict policy loads the browser build without a bundler, and finds the names Node.js finds', async () => {
  const urls = everywhere.map(
    (name) => `/node_modules/pulsing/dist/browser/${name === 'pulsing' ? 'index' : name.slice('pulsing/'.length)}.js`,
  )
  const folder = join(app, 'import-only')
  mkdirSync(folder)
  writeFileSync(
    join(folder, 'index.html'),
    '<!doctype html><title>import</title><script type="module" src="main.js"></script>',
  )
  writeFileSync(
    join(folder, 'main.js'),
    `const all = []
for (const url of ${JSON.stringify(urls)}) all.push(Object.keys(await import(url)).sort())
globalThis.found = all`,
  )
  const inPage = await withPage(app, 'import-only/index.html', async (page) => {
    await page.waitForFunction(() => globalThis.found !== undefined, undefined, { timeout: 15_000 })
    return page.evaluate(() => globalThis.found)
  })
  const here = JSON.parse(
    node(`
    const all = []
    for (const name of ${JSON.stringify(everywhere)}) all.push(Object.keys(await import(name)).sort())
    console.log(JSON.stringify(all))`),
  )
  assert.deepEqual(inPage, here)
})

const programs = [
  {
    title: 'in Node.js',
    entries: inNode,
    options: {
      module: 'nodenext',
      moduleResolution: 'nodenext',
      lib: ['ES2022', 'ESNext.Disposable'],
      types: ['node'],
      typeRoots: [join(repository, 'node_modules/@types')],
    },
  },
  {
    title: 'in a page',
    entries: everywhere,
    options: {
      module: 'esnext',
      moduleResolution: 'bundler',
      lib: ['ES2022', 'ESNext.Disposable', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'],
      types: [],
    },
  },
]
for (const { title, entries, options } of programs) {
  for (const compiler of ['typescript', 'typescript-7']) {
    test(`the types are understood ${title} by ${compiler}, without skipLibCheck`, () => {
      const folder = join(app, `types-${options.module}-${compiler}`)
      mkdirSync(folder)
      const lines = entries.map(
        (name, index) =>
          `import * as entry${index} from '${name}'\nexport const names${index}: readonly string[] = Object.keys(entry${index})\n`,
      )
      writeFileSync(join(folder, 'main.ts'), lines.join(''))
      const compilerOptions = { target: 'es2022', strict: true, noEmit: true, skipLibCheck: false, ...options }
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }))
      const { status, stdout } = spawnSync(process.execPath, [toolFile(compiler, 'tsc'), '-p', folder], {
        encoding: 'utf8',
      })
      assert.equal(status, 0, stdout)
    })
  }
}

function node(program) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: app,
    encoding: 'utf8',
    timeout: 30_000,
  })
  assert.equal(status, 0, stderr)
  return stdout
}
