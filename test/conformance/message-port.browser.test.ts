/** Message ports in a page: between its own ends, and through a real worker. */
import { afterEach, describe, expect, test } from 'vitest'
import type { Connection } from '../../src/link/connection.ts'
import { transportCases } from '../../src/testkit/transport-cases.ts'
import { meetingPoint } from '../../src/transport/message-port/endpoint.ts'
import { messagePort } from '../../src/transport/message-port/message-port-transport.ts'
import { Owner, rejection } from '../transport/owner.ts'
import { NEVER } from './listening-pair.ts'

/** Longer than a case waits for an event, so that it can say which one was missing. */
const CASE_LIMIT_MS = 15_000
/** A death is seen within this time; a Web Lock takes 3 to 54 ms. */
const DEATH_LIMIT_MS = 1_000

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

function dial(endpoint: unknown, signal = NEVER): Promise<Connection> {
  return messagePort().dial!(endpoint, { signal })
}

function startWorker(): Worker {
  const worker = new Worker(new URL('./bridge-worker.browser.ts', import.meta.url), { type: 'module' })
  cleanups.push(() => worker.terminate())
  return worker
}

function addFrame(attributes: Record<string, string>): HTMLIFrameElement {
  const frame = document.createElement('iframe')
  for (const [name, value] of Object.entries(attributes)) frame.setAttribute(name, value)
  document.body.append(frame)
  cleanups.push(() => frame.remove())
  return frame
}

function echoFrame(): HTMLIFrameElement {
  const script = new URL('./bridge-frame.browser.ts', import.meta.url).href
  return addFrame({ srcdoc: `<script type="module" src="${script}"></script>` })
}

/** Resolves when the endpoint posts this text as a message of the user. */
function heard(target: EventTarget, text: string): Promise<void> {
  return new Promise((resolve) => {
    target.addEventListener('message', (event) => {
      if ((event as MessageEvent).data === text) resolve()
    })
  })
}

async function expectEcho(connection: Connection): Promise<Owner> {
  const owner = new Owner(connection)
  connection.send(new Uint8Array([1, 2, 3]))
  await owner.arrived(1)
  expect(owner.batches[0]).toEqual(new Uint8Array([1, 2, 3]))
  return owner
}

describe('message ports of a page', () => {
  test.each(transportCases)(
    '$name',
    async ({ run }) => {
      await run(async () => {
        const { port1, port2 } = new MessageChannel()
        const [near, far] = await Promise.all([dial(port1), dial(port2)])
        return { near, far }
      })
    },
    CASE_LIMIT_MS,
  )
})

describe('a module worker, which passes everything on to the far end', () => {
  test.each(transportCases)(
    '$name',
    async ({ run }) => {
      await run(async () => {
        const worker = startWorker()
        const { port1, port2 } = new MessageChannel()
        worker.postMessage({ command: 'join', port: port1 }, [port1])
        const [near, far] = await Promise.all([dial(worker), dial(port2)])
        return { near, far, dispose: async () => worker.terminate() }
      })
    },
    CASE_LIMIT_MS,
  )
})

