import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { toolFile } from '../../scripts/run.mjs'
import { installed, repository, tarball } from './installed.mjs'

test('publint finds nothing to say', async () => {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true })
  // Before its first publication a package has no repository to name.
  const serious = messages.filter(({ type }) => type !== 'suggestion')
  assert.deepEqual(
    serious.map((message) => formatMessage(message, pkg)),
    [],
  )
})

test('the types resolve the way the code does', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [toolFile('@arethetypeswrong/cli', 'attw'), tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-emoji'],
    { encoding: 'utf8' },
  )
  assert.equal(status, 0, `${stdout}\n${stderr}`)
})

test('the lockfile names no registry', () => {
  const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8'))
  const resolved = Object.entries(lock.packages).filter(([, entry]) => 'resolved' in entry)
  assert.deepEqual(
    resolved.map(([path]) => path),
    [],
  )
})

test('development tools are pinned', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  assert.deepEqual(
    Object.entries(devDependencies).filter(([, range]) => !/^(npm:[a-z-]+@)?\d+\.\d+\.\d+$/.test(range)),
    [],
  )
})
