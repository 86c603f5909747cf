/** Every `@example` in the sources runs as it stands: what documentation shows works. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'
import * as pulsing from 'pulsing'
import * as node from 'pulsing/node'
import * as patterns from 'pulsing/patterns'
import * as testkit from 'pulsing/testkit'
import * as webrtc from 'pulsing/webrtc'
import { describe, expect, test, vi } from 'vitest'

const sources = fileURLToPath(new URL('../../src/', import.meta.url))

const modules: Readonly<Record<string, object>> = {
  pulsing,
  'pulsing/node': node,
  'pulsing/patterns': patterns,
  'pulsing/testkit': testkit,
  'pulsing/webrtc': webrtc,
}

const COMMENT = /\/\*\*[\s\S]*?\*\//g
const EXAMPLE = /@example\n```ts\n([\s\S]*?)\n```/g
const IMPORT = /^import \{ (.*) \} from '(.*)'$/gm

interface Example {
  readonly title: string
  readonly code: string
}

const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const texts = files.map((file) => [file, readFileSync(join(sources, file), 'utf8')] as const)
const examples = texts.flatMap(([file, text]) => examplesOf(file, text))

function examplesOf(file: string, text: string): Example[] {
  return [...text.matchAll(COMMENT)].flatMap(({ 0: comment, index }) => {
    const line = text.slice(0, index).split('\n').length
    return [...comment.replaceAll(/^ *\* ?/gm, '').matchAll(EXAMPLE)].map(([, code]) => ({
      title: `${file}:${line}`,
      code: code!,
    }))
  })
}

/** The example as a function that finds what it imports in `modules`. */
async function compile(code: string): Promise<(available: typeof modules) => Promise<void>> {
  const body = code.replaceAll(IMPORT, 'const { $1 } = modules["$2"]')
  const wrapped = await transform(`async () => {\n${body}\n}`, { loader: 'ts', target: 'es2022' })
  return new Function('modules', `return (${wrapped.code.trim().replace(/;$/, '')})()`) as never
}

describe('examples', () => {
  test('are fenced, so that none escapes', () => {
    const tags = texts.flatMap(([, text]) => text.match(/^ *\* @example\b/gm) ?? [])
    expect(examples).toHaveLength(tags.length)
    expect(examples.length).toBeGreaterThan(0)
  })

  test.for(examples)('$title', async ({ code }) => {
    const debug = vi.spyOn(console, 'debug').mockReturnValue()
    await (await compile(code))(modules)
    debug.mockRestore()
  })
})
