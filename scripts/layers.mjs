// The layers of src/ (.config/dependency-cruiser.cjs), checked. A checker that cannot read our files finds nothing wrong with them,
// so it must first find everything that is wrong with test/arch/fixtures: each `// breaks: rule` there is one expected violation.

import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './run.mjs'
import { setup } from './setup.mjs'

const require = createRequire(import.meta.url)

/** @returns {Promise<{ passed: number, failed: number }>} one for the checker, one for the sources */
export async function checkLayers() {
  const results = [await checkChecker(), await checkSources()]
  return { passed: results.filter(Boolean).length, failed: results.filter((ok) => !ok).length }
}

async function checkChecker() {
  const fixtures = join(root, 'test/arch/fixtures')
  const expected = sourcesBelow(fixtures).flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\/\/ breaks: (\S+)/g)].map(
      ([, rule]) => `${rule}: ${posix(relative(fixtures, file))}`,
    ),
  )
  const { violations } = await cruise(fixtures, ['src', 'demo', 'e2e'])
  const found = new Set(violations.map(({ rule, from }) => `${rule.name}: ${from}`))
  const missed = expected.filter((line) => !found.has(line))
  const surplus = [...found].filter((line) => !expected.includes(line))
  const { forbidden } = require('../.config/dependency-cruiser.cjs')
  const untested = forbidden
    .filter(({ name }) => !expected.some((line) => line.startsWith(`${name}: `)))
    .map(({ name }) => name)
  for (const line of missed) console.error(`layers: the checker misses a known violation: ${line}`)
  for (const line of surplus) console.error(`layers: the checker sees what is not there: ${line}`)
  for (const name of untested) console.error(`layers: no fixture breaks the rule ${name}`)
  const ok = expected.length > 0 && missed.length + surplus.length + untested.length === 0
  console.log(
    `layers: the checker finds ${expected.length - missed.length} of ${expected.length} known violations${ok ? '' : ': FAILED'}`,
  )
  return ok
}

async function checkSources() {
  const { modules, violations } = await cruise(root, ['src', 'demo', 'e2e'])
  const seen = new Set(modules.map(({ source }) => source))
  const unseen = sourcesBelow(join(root, 'src'))
    .map((file) => posix(relative(root, file)))
    .filter((file) => !seen.has(file))
  for (const { rule, from, to, cycle } of violations) {
    const path = cycle === undefined ? to : cycle.map(({ name }) => name).join(' -> ')
    console.error(`layers: ${rule.name}: ${from} -> ${path} (${rule.comment})`)
  }
  for (const file of unseen) console.error(`layers: ${file} was not read`)
  const dependencies = modules.reduce((sum, { dependencies }) => sum + dependencies.length, 0)
  const ok = violations.length === 0 && unseen.length === 0 && dependencies > 0
  console.log(
    `layers: ${modules.length} files, ${dependencies} imports, ${violations.length} violations${ok ? '' : ': FAILED'}`,
  )
  return ok
}

async function cruise(baseDir, folders) {
  const { cruise } = await import('dependency-cruiser')
  const { forbidden, options } = require('../.config/dependency-cruiser.cjs')
  const present = folders.filter((folder) => readdirSync(baseDir).includes(folder))
  const comments = new Map(forbidden.map(({ name, comment }) => [name, comment]))
  const before = process.cwd()
  process.chdir(baseDir)
  try {
    const { output } = await cruise(present, { ...options, baseDir, validate: true, ruleSet: { forbidden } })
    const violations = output.summary.violations.map((found) => ({
      ...found,
      rule: { ...found.rule, comment: comments.get(found.rule.name) },
    }))
    return { modules: output.modules, violations }
  } finally {
    process.chdir(before)
  }
}

function sourcesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /(?<![.]d)[.]ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

function posix(path) {
  return path.replaceAll('\\', '/')
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await setup()
  const { failed } = await checkLayers()
  process.exit(failed === 0 ? 0 : 1)
}
