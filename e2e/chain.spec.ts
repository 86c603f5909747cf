// A worker, its page, a relay, another relay, a leaf: between the ends of the longest way there is, everything works as
// between neighbours, and goes on when the relay of the page is killed.

import type { ActorRef } from 'pulsing'
import { Chain } from './support/chain.ts'
import { expectRest, hostSink, pour } from './support/pouring.ts'
import { ask, hostProbe } from './support/probes.ts'
import { test as base, expect } from './support/story.ts'

/** 16 MiB in chunks of 64 KiB: no more than a few of them are under way at a time. */
const chunks = { items: 256, bytes: 65_536 }
const bufferSize = 8
/** Well below the time after which a silent neighbour is given up: a worker's end is noticed, not timed out. */
const soonMs = 5_000

const test = base.extend<{ chain: Chain }>({
  chain: async ({ site, context }, use) => {
    const chain = await Chain.start(context, site.origin)
    await use(chain)
    await chain.close()
    expect(chain.page.problems).toEqual([])
  },
})

test('the worker and the leaf ask each other', async ({ chain: { worker, leaf } }) => {
  await hostProbe(worker, 'in-worker')
  await hostProbe(leaf, 'on-leaf')

  for (let i = 0; i < 10; i++) {
    expect(await ask(worker, 'on-leaf')).toEqual({ nodeId: leaf.nodeId, value: 'to on-leaf' })
    expect(await ask(leaf, 'in-worker')).toEqual({ nodeId: worker.nodeId, value: 'to in-worker' })
  }
})

test('a consumer at the leaf that pauses stops the worker within the buffer', async ({ chain: { worker, leaf } }) => {
  await hostSink(leaf, 16)

  await pour(worker, { ...chunks, bufferSize })
  await expectRest(worker, leaf, { reads: 16, bufferSize })
  await leaf.run((lab) => lab.allowReads(100))
  await expectRest(worker, leaf, { reads: 100, bufferSize })

  await leaf.run((lab) => lab.allowReads(Infinity))
  const poured = await worker.run((lab) => lab.ended('poured'))
  expect(poured.value).toMatchObject({ items: chunks.items, bytes: chunks.items * chunks.bytes })
  expect((await worker.run((lab) => lab.ended('asked'))).value).toEqual(poured)
})

test('whom the leaf passes a ref to asks the actor in the worker, which has no name', async ({ chain }) => {
  const { worker, leaf } = chain
  const third = await chain.openTab()
  await hostProbe(leaf, 'on-leaf')
  await hostProbe(third, 'in-third')

  await worker.run(async ({ actors, system }) => {
    const own = await actors.Probe.local(system)
    await (await actors.Probe.resolve(system, 'on-leaf')).note(own.ref)
  })
  const reply = await leaf.run(async ({ actors, notes, system }) => {
    const probe = await actors.Probe.resolve(system, 'in-third')
    return probe.askOther(notes[0] as ActorRef, 'handed on twice')
  })

  expect(reply).toEqual({ nodeId: worker.nodeId, value: 'handed on twice' })
})

test('a watcher at the leaf is told once that the worker was terminated', async ({ chain: { worker, page, leaf } }) => {
  await hostProbe(worker, 'in-worker')
  await hostProbe(page, 'in-page')
  await leaf.run(async (lab) => {
    const watched = await lab.system.resolve('in-worker')
    lab.kept.ref = await lab.system.spawn({
      onStart: (ctx) => ctx.watch(watched),
      receive: (msg) => {
        if (msg.msgType !== 'Terminated') return lab.notes.length
        const { ref, reason } = msg.toObject<{ ref: ActorRef; reason: string }>()
        lab.note({ reason, isIt: ref.id === watched.id && ref.nodeId === watched.nodeId })
        return undefined
      },
    })
  })
  // The worker has the watch now: it came before this question.
  await ask(leaf, 'in-worker')

  const begin = performance.now()
  await page.run((lab) => lab.terminateWorker())
  await leaf.run((lab) => lab.until(() => lab.notes.length > 0))
  expect(performance.now() - begin).toBeLessThan(soonMs)
  await leaf.run((lab) => lab.untilMembers(4))

  // Whatever else was on its way has come when messages went to and fro behind it, and been handled before the question.
  for (let i = 0; i < 10; i++) await ask(leaf, 'in-page')
  expect(await leaf.run((lab) => lab.kept.ref!.ask('how many?'))).toBe(1)
  expect(await leaf.run((lab) => lab.notes)).toEqual([{ reason: 'unreachable', isIt: true }])
})

test('a stream goes on when the relay of the page is killed, every item once and in order', async ({ chain }) => {
  const { worker, page, near, far, leaf } = chain
  await hostProbe(worker, 'in-worker')
  await hostProbe(worker, 'slow in worker')
  await hostSink(leaf, chunks.items / 2)
  await leaf.run(async (lab) => {
    const slow = await lab.actors.Probe.resolve(lab.system, 'slow in worker')
    lab.begin('asked', () => slow.answerAfter('mayAnswer', 'late'))
  })
  await worker.run((lab) => lab.until(() => lab.counted('waiting') === 1))

  await pour(worker, { ...chunks, bufferSize })
  // It runs, and comes to no end before the page is at the other relay.
  await leaf.run((lab) => lab.until(() => lab.counted('read') >= 16))
  await chain.killNear()
  await page.run(
    (lab, relays) =>
      lab.until(() => {
        const at = (name: string, nodeId: string): number =>
          lab.events.findIndex((event) => event.name === name && event.nodeId === nodeId)
        const [closed, opened] = [at('linkClosed', relays.near), at('linkOpened', relays.far)]
        return closed >= 0 && opened > closed
      }),
    { near: near.nodeId, far: far.nodeId },
  )
  await leaf.run((lab) => lab.allowReads(Infinity))
  await worker.run((lab) => lab.count('mayAnswer'))

  const poured = await worker.run((lab) => lab.ended('poured'))
  expect(poured.value).toMatchObject({ items: chunks.items, bytes: chunks.items * chunks.bytes })
  expect((await worker.run((lab) => lab.ended('asked'))).value).toEqual(poured)
  expect(await leaf.run((lab) => lab.counted('read'))).toBe(chunks.items)
  // What was asked before is answered, and what is asked now.
  expect(await leaf.run((lab) => lab.ended('asked'))).toEqual({ value: 'late' })
  expect(await ask(worker, 'probe')).toEqual({ nodeId: leaf.nodeId, value: 'to probe' })
  expect(await ask(leaf, 'in-worker')).toEqual({ nodeId: worker.nodeId, value: 'to in-worker' })
  for (const end of [worker, leaf]) {
    const lost = await end.run(({ events }) => events.filter(({ name }) => /^(memberLeft|deadLetter)$/.test(name)))
    expect(lost).toEqual([])
  }
})
