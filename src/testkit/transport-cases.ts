/**
 * The text of `link/connection.ts` as cases any adapter can be put through, in any runtime and under any test framework:
 * each case gets a fresh pair of connected ends and throws an Error saying what it expected and what it got.
 *
 * Besides its own subject every case checks, on both ends, the rules a `ConnectionEnd` watches.
 */
import { isPulsingError } from '../base/errors.ts'
import { macrotask } from '../base/macrotask.ts'
import type { Connection } from '../link/connection.ts'
import { ConnectionEnd, type Run } from './connection-end.ts'

/** Two ends of one connection, neither of them open yet. */
export interface ConnectionPair {
  readonly near: Connection
  readonly far: Connection
  /** Releases what the pair needed besides. */
  dispose?(): Promise<void>
}

export interface TransportCase {
  readonly name: string
  /** @throws Error naming what was expected and what was got */
  run(make: () => Promise<ConnectionPair>, options?: TransportCaseOptions): Promise<void>
}

export interface TransportCaseOptions {
  /** How long one event may take. Give the test framework more, so that the case can say what was missing. Default {@link WAIT_LIMIT_MS}. */
  readonly waitLimitMs?: number
}

/** How long an event may take before the case gives up on it. */
export const WAIT_LIMIT_MS: number = 10_000
/** Turns of the event loop in which something wrong may show: arrival before `open`, a second `closed`. */
const GRACE_TURNS = 30
/** A flood that meets no `false` within so many bytes has no back-pressure. */
const FLOOD_LIMIT_BYTES = 64 * 1024 * 1024
const SIZES = [1, 125, 126, 127, 65_535, 65_536, 1024 * 1024]

/** As much of a MessagePort as a case needs, in words both platforms know. */
interface PortLike {
  onmessage: ((event: { readonly data: unknown }) => void) | null
  postMessage(message: unknown): void
  close(): void
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => macrotask(resolve))
}

/** Bytes that differ from place to place and from seed to seed. */
function pattern(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + seed * 13) & 255
  return bytes
}

