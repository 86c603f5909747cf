// Streams across the cluster: a consumer that pauses stops its producer however far away it is, what is in between holds
// no more than the buffer, and either end notices when the other is gone.

import type { Participant } from './support/participant.ts'
import { expectRest, hostSink, pour } from './support/pouring.ts'
import type { RelayProcess } from './support/relay-process.ts'
import { expect, test } from './support/story.ts'
import type { Tab } from './support/tab.ts'

const mebibyte = 1024 * 1024
/** 32 MiB in chunks of 64 KiB: far more than anybody may hold. */
const chunks = { items: 512, bytes: 65_536 }
const bufferSize = 8
/** What a process may hold more than before while the stream rests: the buffer is half a MiB. */
const slack = 4 * mebibyte
const lost = { code: expect.stringMatching(/^(unreachable|session_reset)$/), isPulsing: true }

/** Lets `host` answer asks with streams. */
async function hostSource(host: Participant): Promise<void> {
  await host.run(async ({ actors, system }) => {
    await system.spawn(new actors.Source(), 'source', { public: true })
    await actors.Probe.options({ name: 'probe', public: true }).local(system)
  })
}

/** Has `consumer` ask the source for chunks, and read so many items. */
async function drain(consumer: Participant, allowedReads: number): Promise<void> {
  await consumer.run(
    async (lab, { request, allowedReads }) => {
      const source = await lab.system.resolve('source')
      lab.allowReads(allowedReads)
      lab.begin('drained', () => lab.drain(source.askStream<Uint8Array>(request)))
    },
    { request: { ...chunks, bufferSize }, allowedReads },
  )
}

interface Held {
  readonly relay: number
  readonly node: number
  readonly tab: number
  readonly relayRss: number
}

async function heldBy(relay: RelayProcess, node: Participant, tab: Tab): Promise<Held> {
  const { held, rss } = await relay.report()
  const { held: ofNode } = await node.run((lab) => lab.memory())
  return { relay: held, relayRss: rss, node: ofNode, tab: await tab.heldBytes() }
}

function expectFlat(before: Held, now: Held): void {
  expect(now.relay - before.relay, 'held by the relay').toBeLessThan(slack)
  expect(now.node - before.node, 'held by Node.js').toBeLessThan(slack)
  expect(now.tab - before.tab, 'held by the tab').toBeLessThan(slack)
}

test('a paused consumer in Node.js stops a tab within the buffer, and memory stays flat', async ({
  relay,
  node,
  openTab,
}) => {
  const tab = await openTab()
  await hostSink(node, 16)
  await tab.run(async ({ system }) => void (await system.resolve('sink')))
  const before = await heldBy(relay, node, tab)

  await pour(tab, { ...chunks, bufferSize })
  await expectRest(tab, node, { reads: 16, bufferSize })
  const atFirst = await heldBy(relay, node, tab)
  expectFlat(before, atFirst)
  expect(atFirst.relayRss - before.relayRss, 'resident in the relay').toBeLessThan(16 * mebibyte)

  await node.run((lab) => lab.allowReads(300))
  await expectRest(tab, node, { reads: 300, bufferSize })
  expectFlat(before, await heldBy(relay, node, tab))

  await node.run((lab) => lab.allowReads(Infinity))
  const poured = await tab.run((lab) => lab.ended('poured'))
  const asked = await tab.run((lab) => lab.ended('asked'))
  expect(poured.value).toMatchObject({ items: chunks.items, bytes: chunks.items * chunks.bytes })
  expect(asked.value).toEqual(poured)
  expectFlat(before, await heldBy(relay, node, tab))
})

