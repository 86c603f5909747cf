/** Watches and links: what can be watched by a ref that has travelled, and what cannot. */
import { type ActorContext, type ActorRef, type Message, UnreachableError } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { Lab, type LabNode, settle } from '../remote/lab.ts'
import { ended, noted, watchersOf } from './watchers.ts'

interface Watching {
  readonly ref: ActorRef
  readonly heard: unknown[]
  readonly ctx: ActorContext
}

async function watching(node: LabNode): Promise<Watching> {
  const heard: unknown[] = []
  let context: ActorContext | undefined
  const ref = await node.runtime.spawn(
    { onStart: (ctx) => void (context = ctx), receive: (msg: Message) => void heard.push(noted(msg)) },
    undefined,
    undefined,
  )
  return { ref, heard, ctx: context! }
}

const idle = { receive: (): undefined => undefined }

/** A ref of `node` as it comes back from the other node. */
async function travelled(node: LabNode, ref: ActorRef): Promise<ActorRef> {
  const echo = await node.other.host((msg) => msg.toObject())
  return (await echo.ask<{ ref: ActorRef }>({ ref })).ref
}

describe('a ref to an actor of this node that came back over a link', () => {
  test('watches that actor like any other ref, and is no second watch', async () => {
    const { a } = new Lab()
    const { heard, ctx } = await watching(a)
    const watched = await a.runtime.spawn({ ...idle }, undefined, undefined)
    const back = await travelled(a, watched)
    expect(back.isLocal).toBe(true)
    ctx.watch(back)
    ctx.watch(watched)
    expect(watchersOf(watched)).toBe(1)
    await a.runtime.stop(watched.id, 'killed')
    await settle()
    expect(heard).toEqual([ended(watched, 'killed')])
  })

  test('unwatches what was watched by another', async () => {
    const { a } = new Lab()
    const { heard, ctx } = await watching(a)
    const watched = await a.runtime.spawn({ ...idle }, undefined, undefined)
    ctx.watch(watched)
    ctx.unwatch(await travelled(a, watched))
    expect(watchersOf(watched)).toBe(0)
    await a.runtime.stop(watched.id, 'killed')
    await settle()
    expect(heard).toEqual([])
  })

  test('to one that has ended, and of which nothing is known any more, tells at once that it ended as normal', async () => {
    const { a } = new Lab()
    const { heard, ctx } = await watching(a)
    const watched = await a.runtime.spawn({ ...idle }, undefined, undefined)
    await a.runtime.stop(watched.id, 'killed')
    const back = await travelled(a, watched)
    ctx.watch(back)
    ctx.watch(back)
    await settle()
    expect(heard).toEqual([ended(watched, 'normal')])
    ctx.watch(back)
    ctx.unwatch(back)
    await settle()
    expect(heard.length).toBe(1)
  })

  test('that ended while it was away is watched like one of which nothing is known, and the old ref knows more', async () => {
    const { a } = new Lab()
    const { heard, ctx } = await watching(a)
    const watched = await a.runtime.spawn({ ...idle }, undefined, undefined)
    const [first, second] = [await travelled(a, watched), travelled(a, watched)]
    await a.runtime.stop(watched.id, 'failed')
    ctx.watch(first)
    await settle()
    ctx.watch(await second)
    await settle()
    expect(heard).toEqual([ended(watched, 'failed'), ended(watched, 'normal')])
  })
})

describe('an actor of another node', () => {
  test('is told of once, with its reason, however often it is watched, and nothing is left of it', async () => {
    const { a, b } = new Lab()
    const { heard, ctx } = await watching(a)
    const remote = await b.host(idle)
    ctx.watch(remote)
    ctx.watch(remote)
    ctx.watch(ctx.bind(remote))
    await settle()
    expect(heard).toEqual([])
    await b.runtime.stop(remote.id, 'killed')
    await settle()
    expect(heard).toEqual([ended(remote, 'killed')])
    expect(a.association.watches.size).toBe(0)
    expect([a.association.isIdle, b.association.isIdle]).toEqual([true, true])
  })

  test('that had ended before is told of at once', async () => {
    const { a, b } = new Lab()
    const { heard, ctx } = await watching(a)
    const remote = await b.host(idle)
    await b.runtime.stop(remote.id, 'failed')
    ctx.watch(remote)
    await settle()
    expect(heard).toEqual([ended(remote, 'normal')])
  })

  test('is told of behind the last message it sent', async () => {
    const { a, b } = new Lab()
    const { ref, heard, ctx } = await watching(a)
    const home = b.peers.refTo(a.nodeId, ref.id, undefined)
    const remote = await b.host((_msg, own) => {
      for (let i = 0; i < 100; i++) void own.tell(home, i)
      own.stop()
    })
    ctx.watch(remote)
    await settle()
    await remote.tell('go')
    await settle(30)
    expect(heard).toHaveLength(101)
    expect(heard.at(-1)).toBe(ended(remote, 'normal'))
  })

  test('that is not watched any more is not told of, and not asked about', async () => {
    const { a, b } = new Lab()
    const { heard, ctx } = await watching(a)
    const remote = await b.host(idle)
    ctx.watch(remote)
    await settle()
    ctx.unwatch(remote)
    await settle()
    expect([a.association.isIdle, b.association.isIdle]).toEqual([true, true])
    await b.runtime.stop(remote.id, 'killed')
    await settle()
    expect(heard).toEqual([])
  })

  test('whose node is only out of reach is not told of; whose node is gone is unreachable, once', async () => {
    const { a, b, clock } = new Lab()
    const { heard, ctx } = await watching(a)
    const remote = await b.host(idle)
    ctx.watch(remote)
    await settle()
    b.isLinked = false
    a.lose()
    clock.advance(1_000)
    await settle()
    expect(heard).toEqual([])
    a.peers.gone(b.nodeId, new UnreachableError('gone, says the test'))
    await settle()
    expect(heard).toEqual([ended(remote, 'unreachable')])
  })

  test('is watched by many with one question', async () => {
    const { a, b } = new Lab()
    const watchers = [await watching(a), await watching(a), await watching(a)]
    const remote = await b.host(idle)
    for (const { ctx } of watchers) ctx.watch(remote)
    await settle()
    expect(a.association.pending.asks).toBe(1)
    await a.runtime.stop(watchers[2]!.ref.id, 'killed')
    await b.runtime.stop(remote.id, 'shutdown')
    await settle()
    expect(watchers.map(({ heard }) => heard)).toEqual([[ended(remote, 'shutdown')], [ended(remote, 'shutdown')], []])
  })
})