describe('meeting', () => {
  test('a worker that dials first', async () => {
    const worker = startWorker()
    const listening = heard(worker, 'listening')
    worker.postMessage({ command: 'echo' })
    await listening
    await expectEcho(await dial(worker))
  })

  test('a worker that dials last', async () => {
    const worker = startWorker()
    const dialling = dial(worker)
    const ready = heard(worker, 'I am here')
    worker.postMessage({ command: 'say', text: 'I am here' })
    await ready
    worker.postMessage({ command: 'echo' })
    await expectEcho(await dialling)
  })

  test('a shared worker', async () => {
    const shared = new SharedWorker(new URL('./bridge-shared-worker.browser.ts', import.meta.url), { type: 'module' })
    const connection = await dial(shared)
    await expectEcho(connection)
    connection.close()
  })

  test('a frame, before its script runs', async () => {
    await expectEcho(await dial(echoFrame().contentWindow))
  })

  test('a frame, after its script has run', async () => {
    const frame = echoFrame()
    await new Promise((resolve) => frame.addEventListener('load', resolve))
    await expectEcho(await dial(frame.contentWindow))
  })

  test('a worker whose script cannot be loaded', async () => {
    const worker = new Worker('/there/is/no/such-script.js?really', { type: 'module' })
    const error = await rejection(dial(worker))
    expect(error).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
  })

  test('only the window dialled is heard, and only with the right origin', async () => {
    const script = `parent.postMessage('from the frame', '*')`
    const frame = addFrame({ sandbox: 'allow-scripts', srcdoc: `<script>${script}</script>` })
    const heardBy: string[] = []
    const origins = { 'its origin': 'null', 'any origin': '*', 'our origin': undefined, 'a third': 'https://a.example' }
    for (const [name, origin] of Object.entries(origins)) {
      const point = meetingPoint(frame.contentWindow, origin)!
      cleanups.push(point.listen((message) => heardBy.push(`${name}: ${message}`), expect.unreachable))
    }
    // Registered after the others, so it hears last.
    const both = Promise.all([heard(window, 'from the frame'), heard(window, 'from another window')])
    window.postMessage('from another window')
    await both
    expect(heardBy).toEqual(['its origin: from the frame', 'any origin: from the frame'])
  })

  test('our own window is nobody to dial', () => {
    expect([window, window.parent, window.self].map(messagePort().handles)).toEqual([false, true, false])
  })
})

describe("the user's own messages", () => {
  test('pass beside the connection', async () => {
    const worker = startWorker()
    worker.postMessage({ command: 'echo' })
    const connection = await dial(worker)
    const said = heard(worker, 'mine')
    worker.postMessage({ command: 'say', text: 'mine' })
    await Promise.all([said, expectEcho(connection)])
  })
})

describe('death is noticed', () => {
  test.each(['terminate', 'close'])('of a worker by %s', async (way) => {
    const worker = startWorker()
    worker.postMessage({ command: 'echo' })
    const owner = await expectEcho(await dial(worker))
    await lockIsWatched()
    const from = performance.now()
    if (way === 'terminate') worker.terminate()
    else worker.postMessage({ command: 'die' })
    expect(await owner.ended).toMatchObject({ name: 'UnreachableError' })
    expect(performance.now() - from).toBeLessThan(DEATH_LIMIT_MS)
  })

  test('of a frame that is removed', async () => {
    const frame = echoFrame()
    const owner = await expectEcho(await dial(frame.contentWindow))
    await lockIsWatched()
    const from = performance.now()
    frame.remove()
    expect(await owner.ended).toMatchObject({ name: 'UnreachableError' })
    expect(performance.now() - from).toBeLessThan(DEATH_LIMIT_MS)
  })

  test('and a connection that is closed leaves no lock behind', async () => {
    const { port1, port2 } = new MessageChannel()
    const [near, far] = await Promise.all([dial(port1), dial(port2)])
    const owners = [new Owner(near), new Owner(far)]
    await lockIsWatched()
    near.close()
    await Promise.all(owners.map((owner) => owner.ended))
    // Requests are handled in order, so this one is granted after the others are gone.
    await navigator.locks.request('after', () => undefined)
    expect(await ourLocks()).toEqual({ held: 0, pending: 0 })
  })
})

interface Locks {
  readonly held: number
  readonly pending: number
}

async function ourLocks(): Promise<Locks> {
  const { held = [], pending = [] } = await navigator.locks.query()
  const isOurs = ({ name }: LockInfo): boolean => name?.startsWith('pulsing-') === true
  return { held: held.filter(isOurs).length, pending: pending.filter(isOurs).length }
}

/** Resolves when as many wait for a lock as hold one: two per connection. */
async function lockIsWatched(): Promise<void> {
  for (;;) {
    const { held, pending } = await ourLocks()
    if (pending >= 2 && pending === held) return
  }
}
