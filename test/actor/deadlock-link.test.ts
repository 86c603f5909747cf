/** Cycles of asks and the wire: one on a single node is told to callers elsewhere; one over two nodes ends by its deadline. */
import { type ActorRef, DeadlockError } from 'pulsing'
import { expect, test } from 'vitest'
import { Lab, settle } from '../remote/lab.ts'

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

test('a caller on another node gets the DeadlockError of a cycle there, with its chain', async () => {
  const lab = new Lab()
  const { runtime } = lab.b
  const refs = new Map<string, ActorRef>()
  for (const [name, next] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const)
    refs.set(name, await runtime.spawn({ receive: (_msg, ctx) => ctx.ask(refs.get(next)!, 'go') }, name, undefined))
  const first = lab.a.peers.refTo(lab.b.nodeId, refs.get('a')!.id, 'a')
  const error = await outcomeOf(first.ask('go'))
  expect(error).toBeInstanceOf(DeadlockError)
  expect(error).toMatchObject({ code: 'deadlock', chain: ['a', 'b', 'a'], address: String(refs.get('a')) })
})

// What a node knows of a chain ends at its border: nobody sees this cycle, but everybody in it has the same deadline.
test('a cycle over two nodes is not seen, and ends with a timeout when the caller’s deadline has come', async () => {
  const lab = new Lab()
  const seen: unknown[] = []
  let isBusy = false
  const here: ActorRef = await lab.a.host(async (_msg, ctx) => {
    isBusy = true
    return ctx.ask(there, 'go')
  })
  const there: ActorRef = await lab.b.host(async (_msg, ctx) => {
    const back = await outcomeOf(ctx.ask(here, 'back', { timeout: Infinity }))
    seen.push(back)
    throw back
  })
  const own = lab.a.runtime.byId(here.id)!.ref
  const asked = outcomeOf(own.ask('go', { timeout: 100 }))
  await settle()
  expect([isBusy, seen]).toEqual([true, []])
  lab.clock.advance(100)
  expect(await asked).toMatchObject({ code: 'timeout' })
  await settle()
  expect(seen).toMatchObject([{ code: 'timeout' }])
  for (const { runtime, peers } of [lab.a, lab.b])
    expect([runtime.census().asks, peers.deadlines.size, peers.pending]).toEqual([0, 0, { asks: 0, streams: 0 }])
  expect(lab.isClean).toBe(true)
})
