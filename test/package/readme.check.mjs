import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { transform } from 'esbuild'
import { app, repository, withPage } from './installed.mjs'
import { findExamples } from './readme-examples.mjs'

const timeoutMs = 30_000
const file = join(repository, 'README.md')
const examples = existsSync(file) ? findExamples(readFileSync(file, 'utf8')) : []

test('README.md has examples for Node.js and for the browser', () => {
  const kinds = examples.map(({ kind }) => kind)
  assert.ok(kinds.includes('node'), 'there is no fenced block `js example=node` in README.md')
  assert.ok(kinds.includes('browser'), 'there is no fenced block `html example=browser` in README.md')
})

for (const example of examples.filter(({ kind }) => kind !== 'server')) {
  test(`README.md, line ${example.line}: the ${example.kind} example runs`, async () => {
    const server = example.with === undefined ? undefined : await startServer(example.with)
    try {
      const output = example.kind === 'node' ? await runToEnd(example) : await runPage(example)
      if (example.output !== undefined) assert.equal(output.trim(), example.output)
    } finally {
      server?.kill('SIGKILL')
    }
  })
}

/** In the folder of the application, so that `pulsing` is the installed package. */
async function asFile(example) {
  const path = join(app, `readme-line-${example.line}.mjs`)
  const code =
    example.language === 'ts' ? (await transform(example.code, { loader: 'ts', target: 'es2022' })).code : example.code
  writeFileSync(path, code)
  return path
}

async function runToEnd(example) {
  const child = spawn(process.execPath, [await asFile(example)], { cwd: app, stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  const [output, errors] = [collect(child.stdout), collect(child.stderr)]
  const code = await new Promise((resolve) => child.once('close', (exitCode, signal) => resolve(exitCode ?? signal)))
  clearTimeout(timer)
  assert.equal(code, 0, `it ended with ${code} (SIGKILL: not within ${timeoutMs} ms)\n${output.text}${errors.text}`)
  return output.text
}

/** A server runs beside the example that names it. It is ready when it has printed something. */
async function startServer(name) {
  const example = examples.find((candidate) => candidate.kind === 'server' && candidate.name === name)
  assert.ok(example, `there is no block \`js example=server name=${name}\``)
  const child = spawn(process.execPath, [await asFile(example)], { cwd: app, stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, errors] = [collect(child.stdout), collect(child.stderr)]
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  await Promise.race([
    new Promise((resolve) => child.stdout.once('data', resolve)),
    new Promise((_, reject) =>
      child.once('close', (code) => reject(new Error(`the server ended with ${code}\n${output.text}${errors.text}`))),
    ),
  ])
  clearTimeout(timer)
  return child
}

/** Inline modules become files, as the policy wants, and `pulsing` the address a bundler would put there. The output is the text of the page. */
async function runPage(example) {
  const folder = `readme-line-${example.line}`
  mkdirSync(join(app, folder))
  let modules = 0
  const html = example.code.replace(/<script type="module">([\s\S]*?)<\/script>/g, (_, code) => {
    const name = `module-${++modules}.js`
    const linked = code.replace(
      /(from\s*|import\s*|import\(\s*)(['"])pulsing(?:\/(webrtc|testkit))?\2/g,
      (_, word, quote, entry = 'index') => `${word}${quote}/node_modules/pulsing/dist/browser/${entry}.js${quote}`,
    )
    writeFileSync(join(app, folder, name), linked)
    return `<script type="module" src="${name}"></script>`
  })
  writeFileSync(join(app, folder, 'index.html'), html.startsWith('<!doctype') ? html : `<!doctype html>\n${html}`)
  return withPage(app, `${folder}/index.html`, async (page) => {
    const wanted = example.output
    if (wanted === undefined) {
      await page.waitForLoadState('networkidle')
      return ''
    }
    const text = () => page.evaluate(() => document.body.innerText)
    await page
      .waitForFunction((expected) => document.body.innerText.trim() === expected, wanted, { timeout: timeoutMs })
      .catch(async () => {
        assert.equal((await text()).trim(), wanted)
      })
    return text()
  })
}

function collect(stream) {
  const collected = { text: '' }
  stream.setEncoding('utf8').on('data', (chunk) => {
    collected.text += chunk
  })
  return collected
}
