/** Watches and links: what can be watched by a ref that has travelled, and what cannot. */
import { type ActorContext, type ActorRef, type Message, PulsingUnsupportedError } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { Lab, type LabNode, settle } from '../remote/lab.ts'
import { cellOf, ended, noted, watchersOf } from './watchers.ts'

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

describe('a ref to an actor of another node', () => {
  test('cannot be watched, however often that is tried, and nothing is kept of it', async () => {
    const { a, b } = new Lab()
    const { ref, ctx } = await watching(a)
    const remote = await b.host(idle)
    for (let i = 0; i < 3; i++) expect(() => ctx.watch(remote)).toThrow(PulsingUnsupportedError)
    expect(() => ctx.watch(ctx.bind(remote))).toThrow('expected an actor of this node to watch')
    ctx.unwatch(remote)
    expect(() => ctx.watch(remote)).toThrow(PulsingUnsupportedError)
    await a.runtime.stop(ref.id, 'killed')
    expect(cellOf(ref).isStopped).toBe(true)
  })

  test('tells what was expected and whose actor it is', async () => {
    const { a, b } = new Lab()
    const { ctx } = await watching(a)
    const remote = await b.host(idle)
    expect(() => ctx.watch(remote)).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: expect.stringContaining('got one of another'),
        address: String(remote),
      }),
    )
  })
})