test('a paused consumer in a tab stops a streamed reply of Node.js within the buffer', async ({
  relay,
  node,
  openTab,
}) => {
  const tab = await openTab()
  await hostSource(node)
  await tab.run(async ({ system }) => void (await system.resolve('source')))
  const before = await heldBy(relay, node, tab)

  await drain(tab, 16)
  await expectRest(node, tab, { reads: 16, bufferSize })
  expectFlat(before, await heldBy(relay, node, tab))

  await tab.run((lab) => lab.allowReads(Infinity))
  const drained = await tab.run((lab) => lab.ended('drained'))
  const poured = await node.run((lab) => lab.ended('poured'))
  expect(drained.value).toMatchObject({ items: chunks.items, bytes: chunks.items * chunks.bytes })
  expect(poured).toEqual(drained)
})

test('a paused consumer in a tab stops a worker of another tab within the buffer', async ({ openTab }) => {
  const [alice, bob] = [await openTab(), await openTab()]
  const worker = await bob.startWorker()
  await hostSink(alice, 16)

  await pour(worker, { ...chunks, bufferSize })
  await expectRest(worker, alice, { reads: 16, bufferSize })

  await alice.run((lab) => lab.allowReads(Infinity))
  const asked = await worker.run((lab) => lab.ended('asked'))
  const poured = await worker.run((lab) => lab.ended('poured'))
  expect(poured.value).toMatchObject({ items: chunks.items })
  expect(asked.value).toEqual(poured)
})

test('a paused stream does not hold up other messages of the two nodes', async ({ node, openTab }) => {
  const tab = await openTab()
  await hostSink(node, 1)
  await pour(tab, { ...chunks, bufferSize })
  await expectRest(tab, node, { reads: 1, bufferSize })

  const reply = await tab.run(async ({ actors, system }) =>
    (await actors.Probe.resolve(system, 'probe')).echo('past it'),
  )

  expect(reply).toEqual({ nodeId: node.nodeId, value: 'past it' })
})

test('a tab that leaves the loop stops the producer in Node.js', async ({ node, openTab }) => {
  const tab = await openTab()
  await hostSource(node)

  const read = await tab.run(
    async ({ system }, request) => {
      const source = await system.resolve('source')
      let count = 0
      for await (const _ of source.askStream(request)) if (++count === 5) break
      return count
    },
    { ...chunks, bufferSize },
  )

  expect(read).toBe(5)
  const poured = await node.run((lab) => lab.ended('poured'))
  expect(poured.error).toMatchObject({ name: 'StreamClosedError', code: 'stream_closed', isPulsing: true })
  expect(await node.run((lab) => lab.counted('writerAborted'))).toBe(1)
  expect(await node.run((lab) => lab.counted('written'))).toBeLessThanOrEqual(5 + bufferSize)
})

test('a consumer in Node.js that leaves the loop stops the producer in a tab', async ({ node, openTab }) => {
  const tab = await openTab()
  await node.run(async (lab) => {
    lab.allowReads(5)
    await lab.system.spawn(new lab.actors.Taster(), 'sink', { public: true })
  })

  await pour(tab, { ...chunks, bufferSize })

  const poured = await tab.run((lab) => lab.ended('poured'))
  expect(poured.error).toMatchObject({ name: 'StreamClosedError', code: 'stream_closed', isPulsing: true })
  expect(await tab.run((lab) => lab.counted('writerAborted'))).toBe(1)
  expect(await tab.run((lab) => lab.counted('written'))).toBeLessThanOrEqual(5 + bufferSize)
  expect((await tab.run((lab) => lab.ended('asked'))).value).toBe('enough')
})

test('a producer that gives up lets its reader have what came before, then the error', async ({ node, openTab }) => {
  const tab = await openTab()
  await hostSink(node, 1_000)

  await tab.run(async (lab) => {
    const sink = await lab.system.resolve('sink')
    const [message, writer] = lab.pulsing.StreamMessage.create('chunks', 4)
    lab.begin('asked', () => sink.ask(message).then((reply) => reply.toObject()))
    for (let i = 0; i < 10; i++) await writer.write(new Uint8Array([i]))
    await writer.error('out of ink')
  })

  const asked = await tab.run((lab) => lab.ended('asked'))
  expect(asked.value).toMatchObject({ error: { name: 'StreamError', code: 'stream_error', message: 'out of ink' } })
  expect(await node.run((lab) => lab.counted('read'))).toBe(10)
})

