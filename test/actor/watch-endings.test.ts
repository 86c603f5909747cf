/** How a watch ends: by unwatch, by the end of the watcher, or with the one Terminated; and what is left of it then: nothing. */
import fc from 'fast-check'
import { type ActorContext, type ActorRef, createActorSystem, SystemConfig } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { gate, manualTime, quiet, startSystem, stateOf, turn } from './systems.ts'
import { cellOf, ended, isCollected, observe, subject, watchersOf } from './watchers.ts'

describe('unwatch', () => {
  test('before the end: nothing is told, and nothing is left in the watched actor', async () => {
    const system = await startSystem()
    const watched = await subject(system)
    const { heard, ctx } = await observe(system, { watch: [watched] })
    expect(watchersOf(watched)).toBe(1)
    ctx.unwatch(watched)
    expect(watchersOf(watched)).toBe(0)
    await system.stop(watched)
    await turn()
    expect(heard).toEqual([])
  })

  test('after the end, while the news waits: it is not told, and counts as no dead letter', async () => {
    const system = await startSystem()
    let dead = 0
    system.on('deadLetter', () => dead++)
    const [one, two] = [await subject(system), await subject(system)]
    const release = gate()
    const { ref, heard, ctx } = await observe(system, {
      watch: [one, two],
      handle: (msg) => (msg.msgType === '' && msg.toObject() === 'busy' ? release.opened : undefined),
    })
    await ref.tell('busy')
    await turn()
    await system.stop(one)
    await system.stop(two)
    await ref.tell('after')
    ctx.unwatch(one)
    release.open()
    await turn()
    expect(heard).toEqual(['busy', ended(two, 'killed'), 'after'])
    expect(dead).toBe(0)
  })

  test('in the handler of an earlier message, and by another ref to the same actor', async () => {
    const system = await startSystem()
    const watched = await system.spawn({ receive: () => undefined }, 'watched')
    const { ref, heard } = await observe(system, {
      watch: [watched],
      handle: async (_msg, ctx) => ctx.unwatch(ctx.bind((await system.find('watched'))!)),
    })
    await ref.ask('go')
    await system.stop(watched)
    await turn()
    expect(heard).toEqual(['go'])
  })

  test('of an actor that is not watched, or is not any more, does nothing', async () => {
    const system = await startSystem()
    const [watched, other] = [await subject(system), await subject(system)]
    const { heard, ctx } = await observe(system, { watch: [watched] })
    ctx.unwatch(other)
    ctx.unwatch(ctx.self)
    await system.stop(watched)
    await turn()
    ctx.unwatch(watched)
    ctx.unwatch(watched)
    await system.stop(other)
    await turn()
    expect(heard).toEqual([ended(watched, 'killed')])
  })

  test('and watch again, before the end or while its news waits: told once', async () => {
    const system = await startSystem()
    const watched = await subject(system)
    const release = gate()
    const { ref, heard, ctx } = await observe(system, {
      watch: [watched],
      handle: (msg) => (msg.msgType === '' ? release.opened : undefined),
    })
    await ref.tell('busy')
    await turn()
    ctx.unwatch(watched)
    ctx.watch(watched)
    await system.stop(watched)
    ctx.unwatch(watched)
    ctx.watch(watched)
    ctx.watch(watched)
    release.open()
    await turn()
    await turn()
    expect(heard).toEqual(['busy', ended(watched, 'killed')])
  })

  test('by one watcher leaves the others their watch', async () => {
    const system = await startSystem()
    const watched = await subject(system)
    const [one, two] = [await observe(system, { watch: [watched] }), await observe(system, { watch: [watched] })]
    one.ctx.unwatch(watched)
    await system.stop(watched)
    await turn()
    expect([one.heard, two.heard]).toEqual([[], [ended(watched, 'killed')]])
  })
})

