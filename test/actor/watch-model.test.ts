/**
 * Watching against a model: whatever watches, unwatches, messages and ends come in whatever order, each watch that stands
 * when its actor has ended brings one Terminated, behind that actor's messages, and nothing else does.
 */

import fc from 'fast-check'
import type { ActorContext, ActorRef, Terminated } from 'pulsing'
import { expect, test } from 'vitest'
import { startSystem, turn } from './systems.ts'

const ACTORS = 4

type Step = { readonly op: 'watch' | 'unwatch' | 'stop' | 'tell'; readonly actor: number } | { readonly op: 'turn' }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    op: fc.constantFrom('watch' as const, 'unwatch' as const, 'stop' as const, 'tell' as const),
    actor: fc.nat(ACTORS - 1),
  }),
  fc.constant<Step>({ op: 'turn' }),
)

const overflow = fc.constantFrom('wait' as const, 'drop-newest' as const, 'drop-oldest' as const)

test('one Terminated for every watch that stands, behind the last message, and no other', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), overflow, async (steps, policy) => {
      const system = await startSystem()
      const heard: string[] = []
      let ctx!: ActorContext
      const watcher = await system.spawn(
        {
          onStart: (own) => {
            ctx = own
          },
          receive: (msg) => {
            heard.push(
              msg.msgType === 'Terminated'
                ? `end ${refs.findIndex(({ id }) => id === msg.toObject<Terminated>().ref.id)}`
                : `from ${msg.toObject<number>()}`,
            )
          },
        },
        { mailbox: { capacity: 16, overflow: policy } },
      )
      const refs: ActorRef[] = []
      for (let i = 0; i < ACTORS; i++)
        refs.push(await system.spawn({ receive: (_msg, own) => void own.tell(watcher, i).catch(() => undefined) }))

      const watched = new Set<number>()
      const ended = new Set<number>()
      const expected = new Map<number, number>()
      const due = (actor: number): void => {
        // What stands when the end is known, and is not taken back before it is heard, is heard.
        if (watched.has(actor) && ended.has(actor)) pending.add(actor)
      }
      const pending = new Set<number>()
      for (const each of steps) {
        if (each.op === 'turn') {
          for (let i = 0; i < 6; i++) await turn()
          for (const actor of pending) {
            expected.set(actor, (expected.get(actor) ?? 0) + 1)
            watched.delete(actor)
          }
          pending.clear()
        } else if (each.op === 'watch') {
          ctx.watch(refs[each.actor]!)
          watched.add(each.actor)
          due(each.actor)
        } else if (each.op === 'unwatch') {
          ctx.unwatch(refs[each.actor]!)
          watched.delete(each.actor)
          pending.delete(each.actor)
        } else if (each.op === 'tell') await refs[each.actor]!.tell('speak')
        else {
          for (let i = 0; i < 6; i++) await turn()
          for (const actor of pending) {
            expected.set(actor, (expected.get(actor) ?? 0) + 1)
            watched.delete(actor)
          }
          pending.clear()
          await system.stop(refs[each.actor]!)
          ended.add(each.actor)
          due(each.actor)
        }
      }
      for (let i = 0; i < 6; i++) await turn()
      for (const actor of pending) expected.set(actor, (expected.get(actor) ?? 0) + 1)

      for (let i = 0; i < ACTORS; i++) {
        expect(heard.filter((each) => each === `end ${i}`).length).toBe(expected.get(i) ?? 0)
        const first = heard.indexOf(`end ${i}`)
        if (first >= 0) expect(heard.lastIndexOf(`from ${i}`)).toBeLessThan(first)
      }
      await system.shutdown()
    }),
    { numRuns: 150 },
  )
})
