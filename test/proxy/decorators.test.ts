/** `@asActor` where the user's compiler lowers decorators: the same at run time as the function form. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type ActorClass, asActor } from 'pulsing'
import ts from 'typescript'
import { expect, onTestFinished, test } from 'vitest'
import { collect, startSystem } from '../actor/systems.ts'
import type { define } from './fixtures/decorated.ts'

const fixture = fileURLToPath(new URL('./fixtures/decorated.ts', import.meta.url))

type Fixture = { define: typeof define }

/** The fixture as JavaScript, loaded by Node.js itself. */
async function compile(options: ts.CompilerOptions): Promise<{ module: Fixture; code: string }> {
  const { outputText: code, diagnostics } = ts.transpileModule(await readFile(fixture, 'utf8'), {
    reportDiagnostics: true,
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      verbatimModuleSyntax: true,
      ...options,
    },
  })
  expect(diagnostics).toEqual([])
  const folder = await mkdtemp(join(tmpdir(), 'pulsing-decorators-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'decorated.mjs')
  await writeFile(file, code)
  return { module: (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Fixture, code }
}

test.each([
  ['standard', { experimentalDecorators: false }],
  ['experimental', { experimentalDecorators: true }],
] as const)('%s decorators give the class its statics and keep it a plain class', async (_name, options) => {
  const { module, code } = await compile(options)
  expect(code).not.toMatch(/^\s*@asActor/m)
  const { Counter, Other } = module.define(asActor)
  expect(new Counter(5).increment()).toBe(6)
  expect(Counter.name).toBe('Counter')
  const system = await startSystem()
  const counter = await (Counter as typeof Counter & ActorClass<typeof Counter>).local(system, 10)
  expect(counter.ref.name).toMatch(/^Counter_[0-9a-f]{8}$/)
  expect(await counter.increment(5)).toBe(15)
  expect(await collect(counter.count(3))).toEqual([0, 1, 2])
  const other = await (Other as typeof Other & ActorClass<typeof Other>).local(system)
  expect(other.ref.name).toMatch(/^Renamed_[0-9a-f]{8}$/)
  expect(await other.hi()).toBe('hi')
})

test('the decorated class passes the type checker with standard decorators', () => {
  const config = ts.getParsedCommandLineOfConfigFile(
    fileURLToPath(new URL('../../.config/tsconfig.tests.json', import.meta.url)),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
  )!
  const program = ts.createProgram([fixture], config.options)
  const messages = ts
    .getPreEmitDiagnostics(program, program.getSourceFile(fixture))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  expect(messages).toEqual([])
}, 60_000)
