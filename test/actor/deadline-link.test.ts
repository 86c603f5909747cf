/** Deadlines and giving up where the actors of a chain of asks are on two nodes, and every hop is a link. */
import { type ActorContext, type ActorRef, DEFAULT_ASK_TIMEOUT_MS } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { isKind, Lab, type LabNode, settle, until } from '../remote/lab.ts'
import { gate, stateOf } from './systems.ts'

type Way = (ctx: ActorContext, next: ActorRef) => Promise<unknown>

const ways: [string, Way][] = [
  ['ctx.ask', (ctx, next) => ctx.ask(next, 'pass')],
  ['a bound ref', (ctx, next) => ctx.bind(next).ask('pass')],
  ['a bound proxy', (ctx, next) => ctx.bind(next.asAny()).pass!()],
]
const waysAndDepths = ways.flatMap(([name, way]) => [2, 3].map((depth) => [name, depth, way] as const))

/** Actors in a row, every other one on the other node; node a's ref of the first one, which is on node b. */
async function row(lab: Lab, nest: Way, depth: number, inside: (ctx: ActorContext) => unknown): Promise<ActorRef> {
  let next: ActorRef | undefined
  for (let i = depth; i > 0; i--) {
    const node: LabNode = i % 2 === 1 ? lab.b : lab.a
    const last = next
    next = await node.host((_msg, ctx) => (last ? nest(ctx, last) : inside(ctx)))
  }
  return next!
}

function reasonOf(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason)
    else signal.addEventListener('abort', () => resolve(signal.reason))
  })
}

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

/** What of both nodes still waits for something: asks here and between them, and what they handle for each other. */
function pendingIn({ a, b }: Lab): unknown {
  return [a, b].map(({ runtime, peers, association }) => [
    runtime.census().asks,
    peers.deadlines.size,
    association.pending,
  ])
}
const NOTHING = [0, 0, { asks: 0, handling: 0, streams: 0 }]

describe.each(waysAndDepths)('nested with %s, %d nodes deep', (_name, depth, nest) => {
  test('the innermost handler has the caller’s deadline', async () => {
    const lab = new Lab()
    lab.clock.advance(1_000)
    const first = await row(lab, nest, depth, (ctx) => ctx.deadline)
    expect(await first.ask('go', { timeout: 250 })).toBe(1_250)
    expect(await first.ask('go')).toBe(1_000 + DEFAULT_ASK_TIMEOUT_MS)
  })

  test('the caller’s timeout aborts the innermost handler, and nothing is left on either node', async () => {
    const lab = new Lab()
    const reason = gate<unknown>()
    const first = await row(lab, nest, depth, async (ctx) => reason.open(await reasonOf(ctx.signal)))
    const asked = outcomeOf(first.ask('go', { timeout: 250 }))
    await settle()
    lab.clock.advance(249)
    expect(await stateOf(asked)).toBe('pending')
    lab.clock.advance(1)
    expect(await asked).toMatchObject({ code: 'timeout', durationMs: 250 })
    expect(await reason.opened).toBeInstanceOf(Error)
    await settle()
    expect(pendingIn(lab)).toEqual([NOTHING, NOTHING])
  })

  test('the caller’s abort reaches the innermost handler, and nothing is left on either node', async () => {
    const lab = new Lab()
    const reason = gate<unknown>()
    const started = gate()
    const first = await row(lab, nest, depth, async (ctx) => {
      started.open()
      reason.open(await reasonOf(ctx.signal))
    })
    const controller = new AbortController()
    const asked = outcomeOf(first.ask('go', { signal: controller.signal }))
    await started.opened
    const enough = new RangeError('enough')
    controller.abort(enough)
    expect(await asked).toBe(enough)
    expect(await reason.opened).toBeInstanceOf(Error)
    await settle()
    expect(pendingIn(lab)).toEqual([NOTHING, NOTHING])
  })
})

test('a nested ask to another node with a shorter timeout ends by itself; the handler goes on and answers', async () => {
  const lab = new Lab()
  const aborted = gate<unknown>()
  const inner = await lab.a.host(async (_msg, ctx) => aborted.open(await reasonOf(ctx.signal)))
  const outer = await lab.b.host(async (_msg, ctx) => {
    const nested = (await outcomeOf(ctx.ask(inner, 'go', { timeout: 10 }))) as { code: string; durationMs: number }
    return [nested.code, nested.durationMs, ctx.signal.aborted]
  })
  const asked = outer.ask('go', { timeout: 1_000 })
  await settle()
  lab.clock.advance(10)
  expect(await asked).toEqual(['timeout', 10, false])
  await aborted.opened
  await settle()
  expect(pendingIn(lab)).toEqual([NOTHING, NOTHING])
})

test('an ask to another node nested in a tell from another node has a deadline of its own only', async () => {
  const lab = new Lab()
  const seen = gate<unknown>()
  const inner = await lab.a.host((_msg, ctx) => ctx.deadline)
  const outer = await lab.b.host(async (_msg, ctx) =>
    seen.open([
      ctx.deadline,
      await ctx.ask(inner, 'go'),
      await ctx.ask(inner, 'go', { timeout: 20 }),
      await ctx.ask(inner, 'go', { timeout: Infinity }),
    ]),
  )
  await outer.tell('go')
  expect(await seen.opened).toEqual([undefined, DEFAULT_ASK_TIMEOUT_MS, 20, undefined])
})

