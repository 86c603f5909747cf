/** A relay whose link to a node is full: what others wait for passes what is large, and what one node sends keeps its order. */
import { type Connection, type ConnectionHandler, Message } from 'pulsing'
import { afterEach, expect, test } from 'vitest'
import { memoryPair } from '../../src/transport/memory/memory-transport.ts'
import { FRAME, type Frame } from '../../src/wire/frame.ts'
import { turns } from '../faults/witness.ts'
import { connect, framesOf, link, Nodes } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

/** A connection that asks to wait after every batch while it is narrow, and goes on when it is told to. */
class Narrow implements Connection {
  /** What was sent while it was narrow, a batch each. */
  readonly sent: Frame[][] = []
  isNarrow = false
  readonly #inner: Connection
  #handler!: ConnectionHandler

  constructor(inner: Connection) {
    this.#inner = inner
  }

  readonly transfers = false
  get maxBatchBytes(): number {
    return this.#inner.maxBatchBytes
  }
  get waitingBytes(): number {
    return this.#inner.waitingBytes
  }
  open(handler: ConnectionHandler): void {
    this.#handler = handler
    this.#inner.open(handler)
  }
  send(batch: Uint8Array): boolean {
    if (this.isNarrow) this.sent.push(framesOf(batch))
    this.#inner.send(batch)
    return !this.isNarrow
  }
  goOn(): void {
    this.#handler.drained()
  }
  close(): void {
    this.#inner.close()
  }
  abort(reason?: string): void {
    this.#inner.abort(reason)
  }
}

test('asks of one node pass the parts of a large message of another, which goes on all the same', async () => {
  const [relay, a, b, c] = await Promise.all(Array.from({ length: 4 }, () => nodes.start()))
  const [near, far] = memoryPair()
  const narrow = new Narrow(near)
  await connect(relay!, b!, [narrow, far])
  await link(relay!, a!)
  await link(relay!, c!)
  const got: unknown[] = []
  await b!.spawn({ receive: (msg) => msg.toObject<Uint8Array>().byteLength }, 'scales', { public: true })
  await b!.spawn({ receive: (msg) => got.push(msg.toObject()) }, 'echo', { public: true })
  const [scales, echo] = [await a!.resolve('scales'), await c!.resolve('echo')]
  expect(await echo.ask('before')).toBe(1)

  narrow.isNarrow = true
  const weighed = scales.ask<number>(new Uint8Array(900_000))
  await turns(200)
  const asked = Promise.all(Array.from({ length: 20 }, (_, i) => echo.ask(i)))
  await turns(50)
  // The first part fills the link, and all others wait at the relay; the asks do not.
  await asked
  expect(narrow.sent.flat().filter(({ kind }) => kind === FRAME.part)).toHaveLength(1)
  expect(got.slice(1)).toEqual(Array.from({ length: 20 }, (_, i) => i))

  narrow.isNarrow = false
  narrow.goOn()
  expect(await weighed).toBe(900_000)
  expect(await echo.ask(Message.fromObject('', 'behind'))).toMatchObject({ msgType: '' })
})