/** A batch whose first four bytes are its number. */
function numbered(number: number, size = 4): Uint8Array {
  const bytes = new Uint8Array(size)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

function numberOf(batch: Uint8Array): number {
  return batch.byteLength < 4 ? -1 : new DataView(batch.buffer, batch.byteOffset, 4).getUint32(0)
}

function check(isTrue: boolean, expected: string, got: unknown): void {
  if (!isTrue) throw new Error(`expected ${expected}, got ${String(got)}`)
}

function checkNumbers(end: ConnectionEnd, count: number): void {
  check(end.batches.length === count, `${count} batches at the ${end.name} end`, end.batches.length)
  for (let i = 0; i < count; i++) {
    const number = numberOf(end.batches[i] as Uint8Array)
    check(number === i, `batch ${i} in place ${i} at the ${end.name} end`, `batch ${number}`)
  }
}

function checkBytes(got: Uint8Array | undefined, expected: Uint8Array): void {
  check(got !== undefined && Object.prototype.toString.call(got) === '[object Uint8Array]', 'a Uint8Array', got)
  const bytes = got as Uint8Array
  check(bytes.byteLength === expected.byteLength, `${expected.byteLength} bytes`, bytes.byteLength)
  const at = expected.findIndex((byte, i) => bytes[i] !== byte)
  check(at < 0, `byte ${expected[at]} at ${at} of ${expected.byteLength}`, bytes[at])
}

function checkCleanEnd(...ends: readonly ConnectionEnd[]): void {
  for (const end of ends)
    check(
      end.closings === 1 && end.error === undefined,
      `one closed without error at the ${end.name} end`,
      `${end.closings}, ${end.error?.message ?? 'no error'}`,
    )
}

/** Numbered batches of 64 KiB (or what the connection takes) until one is answered with false; returns the next free number. */
function flood(end: ConnectionEnd, from: number): number {
  const size = Math.min(65_536, end.connection.maxBatchBytes)
  for (let sent = 0; sent < FLOOD_LIMIT_BYTES; sent += size) {
    if (!end.send(numbered(from++, size))) return from
  }
  throw new Error(`expected send to answer false within ${FLOOD_LIMIT_BYTES} bytes, got true every time`)
}

interface Ends {
  readonly near: ConnectionEnd
  readonly far: ConnectionEnd
}

/** Wraps a case: both ends made, opened unless it says otherwise, ended, and held to the rules that always apply. */
function transportCase(name: string, body: (ends: Ends) => Promise<void>, { opens = true } = {}): TransportCase {
  return {
    name,
    async run(make, { waitLimitMs = WAIT_LIMIT_MS } = {}) {
      const pair = await make()
      const run: Run = { calling: undefined, waitLimitMs }
      const near = new ConnectionEnd('near', pair.near, run)
      const far = new ConnectionEnd('far', pair.far, run)
      try {
        if (opens) for (const end of [near, far]) end.open()
        await body({ near, far })
        await turns(GRACE_TURNS)
        for (const end of [near, far])
          check(end.violations.length === 0, `no broken rule at the ${end.name} end`, end.violations[0])
      } finally {
        pair.near.abort('the case is over')
        pair.far.abort('the case is over')
        await pair.dispose?.()
      }
    },
  }
}

/** What every adapter must pass. Order matters to nobody; each case stands alone. */
export const transportCases: readonly TransportCase[] = [
  transportCase('carries 1000 batches each way at once, in order', async ({ near, far }) => {
    for (let i = 0; i < 1000; i++) {
      near.send(numbered(i, 4 + (i % 300)))
      far.send(numbered(i, 4 + (i % 70)))
    }
    await Promise.all([near.batchCount(1000), far.batchCount(1000)])
    checkNumbers(near, 1000)
    checkNumbers(far, 1000)
  }),

  // An empty batch has no meaning (it holds no frame), so none is sent.
  transportCase('carries batches of every size byte for byte', async ({ near, far }) => {
    const sizes = SIZES.filter((size) => size <= near.connection.maxBatchBytes)
    for (const size of sizes) near.send(pattern(size, size))
    await far.batchCount(sizes.length)
    sizes.forEach((size, i) => checkBytes(far.batches[i], pattern(size, size)))
  }),

  transportCase('carries a batch of maxBatchBytes', async ({ near, far }) => {
    const size = near.connection.maxBatchBytes
    near.send(pattern(size, 5))
    await far.batchCount(1)
    checkBytes(far.batches[0], pattern(size, 5))
  }),

  transportCase('sends a view as the view, not as the buffer under it', async ({ near, far }) => {
    const views = [3, 40_000].map((size) => ({ size, buffer: pattern(size + 100, 9) }))
    for (const { size, buffer } of views) near.send(buffer.subarray(37, 37 + size))
    await far.batchCount(views.length)
    views.forEach(({ size }, i) => checkBytes(far.batches[i], pattern(size + 100, 9).subarray(37, 37 + size)))
  }),

  transportCase('gives the bytes to the handler: writing to one batch changes no other', async ({ near, far }) => {
    far.onReceived = (batch) => {
      if (far.batches.length % 2 === 1) batch.fill(255)
    }
    for (let i = 0; i < 50; i++) near.send(pattern(1000, i))
    await far.batchCount(50)
    for (let i = 1; i < 50; i += 2) checkBytes(far.batches[i], pattern(1000, i))
  }),

  // The sender keeps the bytes, to send them again: neither this end nor whoever receives them may touch them.
  transportCase('leaves a batch as it is where it only reads', async ({ near, far }) => {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      if (from.connection.onlyReads !== true) continue
      const sizes = [3, 1000, 100_000].filter((size) => size <= from.connection.maxBatchBytes)
      const kept = sizes.map((size) => pattern(size + 100, size))
      const arrived: Uint8Array[] = []
      to.onReceived = (batch) => {
        arrived.push(batch.slice())
        batch.fill(255)
      }
      // Twice: what was sent once is sent again after a link broke.
      for (let round = 1; round <= 2; round++) {
        for (const [i, size] of sizes.entries()) from.send((kept[i] as Uint8Array).subarray(37, 37 + size))
        await to.batchCount(round * sizes.length)
        await turns(GRACE_TURNS)
        for (const [i, size] of sizes.entries()) checkBytes(kept[i], pattern(size + 100, size))
      }
      for (const [i, batch] of arrived.entries()) {
        const size = sizes[i % sizes.length] as number
        checkBytes(batch, pattern(size + 100, size).subarray(37, 37 + size))
      }
    }
  }),

  transportCase(
    'keeps what arrives before open and delivers it in order, not inside open',
    async ({ near, far }) => {
      near.open()
      for (let i = 0; i < 20; i++) near.send(numbered(i))
      await turns(GRACE_TURNS)
      far.open()
      for (let i = 20; i < 40; i++) near.send(numbered(i))
      await far.batchCount(40)
      checkNumbers(far, 40)
    },
    { opens: false },
  ),

  transportCase(
    'keeps batches and the end that arrive before open',
    async ({ near, far }) => {
      near.open()
      for (let i = 0; i < 20; i++) near.send(numbered(i))
      near.connection.close()
      await near.closed()
      await turns(GRACE_TURNS)
      far.open()
      await far.closed()
      checkNumbers(far, 20)
      checkCleanEnd(near, far)
    },
    { opens: false },
  ),

  transportCase('lets a handler send and close from inside its calls', async ({ near, far }) => {
    far.onReceived = (batch) => {
      far.send(numbered(numberOf(batch)))
      if (far.batches.length === 10) far.connection.close()
    }
    for (let i = 0; i < 10; i++) near.send(numbered(i))
    await Promise.all([near.closed(), far.closed()])
    checkNumbers(near, 10)
    checkCleanEnd(near, far)
  }),

  transportCase('answers false under a flood, says drained, and loses nothing', async ({ near, far }) => {
    let next = 0
    for (let round = 1; round <= 3; round++) {
      next = flood(near, next)
      await near.until(`drained for the ${round}. time`, () => near.drains >= round)
    }
    await far.batchCount(next)
    checkNumbers(far, next)
  }),

  transportCase('takes batches after false too', async ({ near, far }) => {
    let next = flood(near, 0)
    for (let i = 0; i < 20; i++) near.send(numbered(next++, 1000))
    await near.until('drained', () => near.drains > 0)
    await far.batchCount(next)
    checkNumbers(far, next)
  }),

  transportCase('floods both ways at once without a standstill', async ({ near, far }) => {
    const counts = [flood(near, 0), flood(far, 0)] as const
    await Promise.all([near.until('drained', () => near.drains > 0), far.until('drained', () => far.drains > 0)])
    await Promise.all([far.batchCount(counts[0]), near.batchCount(counts[1])])
    checkNumbers(far, counts[0])
    checkNumbers(near, counts[1])
  }),

  transportCase('close delivers what was sent before it', async ({ near, far }) => {
    const count = flood(near, 0)
    near.connection.close()
    await Promise.all([near.closed(), far.closed()])
    checkNumbers(far, count)
    checkCleanEnd(near, far)
  }),

  transportCase('closes cleanly from either side', async ({ near, far }) => {
    far.connection.close()
    await Promise.all([near.closed(), far.closed()])
    await turns(GRACE_TURNS)
    checkCleanEnd(near, far)
  }),

  transportCase('closes cleanly from both sides at once', async ({ near, far }) => {
    near.connection.close()
    far.connection.close()
    await Promise.all([near.closed(), far.closed()])
    await turns(GRACE_TURNS)
    checkCleanEnd(near, far)
  }),

  transportCase('abort ends both sides, once', async ({ near, far }) => {
    near.send(numbered(0))
    near.connection.abort('on purpose')
    await Promise.all([near.closed(), far.closed()])
    await turns(GRACE_TURNS)
    for (const end of [near, far]) check(end.closings === 1, `one closed at the ${end.name} end`, end.closings)
  }),

  transportCase('abort from inside a handler ends delivery at once', async ({ near, far }) => {
    far.onReceived = () => far.connection.abort('enough')
    for (let i = 0; i < 10; i++) near.send(numbered(i))
    await Promise.all([near.closed(), far.closed()])
    checkNumbers(far, 1)
  }),

  transportCase('abort after close ends both sides, once', async ({ near, far }) => {
    near.connection.close()
    near.connection.abort()
    await Promise.all([near.closed(), far.closed()])
    await turns(GRACE_TURNS)
    for (const end of [near, far]) check(end.closings === 1, `one closed at the ${end.name} end`, end.closings)
  }),

  transportCase('answers false to send after the end, and sends nothing', async ({ near, far }) => {
    near.connection.close()
    check(!near.send(numbered(0)), 'false from send after close()', true)
    await Promise.all([near.closed(), far.closed()])
    for (const end of [near, far])
      check(!end.send(numbered(0)), `false from send after closed at the ${end.name} end`, true)
    await turns(GRACE_TURNS)
    check(near.batches.length + far.batches.length === 0, 'no batch', near.batches.length + far.batches.length)
  }),

  transportCase('takes close and abort again and again', async ({ near, far }) => {
    near.connection.close()
    near.connection.close()
    await Promise.all([near.closed(), far.closed()])
    for (const { connection } of [near, far]) {
      connection.close()
      connection.abort()
      connection.abort('again')
    }
    await turns(GRACE_TURNS)
    checkCleanEnd(near, far)
  }),

  // A handler that throws has lost part of a batch: going on would hide the gap, letting the error out would end the process.
  transportCase('ends with an error when the handler throws', async ({ near, far }) => {
    far.onReceived = () => {
      throw new Error('thrown by the handler on purpose')
    }
    near.send(numbered(0))
    near.send(numbered(1))
    await Promise.all([near.closed(), far.closed()])
    checkNumbers(far, 1)
    check(isPulsingError(far.error), 'closed with a PulsingError', far.error)
  }),

  transportCase('carries attachments with their batch, in order', async ({ near, far }) => {
    if (!near.connection.transfers) return
    for (let i = 0; i < 20; i++)
      near.send(numbered(i), i % 2 === 0 ? undefined : { values: [{ number: i }, 'text'], transfer: [] })
    await far.batchCount(20)
    checkNumbers(far, 20)
    for (let i = 0; i < 20; i++) {
      const got = JSON.stringify(far.attachments[i])
      const expected = i % 2 === 0 ? undefined : JSON.stringify([{ number: i }, 'text'])
      check(got === expected, `attachments ${expected} with batch ${i}`, got)
    }
  }),

  transportCase('passes transferred objects on in working order', async ({ near, far }) => {
    if (!near.connection.transfers) return
    const { port1, port2 } = new MessageChannel() as unknown as { readonly port1: PortLike; readonly port2: PortLike }
    const { buffer } = pattern(1000, 3)
    near.send(numbered(0), { values: [port2, buffer], transfer: [port2, buffer] })
    await far.batchCount(1)
    const [port, bytes] = far.attachments[0] as [PortLike, ArrayBuffer]
    checkBytes(new Uint8Array(bytes), pattern(1000, 3))
    const answer = new Promise<unknown>((resolve) => {
      port1.onmessage = (event) => resolve(event.data)
    })
    port.postMessage('over the transferred port')
    check(
      (await far.within('a message over the transferred port', answer)) === 'over the transferred port',
      'a message over the transferred port',
      'another',
    )
    port1.close()
    port.close()
  }),
]