describe('a watcher that is restarted', () => {
  test('still watches, and its new instance is told once, also when onStart watches again', async () => {
    const system = await startSystem()
    const watched = await subject(system)
    const { ref, heard } = await observe(system, {
      watch: [watched],
      restart: { policy: 'on-failure', minBackoffMs: 0 },
      handle: (msg) => {
        if (msg.msgType === '' && msg.toObject() === 'fail') throw new RangeError('told to fail')
        return 'handled'
      },
    })
    await expect(ref.ask('fail')).rejects.toThrow('told to fail')
    expect(await ref.ask('again')).toBe('handled')
    expect(watchersOf(watched)).toBe(1)
    await system.stop(watched)
    await turn()
    expect(heard).toEqual(['fail', 'again', ended(watched, 'killed')])
  })

  test('still watches what an earlier instance began to watch and onStart does not know of', async () => {
    const system = await startSystem()
    const watched = await subject(system)
    const { ref, heard, ctx } = await observe(system, {
      restart: { policy: 'on-failure', minBackoffMs: 0 },
      handle: (msg) => {
        if (msg.msgType === '') throw new RangeError('told to fail')
      },
    })
    ctx.watch(watched)
    await expect(ref.ask('fail')).rejects.toThrow('told to fail')
    await system.stop(watched)
    await turn()
    expect(heard).toEqual(['fail', ended(watched, 'killed')])
  })

  test('is told of what ended while it waited to be started again, behind the messages that came before', async () => {
    const time = manualTime()
    const system = await startSystem()
    const watched = await subject(system)
    const { ref, heard } = await observe(system, {
      watch: [watched],
      restart: { policy: 'on-failure' },
      handle: (msg) => {
        if (msg.msgType === '' && msg.toObject() === 'fail') throw new RangeError('told to fail')
      },
    })
    await expect(ref.ask('fail')).rejects.toThrow('told to fail')
    await ref.tell('before')
    await system.stop(watched)
    await ref.tell('after')
    await turn()
    expect(heard).toEqual(['fail'])
    await time.advance(1000)
    expect(heard).toEqual(['fail', 'before', ended(watched, 'killed'), 'after'])
  })

  test('after it failed at a Terminated is not told of that end again', async () => {
    const system = await startSystem()
    const [one, two] = [await subject(system), await subject(system)]
    const { heard, ctx } = await observe(system, {
      restart: { policy: 'on-failure', minBackoffMs: 0 },
      handle: () => {
        throw new RangeError('unprepared')
      },
    })
    ctx.watch(one)
    ctx.watch(two)
    await system.stop(one)
    await system.stop(two)
    await turn()
    await turn()
    expect(heard).toEqual([ended(one, 'killed'), ended(two, 'killed')])
  })
})

describe('nothing is left', () => {
  test.each<[string, (ref: ActorRef, ctx: ActorContext) => Promise<unknown>]>([
    ['stopped', (_ref, { system, self }) => system.stop(self)],
    ['ended by itself', (ref) => ref.ask('stop')],
    ['failed for good', (ref) => ref.ask('fail').catch(() => undefined)],
  ])('in the watched actors when the watcher was %s', async (_how, end) => {
    const system = await startSystem()
    const watched = await Promise.all(Array.from({ length: 10 }, () => subject(system)))
    const { ref, ctx } = await observe(system, {
      watch: watched,
      restart: { policy: 'on-failure', maxRestarts: 0 },
      handle: (msg, own) => {
        if (msg.toObject() === 'fail') throw new RangeError('told to fail')
        own.stop()
      },
    })
    expect(watched.map(watchersOf)).toEqual(watched.map(() => 1))
    await end(ref, ctx)
    await turn()
    expect(watched.map(watchersOf)).toEqual(watched.map(() => 0))
  })

  test('in the watched actor when onStart of the watcher failed', async () => {
    const system = await startSystem()
    const watched = await subject(system)
    const spawned = system.spawn({
      onStart: (ctx) => {
        ctx.watch(watched)
        throw new RangeError('no start')
      },
      receive: () => undefined,
    })
    await expect(spawned).rejects.toThrow('no start')
    expect(watchersOf(watched)).toBe(0)
  })

  test('in the watched actor when the watch was begun in onStop', async () => {
    const system = await startSystem()
    const watched = await subject(system)
    const ref = await system.spawn({ receive: () => undefined, onStop: (ctx) => ctx.watch(watched) })
    await system.stop(ref)
    expect(watchersOf(watched)).toBe(0)
  })

  test('in the watched actor when the watch was begun by an actor that had ended', async () => {
    const system = await startSystem()
    const watched = await subject(system)
    const { ref, ctx, heard } = await observe(system)
    await system.stop(ref)
    ctx.watch(watched)
    expect(watchersOf(watched)).toBe(0)
    await system.stop(watched)
    await turn()
    expect(heard).toEqual([])
  })

  test('of a watcher that ended, though what it watched lives: it can be collected', async () => {
    const system = await startSystem()
    const watched = await subject(system)
    const watcher = await (async () => {
      const { ref } = await observe(system, { watch: [watched] })
      const held = new WeakRef(cellOf(ref))
      await system.stop(ref)
      return held
    })()
    expect(await isCollected(watcher)).toBe(true)
    expect(await stateOf(watched.ask(() => 'lives'))).toBe('fulfilled')
  })

  test('of a watched actor that ended, though its watcher lives: it can be collected once that was told', async () => {
    const system = await startSystem()
    const { ref, ctx, heard } = await observe(system)
    const watched = await (async () => {
      const target = await subject(system)
      ctx.watch(target)
      const held = new WeakRef(cellOf(target))
      await system.stop(target)
      return held
    })()
    await turn()
    expect(heard.length).toBe(1)
    // The last message an actor has handled may be kept; no message but one holds that ref.
    await ref.ask('something else')
    expect(await isCollected(watched)).toBe(true)
  })

  test('of a watched actor that is not watched any more: it can be collected, also when its end was on its way', async () => {
    const system = await startSystem()
    const { ref, ctx } = await observe(system)
    const cells: WeakRef<object>[] = await (async () => {
      const [one, two] = [await subject(system), await subject(system)]
      for (const each of [one, two]) ctx.watch(each)
      ctx.unwatch(one)
      const held = [one, two].map((each) => new WeakRef(cellOf(each)))
      await Promise.all([system.stop(one), system.stop(two)])
      ctx.unwatch(two)
      return held
    })()
    await ref.ask('something else')
    for (const cell of cells) expect(await isCollected(cell)).toBe(true)
  })

  test('of a thousand watches begun and ended on one actor', async () => {
    const system = await startSystem()
    const watched = await subject(system)
    const { ctx } = await observe(system)
    for (let i = 0; i < 1000; i++) {
      ctx.watch(watched)
      ctx.unwatch(watched)
      const { ref } = await observe(system, { watch: [watched] })
      await system.stop(ref)
    }
    expect(watchersOf(watched)).toBe(0)
    expect(system.census()).toMatchObject({ actors: 2, asks: 0, timers: 0 })
  })
})