for (const [what, bytes] of [
  ['that cannot travel', undefined],
  ['that is too large for a message', 16 * mebibyte + 1],
  ['that is too large for a link', 20 * mebibyte],
] as const) {
  test(`an item ${what} ends the stream with NotSerialisableError at both ends, and nothing else`, async ({
    node,
    openTab,
  }) => {
    const tab = await openTab()
    await hostSink(node, 1_000)

    const result = await tab.run(async (lab, bytes) => {
      const sink = await lab.system.resolve('sink')
      const probe = await lab.actors.Probe.resolve(lab.system, 'probe')
      const [message, writer] = lab.pulsing.StreamMessage.create('chunks', 4)
      const asked = lab.outcomeOf(async () => (await sink.ask(message)).toObject())
      await writer.write(new Uint8Array([1]))
      const stopped = new Promise((resolve) => writer.signal.addEventListener('abort', resolve))
      await writer.write(bytes === undefined ? new WeakMap() : new Uint8Array(bytes))
      await stopped
      return {
        asked: await asked,
        next: await lab.outcomeOf(() => writer.write(1)),
        after: await probe.echo('still fine'),
      }
    }, bytes)

    expect(result.asked.value).toMatchObject({ error: { name: 'NotSerialisableError', code: 'serialization_error' } })
    expect(result.next.error).toMatchObject({ code: 'stream_closed' })
    expect(result.after).toEqual({ nodeId: node.nodeId, value: 'still fine' })
  })
}

test('a tab closed in the middle of its stream is an error to the reader, not an end', async ({ node, openTab }) => {
  const tab = await openTab()
  await hostSink(node, 16)
  await pour(tab, { ...chunks, bufferSize })
  await expectRest(tab, node, { reads: 16, bufferSize })

  await tab.page.close()
  await node.run((lab) => lab.untilMembers(2))
  await node.run((lab) => lab.allowReads(Infinity))

  await node.run((lab) => lab.until(() => lab.counted('drained') === 1))
  const drained = await node.run((lab) => lab.kept.drained)
  expect(drained?.value).toBeUndefined()
  expect(drained?.error).toMatchObject(lost)
})

test('a producer whose reader was closed with its tab is stopped', async ({ node, openTab }) => {
  const tab = await openTab()
  await hostSource(node)
  await drain(tab, 16)
  await expectRest(node, tab, { reads: 16, bufferSize })

  await tab.page.close()

  const poured = await node.run((lab) => lab.ended('poured'))
  expect(poured.error).toMatchObject({ isPulsing: true, code: 'stream_closed' })
  expect(await node.run((lab) => lab.counted('writerAborted'))).toBe(1)
})

test('a relay killed in the middle of a stream is an error to the reader, not an end', async ({
  relay,
  node,
  openTab,
}) => {
  const tab = await openTab()
  await hostSource(node)
  await drain(tab, 16)
  await expectRest(node, tab, { reads: 16, bufferSize })

  await relay.kill()
  await tab.run((lab) => lab.untilMembers(1))
  await tab.run((lab) => lab.allowReads(Infinity))

  const drained = await tab.run((lab) => lab.ended('drained'))
  expect(drained.value).toBeUndefined()
  expect(drained.error).toMatchObject(lost)
})

test('a reply stream is a web stream in a tab', async ({ node, openTab }) => {
  const tab = await openTab()
  await hostSource(node)

  const bytes = await tab.run(
    async ({ system }, request) => {
      const source = await system.resolve('source')
      const { readable } = source.askStream<Uint8Array<ArrayBuffer>>(request)
      return (await new Response(readable).arrayBuffer()).byteLength
    },
    { items: 20, bytes: 1_000, bufferSize },
  )

  expect(bytes).toBe(20_000)
})
