import { describe, test } from 'vitest'
import { transportCases } from '../../src/testkit/transport-cases.ts'
import { memoryNetwork, memoryPair } from '../../src/transport/memory/memory-transport.ts'
import { listeningPair } from './listening-pair.ts'

describe('memoryPair', () => {
  test.each(transportCases)('$name', async ({ run }) => {
    await run(async () => {
      const [near, far] = memoryPair()
      return { near, far }
    })
  })
})

describe('memoryNetwork', () => {
  test.each(transportCases)('$name', async ({ run }) => {
    const network = memoryNetwork()
    await run(() => listeningPair(network.transport(), network.transport(), 'memory://far'))
  })
})