type Step = { readonly do: 'watch' | 'unwatch' | 'stop'; readonly of: number } | { readonly do: 'turn' | 'fail' }

const ACTORS = 3
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constantFrom('watch' as const, 'watch' as const, 'unwatch' as const, 'stop' as const),
        of: fc.nat(ACTORS - 1),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('turn' as const, 'turn' as const, 'fail' as const) }) },
  ),
  { maxLength: 30 },
)

test('whatever is watched, unwatched, stopped and restarted in whatever order, each watch tells once, of what has ended', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const system = await createActorSystem(SystemConfig.standalone().withLogger(quiet))
      const watched = await Promise.all(Array.from({ length: ACTORS }, () => subject(system)))
      const { ref, heard, ctx } = await observe(system, {
        restart: { policy: 'on-failure', maxRestarts: Infinity, minBackoffMs: 0 },
        handle: (msg) => {
          if (msg.msgType === '') throw new RangeError('told to fail')
        },
      })
      const expected: unknown[] = []
      const isDead = watched.map(() => false)
      // In the order in which the news of their end is on its way; those that live are not.
      let isWatched: { readonly of: number; isTold: boolean }[] = []
      const onItsWay: number[] = []
      for (const step of sequence) {
        switch (step.do) {
          case 'watch':
            ctx.watch(watched[step.of]!)
            if (isWatched.some(({ of }) => of === step.of)) break
            isWatched.push({ of: step.of, isTold: isDead[step.of]! })
            if (isDead[step.of]) onItsWay.push(step.of)
            break
          case 'unwatch':
            ctx.unwatch(watched[step.of]!)
            isWatched = isWatched.filter(({ of }) => of !== step.of)
            if (onItsWay.includes(step.of)) onItsWay.splice(onItsWay.indexOf(step.of), 1)
            break
          case 'stop':
            void system.stop(watched[step.of]!)
            if (!isDead[step.of] && isWatched.some(({ of }) => of === step.of)) onItsWay.push(step.of)
            isDead[step.of] = true
            break
          case 'fail':
            await ref.ask('fail').catch(() => undefined)
            await turn()
            break
          default:
            await turn()
        }
        if (step.do !== 'turn' && step.do !== 'fail') continue
        expected.push(...onItsWay.map((of) => ended(watched[of]!, 'killed')))
        isWatched = isWatched.filter(({ of }) => !onItsWay.includes(of))
        onItsWay.length = 0
        expect(heard.filter((each) => each !== 'fail')).toEqual(expected)
        for (const [of, target] of watched.entries())
          expect(watchersOf(target)).toBe(!isDead[of] && isWatched.some((each) => each.of === of) ? 1 : 0)
      }
      await system.shutdown()
    }),
    { numRuns: 300 },
  )
})
