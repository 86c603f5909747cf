import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

// What can be said of a source file without understanding it. The layers are checked by scripts/layers.mjs.

const src = fileURLToPath(new URL('../../src', import.meta.url))
const maxLines = 500
const suffixes = /(\.(node|browser))?(\.d)?\.ts$/
const forbiddenNames = new Set(['utils', 'util', 'helpers', 'helper', 'common', 'manager', 'types', 'misc'])

const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) =>
    join(entry.parentPath, entry.name)
      .slice(src.length + 1)
      .replaceAll('\\', '/'),
  )
  .sort()

const read = (file: string) => readFileSync(join(src, file), 'utf8')
const statementsOf = (text: string) =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .trim()

describe('the files of src', () => {
  it('are there', () => {
    expect(files.length).toBeGreaterThan(0)
  })

  it(`have at most ${maxLines} lines`, () => {
    const tooLong = files
      .map((file) => [file, read(file).split('\n').length - 1] as const)
      .filter(([, lines]) => lines > maxLines)
    expect(tooLong).toEqual([])
  })

  it('are TypeScript with kebab-case names', () => {
    const misnamed = files.filter((file) => {
      const name = basename(file)
      return !suffixes.test(name) || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name.replace(suffixes, ''))
    })
    expect(misnamed).toEqual([])
  })

  it('are named after what they hold', () => {
    const vague = files.filter((file) => file.split('/').some((part) => forbiddenNames.has(part.replace(suffixes, ''))))
    expect(vague).toEqual([])
  })

  it('are no barrels outside entry', () => {
    const reexport = /export\s+(type\s+)?(\*(\s+as\s+\w+)?|\{[^}]*\})\s+from\s+'[^']+'/g
    const barrels = files.filter((file) => {
      if (file.startsWith('entry/')) return false
      const statements = statementsOf(read(file))
      return (
        /export\s+(type\s+)?\*\s+from/.test(statements) ||
        (statements !== '' && statements.replace(reexport, '').trim() === '')
      )
    })
    expect(barrels).toEqual([])
  })

  it('are nothing but re-exports in entry', () => {
    const reexport = /export\s+(type\s+)?(\*(\s+as\s+\w+)?|\{[^}]*\})\s+from\s+'[^']+'/g
    const own = files.filter(
      (file) => file.startsWith('entry/') && statementsOf(read(file)).replace(reexport, '').trim() !== '',
    )
    expect(own).toEqual([])
  })

  it('open with a few lines that say what they are', () => {
    const silent = files.filter((file) => !/^(#!.*\n)?(\/\*\*|\/\/)/.test(read(file)))
    expect(silent).toEqual([])
  })
})
