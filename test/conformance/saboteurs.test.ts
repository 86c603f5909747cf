/** The conformance cases can fail: each saboteur is found by the case that names its sentence of the contract. */
import { describe, expect, test } from 'vitest'
import type { Connection } from '../../src/link/connection.ts'
import { honest, saboteurs } from '../../src/testkit/saboteur.ts'
import { transportCases, WAIT_LIMIT_MS } from '../../src/testkit/transport-cases.ts'
import { memoryPair } from '../../src/transport/memory/memory-transport.ts'

/** Short, since a saboteur may keep a case waiting; nothing here crosses a wire. */
const SABOTEUR_WAIT_LIMIT_MS = 300

function caseNamed(name: string): (typeof transportCases)[number] {
  const found = transportCases.find((each) => each.name === name)
  expect(found, `a case named "${name}"`).toBeDefined()
  return found!
}

function run(name: string, wrap: (connection: Connection) => Connection, waitLimitMs: number): Promise<void> {
  return caseNamed(name).run(
    async () => {
      const [near, far] = memoryPair()
      return { near: wrap(near), far: wrap(far) }
    },
    { waitLimitMs },
  )
}

describe('a saboteur that', () => {
  test.each(saboteurs)('$name is found by "$foundBy"', async ({ foundBy, sabotage }) => {
    await expect(run(foundBy, sabotage, SABOTEUR_WAIT_LIMIT_MS)).rejects.toThrow(/^expected .* got|closed/)
  })
})

test('an honest wrapper passes every case', async () => {
  for (const { name } of transportCases) await run(name, honest, WAIT_LIMIT_MS)
})

test('every case finds somebody', async () => {
  const idle: string[] = []
  for (const { name } of transportCases) {
    if (!(await findsSomebody(name))) idle.push(name)
  }
  expect(idle).toEqual([])
}, 30_000)

async function findsSomebody(name: string): Promise<boolean> {
  for (const { sabotage } of saboteurs) {
    const [{ status }] = await Promise.allSettled([run(name, sabotage, SABOTEUR_WAIT_LIMIT_MS)])
    if (status === 'rejected') return true
  }
  return false
}
