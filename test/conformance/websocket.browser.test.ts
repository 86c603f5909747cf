/** WebSockets of a page, both of them through Node.js, where `socket-bridge.node.ts` joins them. */
import { describe, expect, inject, test } from 'vitest'
import { type ConnectionPair, transportCases } from '../../src/testkit/transport-cases.ts'
import { webSocket } from '../../src/transport/websocket/websocket-transport.ts'
import { Owner, rejection } from '../transport/owner.ts'
import { NEVER } from './listening-pair.ts'

/** Longer than a case waits for an event, so that it can say which one was missing. */
const CASE_LIMIT_MS = 15_000

async function bridged(): Promise<ConnectionPair> {
  const bridge = inject('socketBridgeUrl')
  expect(bridge, 'globalSetup of the browser project to name test/conformance/socket-bridge.node.ts').toBeDefined()
  const url = await (await fetch(bridge)).text()
  const [near, far] = await Promise.all([url, url].map((each) => webSocket().dial!(each, { signal: NEVER })))
  return { near: near!, far: far! }
}

describe('WebSocket of a page, through Node.js', () => {
  test.each(transportCases)('$name', ({ run }) => run(bridged), CASE_LIMIT_MS)
})

describe('a page', () => {
  test('learns that nobody listens', async () => {
    const dialling = webSocket().dial!('ws://127.0.0.1:9', { signal: NEVER })
    expect(await rejection(dialling)).toMatchObject({
      name: 'UnreachableError',
      outcome: 'not-sent',
      message: 'expected a WebSocket server at ws://127.0.0.1:9, got close code 1006',
    })
  })

  test('gives up when told to', async () => {
    const controller = new AbortController()
    const dialling = webSocket().dial!('ws://127.0.0.1:9', { signal: controller.signal })
    controller.abort(new RangeError('no longer wanted'))
    expect(await rejection(dialling)).toBe(controller.signal.reason)
  })

  test('passes the reason of an abort on', async () => {
    const { near, far } = await bridged()
    const owner = new Owner(far)
    near.abort('on purpose')
    expect(await owner.ended).toMatchObject({ name: 'UnreachableError' })
  })
})
