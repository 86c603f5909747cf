/** `proxy.delayed(ms).method(…)`: calls one way, later, unless called off. */
import { inspect } from 'node:util'
import { type ActorRef, asActor, ConfigError, contextOf, StreamMessage } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { gate } from '../actor/systems.ts'
import { settle } from '../remote/lab.ts'
import { afterCollection } from '../stream/garbage.ts'
import { PLACES, type Place } from '../stream/places.ts'

const Log = asActor(
  class Log {
    readonly lines: unknown[] = []
    add(...line: unknown[]): number {
      return this.lines.push(...line)
    }
    fail(): never {
      throw new Error('failed')
    }
    inspect(): number {
      return this.lines.push('inspected')
    }
    async call(callback: (n: number) => unknown): Promise<void> {
      this.lines.push(await callback(1))
    }
    async read(items: AsyncIterable<unknown>): Promise<void> {
      for await (const item of items) this.lines.push(item)
    }
    later(delayMs: number): void {
      contextOf(this).self.asType(Log).delayed(delayMs).add('told myself')
    }
    bound(to: ActorRef): void {
      contextOf(this).bind(to.asType(Log)).delayed(10).add('bound')
    }
    sender(): void {
      this.lines.push(contextOf(this).sender?.id, contextOf(this).deadline)
    }
    all(): unknown[] {
      return this.lines
    }
    onStart(): void {}
    _hidden(): void {}
  },
)

