// dist/: the two builds of the library, their declarations, and the pages of the demo and of the end-to-end tests.
// `npm run build` always builds; start, bench and the tests build only what changed sources made stale.

import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, runNode, toolFile } from './run.mjs'
import { setup } from './setup.mjs'

const stampFile = join(root, 'dist/.sources')
const inputs = [
  'src',
  'demo',
  'e2e/pages',
  'vite.config.ts',
  'tsconfig.json',
  '.config',
  'package.json',
  'package-lock.json',
  'scripts/build.mjs',
]

/** Builds unless dist/ is of these very sources. Throws when a part fails. */
export async function buildIfStale() {
  const now = hashOfSources()
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === now) console.log('build: dist/ is up to date')
  else await build()
}

export async function build() {
  const before = hashOfSources()
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  for (const mode of ['node', 'browser']) await vite(mode)
  chmodSync(join(root, 'dist/node/cli.js'), 0o755)
  await declarations()
  for (const [mode, folder] of [
    ['demo', 'demo'],
    ['e2e', 'e2e/pages'],
  ]) {
    if (!hasPages(folder)) console.log(`build: no pages in ${folder}`)
    else {
      await vite(mode)
      refuseInlineScripts(join(root, 'dist', mode))
    }
  }
  writeFileSync(stampFile, before)
}

async function vite(mode) {
  const code = await runNode(toolFile('vite'), [
    'build',
    '--mode',
    mode,
    '--logLevel',
    'warn',
    '--config',
    join(root, 'vite.config.ts'),
  ])
  if (code !== 0) throw new Error(`build: vite build --mode ${mode} failed with exit code ${code}`)
  console.log(`build: dist/${mode}`)
}

/** The compiler leaves out hand-written declarations, does not follow `paths`, and keeps `.ts` in imports: mended here. */
async function declarations() {
  const code = await runNode(toolFile('typescript-7', 'tsc'), ['-p', '.config/tsconfig.declarations.json'])
  if (code !== 0) throw new Error(`build: the declarations failed with exit code ${code}`)
  const types = join(root, 'dist/types')
  const { paths } = JSON.parse(withoutComments(readFileSync(join(root, 'tsconfig.json'), 'utf8'))).compilerOptions
  const mapped = new Map()
  for (const [name, [target]] of Object.entries(paths)) {
    if (!target.endsWith('.d.ts') || !existsSync(join(root, target))) continue
    const to = join(types, relative(join(root, 'src'), join(root, target)))
    mkdirSync(dirname(to), { recursive: true })
    writeFileSync(to, readFileSync(join(root, target)))
    mapped.set(name, to)
  }
  for (const file of filesBelow(types).filter((path) => path.endsWith('.d.ts'))) {
    const text = readFileSync(file, 'utf8')
    const linked = text.replace(/(from |import\()(['"])([^'"]+)\2/g, (whole, word, quote, name) => {
      if (name.startsWith('.')) return `${word}${quote}${name.replace(/\.ts$/, '.js')}${quote}`
      const to = mapped.get(name)
      if (to === undefined) return whole
      const path = relative(dirname(file), to)
        .replace(/\\/g, '/')
        .replace(/\.d\.ts$/, '.js')
      return `${word}${quote}${path.startsWith('.') ? path : `./${path}`}${quote}`
    })
    if (linked !== text) writeFileSync(file, linked)
  }
  console.log('build: dist/types')
}

function hasPages(folder) {
  const path = join(root, folder)
  return existsSync(path) && readdirSync(path).some((file) => file.endsWith('.html'))
}

/** A strict Content-Security-Policy lets no inline script and no inline handler run. */
function refuseInlineScripts(folder) {
  for (const file of filesBelow(folder).filter((path) => path.endsWith('.html'))) {
    const found = readFileSync(file, 'utf8').match(/<script(?![^>]*\ssrc=)[^>]*>|<[a-z][^>]*\son[a-z]+=/i)
    if (found) throw new Error(`build: ${relative(root, file)} has an inline script: ${found[0]}`)
  }
}

function hashOfSources() {
  const hash = createHash('sha256')
  for (const input of inputs) {
    const path = join(root, input)
    if (!existsSync(path)) continue
    for (const file of filesBelow(path))
      hash
        .update(`${relative(root, file)}\0`)
        .update(readFileSync(file))
        .update('\0')
  }
  return hash.digest('hex')
}

function filesBelow(path) {
  const entries = safeReaddir(path)
  if (entries === undefined) return [path]
  return entries
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(path, entry.name)) : [join(path, entry.name)]))
    .sort()
}

function safeReaddir(path) {
  try {
    return readdirSync(path, { withFileTypes: true })
  } catch (error) {
    if (error.code === 'ENOTDIR') return undefined
    throw error
  }
}

function withoutComments(text) {
  return text.replace(/^\s*\/\/.*$/gm, '')
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await setup()
  await build()
}
