/** Connections in memory: addresses, and what is handed over. */
import { describe, expect, test } from 'vitest'
import type { Connection } from '../../src/link/connection.ts'
import { memoryNetwork, memoryPair } from '../../src/transport/memory/memory-transport.ts'
import { NEVER } from '../conformance/listening-pair.ts'
import { Owner, rejection } from './owner.ts'

describe('addresses', () => {
  const network = memoryNetwork()
  const dial = (endpoint: unknown, signal = NEVER): Promise<Connection> =>
    network.transport().dial!(endpoint, { signal })
  const listen = (address: string) => network.transport().listen!(address, (connection) => new Owner(connection))

  test('are memory://name', () => {
    const endpoints = ['memory://a', 'memory://', 'ws://a', 7, undefined]
    expect(endpoints.map(network.transport().handles)).toEqual([true, false, false, false, false])
  })

  test.each(['memory://', 'ws://a'])('%s is a ConfigError', async (address) => {
    const expected = { name: 'ConfigError', message: `expected an address like memory://name, got "${address}"` }
    expect(await rejection(listen(address))).toMatchObject(expected)
    expect(await rejection(dial(address))).toMatchObject(expected)
  })

  test('belong to one listener at a time, and to one network', async () => {
    const listener = await listen('memory://a')
    expect(await rejection(listen('memory://a'))).toMatchObject({ name: 'ConfigError' })
    const elsewhere = memoryNetwork().transport().dial!('memory://a', { signal: NEVER })
    expect(await rejection(elsewhere)).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
    const connection = await dial('memory://a')
    await listener.close()
    expect(await rejection(dial('memory://a'))).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
    expect(connection.send(new Uint8Array(1))).toBe(true)
    await (await listen('memory://a')).close()
  })

  test('are not dialled with an aborted signal', async () => {
    const signal = AbortSignal.abort()
    expect(await rejection(dial('memory://a', signal))).toBe(signal.reason)
  })
})

describe('what is sent', () => {
  test('is handed over, not copied', async () => {
    const [near, far] = memoryPair()
    const owner = new Owner(far)
    const [batch, value] = [new Uint8Array([1]), { some: 'object' }]
    near.send(batch, { values: [value], transfer: [value] })
    await owner.arrived(1)
    expect(owner.batches[0]).toBe(batch)
    expect(owner.attachments[0]![0]).toBe(value)
  })

  test('fills a window of the given size until the other side is open and has taken half of it', async () => {
    const [near, far] = memoryPair({ windowBytes: 100 })
    const sender = new Owner(near)
    const answers = [60, 40, 1, 1].map((bytes) => near.send(new Uint8Array(bytes)))
    expect(answers).toEqual([true, true, false, false])
    expect(sender.drains).toBe(0)
    await new Owner(far).arrived(4)
    await Promise.resolve()
    expect(sender.drains).toBe(1)
    expect(near.send(new Uint8Array(100))).toBe(true)
  })
})