describe.each(PLACES)('%s', (name, open) => {
  async function hosted() {
    const place = open()
    const log = (await place.host(() => new Log())).asType(Log)
    /** Lets time pass, and everything it brings happen. */
    const pass = async (ms: number): Promise<unknown[]> => {
      await settle()
      place.lab.clock.advance(ms)
      await settle()
      return log.all()
    }
    return { place, log, pass }
  }

  test('a method is called once, with its arguments, when the time is up and not before', async () => {
    const { log, pass } = await hosted()
    log.delayed(1000).add('a', { b: 1 })
    expect(await pass(999)).toEqual([])
    expect(await pass(1)).toEqual(['a', { b: 1 }])
    expect(await pass(100_000)).toEqual(['a', { b: 1 }])
  })

  test('calls come when each is due; those due together in the order they were made', async () => {
    const { log, pass } = await hosted()
    log.delayed(20).add('late')
    log.delayed(10).add('first')
    log.delayed(10).add('second')
    log.delayed(0).add('now')
    expect(await pass(0)).toEqual(['now'])
    expect(await pass(10)).toEqual(['now', 'first', 'second'])
    expect(await pass(10)).toEqual(['now', 'first', 'second', 'late'])
  })

  test('one that was cancelled never comes; cancelling again, or too late, does nothing', async () => {
    const { place, log, pass } = await hosted()
    const cancelled = log.delayed(10).add('cancelled')
    const kept = log.delayed(10).add('kept')
    cancelled.cancel()
    cancelled.cancel()
    expect(await pass(10)).toEqual(['kept'])
    kept.cancel()
    expect(await pass(10)).toEqual(['kept'])
    expect(place.left().timers).toBe(0)
  })

  test('the same delayed proxy can be used many times', async () => {
    const { log, pass } = await hosted()
    const soon = log.delayed(5)
    soon.add(1)
    soon.add(2)
    expect(await pass(5)).toEqual([1, 2])
    soon.add(3)
    expect(await pass(5)).toEqual([1, 2, 3])
  })

  test('it is one way: nobody waits, nothing bounds it, and what the method throws ends nothing', async () => {
    const { log, pass } = await hosted()
    log.delayed(10).fail()
    log.delayed(40_000).sender()
    expect(await pass(10)).toEqual([])
    expect(await pass(40_000)).toEqual([undefined, undefined])
  })

  test('while it waits it is in the census, and a timer of the clock', async () => {
    const { place, log } = await hosted()
    // The wait for an answer keeps a timer of its own: made first, it stays.
    await log.all()
    const [pending, timers] = [place.lab.clock.pending, place.left().timers]
    const calls = [log.delayed(10).add(1), log.delayed(20).add(2)]
    expect([place.lab.clock.pending, place.left().timers]).toEqual([pending + 2, timers + 2])
    for (const call of calls) call.cancel()
    expect([place.lab.clock.pending, place.left().timers]).toEqual([pending, timers])
  })

  test.each([-1, Number.NaN, '5', undefined, null, {}])('a delay of %j is refused with ConfigError', async (delay) => {
    const { place, log } = await hosted()
    expect(() => log.delayed(delay as number).add('never')).toThrow(ConfigError)
    expect(place.left().timers).toBe(0)
  })

  test.each(['_hidden', 'onStart', 'lines', 'nope', 'toString', 'hasOwnProperty', '__proto__', 'toLocaleString'])(
    'the name %j is refused with NoSuchMethodError when it is called, and nothing is sent',
    async (method) => {
      const { place, log } = await hosted()
      for (const proxy of [log, log.ref.asAny()]) {
        if (proxy !== log && (method === 'nope' || method === 'lines')) continue
        const delayed = proxy.delayed(5) as unknown as Record<string, () => unknown>
        expect(() => delayed[method]!()).toThrow(expect.objectContaining({ code: 'no_such_method' }))
      }
      expect(place.left().timers).toBe(0)
    },
  )

  test('a method may be called inspect, though tools ask for that name', async () => {
    const { log, pass } = await hosted()
    log.delayed(5).inspect()
    expect(await pass(5)).toEqual(['inspected'])
  })

  test('a delayed proxy can be awaited, logged and turned into JSON', async () => {
    const { log } = await hosted()
    const delayed = log.delayed(5)
    expect(await (async () => delayed)()).toBe(delayed)
    expect(typeof inspect(delayed)).toBe('string')
    expect(JSON.stringify(delayed)).toBe('{}')
  })

  test('an untyped proxy calls any method later', async () => {
    const { log, pass } = await hosted()
    log.ref.asAny().delayed(5)['add']!('untyped')
    log.ref.asAny().delayed(5)['nope']!()
    expect(await pass(5)).toEqual(['untyped'])
  })

  test('functions and streams among the arguments arrive', async () => {
    const { place, log, pass } = await hosted()
    const [message, writer] = StreamMessage.create<string>('', 1)
    log.delayed(5).call((n) => `called with ${n}`)
    log.delayed(6).read(message.streamReader<string>())
    void writer.write('streamed')
    void writer.close()
    await pass(5)
    expect(await pass(1)).toEqual(['called with 1', 'streamed'])
    await afterCollection(() => place.callbacks() === 0)
  })

  test('a function in a call that was called off is given back', async () => {
    const { place, log } = await hosted()
    ;(() =>
      log
        .delayed(1_000)
        .call(() => 1)
        .cancel())()
    await afterCollection(() => place.callbacks() === 0)
  })

  test('an actor can call itself later', async () => {
    const { log, pass } = await hosted()
    await log.later(50)
    expect(await pass(49)).toEqual([])
    expect(await pass(1)).toEqual(['told myself'])
  })

  test('a proxy bound to a message calls later too, when that message is long handled', async () => {
    const { place, log, pass } = await hosted()
    const other = (await place.host(() => new Log())).asType(Log)
    await other.bound(log.ref)
    expect(await pass(10)).toEqual(['bound'])
  })

  test('a restart of the actor leaves it waiting: the new instance is called', async () => {
    const place = open()
    const restarting = (
      await place.host(() => new Log(), {
        restart: { policy: 'on-failure', minBackoffMs: 0, methodErrors: 'failure' },
      })
    ).asType(Log)
    await restarting.add('before')
    restarting.delayed(100).add('after')
    await expect(restarting.fail()).rejects.toThrow('failed')
    expect(await restarting.all()).toEqual([])
    place.lab.clock.advance(100)
    await settle()
    expect(await restarting.all()).toEqual(['after'])
  })

  test('it is dropped with the node that waits', async () => {
    const { place, log } = await hosted()
    const letters = place.near.deadLetters
    log.delayed(100_000).add('never')
    await place.near.runtime.close()
    expect(place.left().timers).toBe(0)
    place.lab.clock.advance(100_000)
    await settle()
    expect(letters).toEqual([])
  })

  if (name === 'on one node')
    test('it is dropped when the actor stops: no dead letter, and one made afterwards is nothing either', async () => {
      const { place, log } = await hosted()
      log.delayed(100).add('never')
      log.delayed(100).call(() => 1)
      await place.stop(log.ref)
      expect(place.left().timers).toBe(0)
      const late = log.delayed(100).add('never')
      expect(place.left().timers).toBe(0)
      late.cancel()
      place.lab.clock.advance(100)
      await settle()
      expect(place.near.deadLetters).toEqual([])
      await afterCollection(() => place.callbacks() === 0)
    })
  else {
    test('it is a dead letter over there when that actor has stopped meanwhile', async () => {
      const { place, log } = await hosted()
      log.delayed(100).add('late')
      await place.stop(log.ref)
      place.lab.clock.advance(100)
      await settle()
      expect([place.near.deadLetters, place.far.deadLetters]).toEqual([[], ['actor_stopped']])
    })

    test('without a way there it is a dead letter here, and no unhandled rejection', async () => {
      const { place, log } = await hosted()
      const unhandled: unknown[] = []
      const hear = (reason: unknown): void => void unhandled.push(reason)
      process.on('unhandledRejection', hear)
      log.delayed(100).add('late')
      place.near.isLinked = false
      place.lab.clock.advance(100)
      await settle()
      process.off('unhandledRejection', hear)
      expect([place.near.deadLetters, unhandled]).toEqual([['unreachable'], []])
      place.near.isLinked = true
    })
  }

  test('an actor that is busy gets it when it is done', async () => {
    const place: Place = open()
    const release = gate()
    const Busy = asActor(
      class Busy extends Log {
        work(): Promise<void> {
          return release.opened
        }
      },
    )
    const busy = (await place.host(() => new Busy())).asType(Busy)
    const working = busy.work()
    busy.delayed(10).add('after work')
    await settle()
    place.lab.clock.advance(10)
    const all = busy.all()
    release.open()
    await working
    expect(await all).toEqual(['after work'])
  })
})