test('an ask to another node nested after the caller gave up rejects, sends nothing, and leaves nothing', async () => {
  const lab = new Lab()
  let handled = 0
  const inner = await lab.a.host(() => void handled++)
  const nested = gate<unknown>()
  const outer = await lab.b.host(async (_msg, ctx) => {
    await reasonOf(ctx.signal)
    nested.open(await outcomeOf(ctx.ask(inner, 'too late')))
  })
  const controller = new AbortController()
  const asked = outcomeOf(outer.ask('go', { signal: controller.signal }))
  await settle()
  controller.abort()
  await asked
  expect(await nested.opened).toBeInstanceOf(Error)
  await settle()
  expect([handled, lab.b.sent.filter(isKind('ask')).length]).toEqual([0, 0])
  expect(pendingIn(lab)).toEqual([NOTHING, NOTHING])
})

describe('an ask from another node that waits in a mailbox', () => {
  async function withWaiting(lab: Lab) {
    const handled: unknown[] = []
    const free = gate()
    const inner = await lab.b.host(async (msg) => {
      handled.push(msg.toObject())
      if (msg.toObject() === 'first') await free.opened
    })
    const first = inner.ask('first', { timeout: Infinity })
    await until(() => handled.length === 1)
    const release = (): Promise<unknown> => {
      free.open()
      return first
    }
    return { inner, handled, release }
  }

  test('is not handled once its caller’s time was over', async () => {
    const lab = new Lab()
    const { inner, handled, release } = await withWaiting(lab)
    const late = outcomeOf(inner.ask('late', { timeout: 50 }))
    await settle()
    lab.clock.advance(50)
    expect(await late).toMatchObject({ code: 'timeout' })
    await settle()
    await release()
    await settle()
    expect(handled).toEqual(['first'])
    expect(lab.b.deadLetters.length).toBe(1)
  })

  test('is not handled once its caller’s time was over, also when nobody could say so', async () => {
    const lab = new Lab()
    const { inner, handled, release } = await withWaiting(lab)
    const late = outcomeOf(inner.ask('late', { timeout: 50 }))
    await settle()
    lab.fate = (frame) => (isKind('cancel')(frame) ? [] : [frame])
    lab.clock.advance(50)
    expect(await late).toMatchObject({ code: 'timeout' })
    await settle()
    await release()
    await settle()
    expect(handled).toEqual(['first'])
    expect(lab.b.deadLetters).toEqual(['timeout'])
  })

  test('is a dead letter of reason cancelled when its caller gave up', async () => {
    const lab = new Lab()
    const { inner, handled, release } = await withWaiting(lab)
    const controller = new AbortController()
    const unwanted = outcomeOf(inner.ask('unwanted', { signal: controller.signal }))
    await settle()
    controller.abort()
    await unwanted
    await settle()
    await release()
    await settle()
    expect(handled).toEqual(['first'])
    expect(lab.b.deadLetters).toEqual(['cancelled'])
  })
})

test('stop aborts the handler’s signal, but lets its asks to another node finish and answers its caller', async () => {
  const lab = new Lab()
  const answer = gate<string>()
  const inner = await lab.a.host(async (_msg, ctx) => [await answer.opened, ctx.signal.aborted])
  let reason: unknown
  const outer = await lab.b.host((_msg, ctx) => {
    ctx.signal.addEventListener('abort', () => (reason = ctx.signal.reason))
    return ctx.ask(inner, 'go')
  })
  const asked = outer.ask('go')
  await settle()
  const stopped = lab.b.runtime.stop(outer.id, 'killed')
  await settle()
  expect(reason).toMatchObject({ code: 'actor_stopped' })
  expect([await stateOf(asked), await stateOf(stopped)]).toEqual(['pending', 'pending'])
  answer.open('still wanted')
  expect(await asked).toEqual(['still wanted', false])
  await stopped
})

describe('asks nested in the generator of a stream that another node reads', () => {
  test('are given up when the reader leaves, and so the generator ends', async () => {
    const lab = new Lab()
    const aborted = gate<unknown>()
    const ended = gate()
    const inner = await lab.a.host(async (_msg, ctx) => aborted.open(await reasonOf(ctx.signal)))
    const outer = await lab.b.host(async function* (_msg, ctx) {
      try {
        yield 1
        yield await ctx.ask(inner, 'go', { timeout: Infinity })
      } finally {
        ended.open()
      }
    })
    const items = outer.askStream('go')
    expect(await items.next()).toEqual({ done: false, value: 1 })
    await settle()
    await items.cancel()
    await Promise.all([aborted.opened, ended.opened])
    await settle()
    expect(pendingIn(lab)).toEqual([NOTHING, NOTHING])
  })

  test('outlive the ask that was answered with the stream: its timeout bounds the wait for the reply only', async () => {
    const lab = new Lab()
    const inner = await lab.a.host((_msg, ctx) => ctx.deadline)
    const wanted = gate()
    const outer = await lab.b.host(async function* (_msg, ctx) {
      yield 'first'
      await wanted.opened
      yield [ctx.deadline ?? 'none', await ctx.ask(inner, 'go', { timeout: 10 })]
    })
    const items = outer.askStream('go', { timeout: 100 })
    await items.next()
    lab.clock.advance(200)
    wanted.open()
    expect(await outcomeOf(items.next())).toEqual({ done: false, value: ['none', 210] })
    await items.cancel()
  })
})
