import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import esbuildPlugin from '@size-limit/esbuild'
import filePlugin from '@size-limit/file'
import sizeLimit from 'size-limit'
import { installed, repository } from './installed.mjs'

const limits = JSON.parse(readFileSync(join(repository, '.config/size-limit.json'), 'utf8'))

for (const { name, entry, beside, chunks = 'within', maxBytes } of limits) {
  test(`${name} is at most ${maxBytes} bytes, minified and gzipped`, async (context) => {
    const own = fileOf(entry)
    const known = beside === undefined ? [] : closure(fileOf(beside))
    const leaveOut = (config) => ({ ...config, format: 'esm', plugins: [external(known, chunks === 'apart')] })
    const check = { files: [own], gzip: true, modifyEsbuildConfig: leaveOut }
    const [{ size }] = await sizeLimit([...esbuildPlugin, ...filePlugin], { cwd: installed, checks: [check] })
    context.diagnostic(`${name}: ${size} bytes of ${maxBytes}`)
    assert.ok(size > 0 && size <= maxBytes, `${size} bytes`)
  })
}

/** An entry, or the chunk of that name whatever its hash. */
function fileOf(entry) {
  if (!entry.includes('*')) return join(installed, 'dist/browser', entry)
  const folder = join(installed, 'dist/browser', dirname(entry))
  const start = entry.slice(entry.lastIndexOf('/') + 1, entry.indexOf('*'))
  return join(
    folder,
    readdirSync(folder).find((file) => file.startsWith(start) && file.endsWith('.js')),
  )
}

/** The file and everything it imports at once. */
function closure(file, seen = new Set()) {
  if (seen.has(file)) return [...seen]
  seen.add(file)
  for (const [, specifier] of readFileSync(file, 'utf8').matchAll(
    /^(?:import|export)\b[^'"`;]*?from\s*['"](\.[^'"]+)['"]|^import\s*['"](\.[^'"]+)['"]/gm,
  )) {
    if (specifier !== undefined) closure(join(dirname(file), specifier), seen)
  }
  return [...seen]
}

/** An esbuild plugin: what the page has already is not counted again, nor, if they are apart, chunks loaded when needed. */
function external(files, areChunksApart) {
  return {
    name: 'already-loaded',
    setup(build) {
      build.onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) =>
        (kind !== 'entry-point' && files.includes(join(resolveDir, path))) ||
        (areChunksApart && kind === 'dynamic-import')
          ? { path, external: true }
          : undefined,
      )
    },
  }
}
