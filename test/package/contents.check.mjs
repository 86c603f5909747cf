import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import { installed } from './installed.mjs'

const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
const files = readdirSync(installed, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(installed, join(entry.parentPath ?? entry.path, entry.name)).replaceAll('\\', '/'))

test('the tarball holds the builds, their types and the papers, and nothing else', () => {
  const strangers = files.filter(
    (file) =>
      !/^(dist\/(node|browser|types)\/|(LICENSE|README\.md|CHANGELOG\.md|PROTOCOL\.md|package\.json)$)/.test(file),
  )
  assert.deepEqual(strangers, [])
  for (const paper of ['LICENSE', 'README.md', 'CHANGELOG.md', 'PROTOCOL.md'])
    assert.ok(files.includes(paper), `${paper} is missing`)
})

test('every file the manifest names is there', () => {
  const named = [
    ...Object.values(manifest.bin),
    ...Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? target : Object.values(target),
    ),
  ]
  assert.ok(named.length > 10)
  assert.deepEqual(
    named.filter((file) => !existsSync(join(installed, file))),
    [],
  )
})

test('the command is executable', () => {
  const cli = join(installed, manifest.bin.pulsing)
  assert.match(readFileSync(cli, 'utf8'), /^#!\/usr\/bin\/env node\n/)
  if (process.platform !== 'win32') assert.ok(statSync(cli).mode & 0o100, 'the executable bit')
})

test('the browser build is complete in itself', () => {
  for (const { file, specifier } of imports('dist/browser/', '.js'))
    assert.match(specifier, /^\.\.?\//, `${file} imports ${specifier}`)
})

test('the Node.js build imports only what the manifest declares', () => {
  const declared = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)]
  for (const { file, specifier } of imports('dist/node/', '.js')) {
    const isDeclared = declared.some((name) => specifier === name || specifier.startsWith(`${name}/`))
    assert.ok(/^(\.\.?\/|node:)/.test(specifier) || isDeclared, `${file} imports ${specifier}`)
  }
})

test('the types of the browser need no other types', () => {
  const fromEntry = new Set(['index', 'webrtc', 'patterns', 'testkit'].map((name) => `dist/types/entry/${name}.d.ts`))
  const all = imports('dist/types/', '.d.ts')
  for (const file of fromEntry) {
    for (const { specifier } of all.filter((found) => found.file === file)) {
      assert.match(specifier, /^\.\.?\//, `${file} imports ${specifier}`)
      const target = join(file, '..', specifier).replaceAll('\\', '/').replace(/\.js$/, '.d.ts')
      assert.ok(files.includes(target), `${file} imports ${specifier}, and there is no ${target}`)
      fromEntry.add(target)
    }
    assert.doesNotMatch(readFileSync(join(installed, file), 'utf8'), /<reference types=|\bBuffer\b|\bNodeJS\./, file)
  }
})

function imports(folder, extension) {
  return files
    .filter((file) => file.startsWith(folder) && file.endsWith(extension))
    .flatMap((file) => {
      const text = readFileSync(join(installed, file), 'utf8')
        .replace(/\/\*[\s\S]*?\*\//g, '')
        .replace(/^\s*\/\/.*$/gm, '')
      const found = text.matchAll(
        /^(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm,
      )
      return [...found].map(([, from, bare, dynamic]) => ({ file, specifier: from ?? bare ?? dynamic }))
    })
}
