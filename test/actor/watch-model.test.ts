/**
 * Watching against a model: whatever watches, unwatches, messages and ends come in whatever order, each watch that stands
 * when its actor has ended brings one Terminated, behind that actor's messages, and nothing else does.
 */

import fc from 'fast-check'
import type { ActorContext, ActorRef, Terminated } from 'pulsing'
import { expect, test } from 'vitest'
import { startSystem, turn } from './systems.ts'

const ACTORS = 4

interface Step {
  readonly op: 'watch' | 'unwatch' | 'watch, and unwatch at once' | 'watch twice' | 'stop' | 'tell'
  readonly actor: number
}

const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom('watch', 'unwatch', 'watch, and unwatch at once', 'watch twice', 'stop', 'tell'),
  actor: fc.nat(ACTORS - 1),
})

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
      for (const { op, actor } of steps) {
        const ref = refs[actor]!
        if (op === 'tell') await ref.tell('speak')
        else if (op === 'stop') {
          await system.stop(ref)
          ended.add(actor)
        } else {
          if (op !== 'unwatch') ctx.watch(ref)
          if (op === 'watch twice') ctx.watch(ref)
          if (op === 'watch' || op === 'watch twice') watched.add(actor)
          else {
            ctx.unwatch(ref)
            watched.delete(actor)
          }
        }
        // What stands when the actor has ended is told, once, and stands no more.
        if (watched.has(actor) && ended.has(actor)) {
          watched.delete(actor)
          expected.set(actor, (expected.get(actor) ?? 0) + 1)
        }
        for (let i = 0; i < 4; i++) await turn()
      }

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
