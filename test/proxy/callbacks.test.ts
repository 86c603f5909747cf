/** Functions as arguments, in messages and as results: they stay where they are, and are called from where they went. */
import {
  type ActorRef,
  asActor,
  type Callback,
  contextOf,
  Message,
  PulsingBusinessError,
  StreamReader,
  SystemConfig,
} from 'pulsing'
import { describe, expect, test } from 'vitest'
import { collect, gate, startSystem, stateOf } from '../actor/systems.ts'
import { settle, until } from '../remote/lab.ts'
import { afterCollection, collectAll } from '../stream/garbage.ts'
import { comesToRest, PLACES } from '../stream/places.ts'

type Anything = Callback<(...args: unknown[]) => unknown>

/** Does with a function what it is told. */
const Holder = asActor(
  class Holder {
    held: Anything | undefined
    hold(callback: Anything): void {
      this.held = callback
    }
    call(callback: Anything, ...args: unknown[]): Promise<unknown> {
      return callback(...args)
    }
    async callEach(callback: Anything, args: readonly unknown[]): Promise<unknown[]> {
      const results: unknown[] = []
      for (const arg of args) results.push(await callback(arg))
      return results
    }
    callAll(callback: Anything, args: readonly unknown[]): Promise<unknown[]> {
      return Promise.all(args.map((arg) => callback(arg)))
    }
    callHeld(...args: unknown[]): Promise<unknown> {
      return this.held!(...args)
    }
    /** Calls it and looks at nothing that comes back. */
    fireHeld(...args: unknown[]): void {
      void this.held!(...args)
    }
    async withOptions(options: {
      readonly onItem: (label: string) => unknown
      readonly label: string
    }): Promise<unknown> {
      return options.onItem(options.label)
    }
    release(): void {
      this.held![Symbol.dispose]()
    }
    drop(): void {
      this.held = undefined
    }
    async using(callback: Anything): Promise<unknown> {
      using own = callback
      return await own('used')
    }
    adder(n: number): (m: number) => number {
      return (m) => n + m
    }
    ignore(_callback: Anything): void {}
    async both(a: Anything, b: Anything): Promise<unknown[]> {
      return [a === b, await a(), await b()]
    }
    ask(ref: ActorRef, value: unknown): Promise<unknown> {
      return ref.ask(value)
    }
    get(): string {
      return 'got'
    }
  },
)

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  )

describe.each(PLACES)('%s', (_name, open) => {
  async function hosted() {
    const place = open()
    return { place, holder: (await place.host(() => new Holder())).asType(Holder) }
  }

  describe('a function', () => {
    test('as an argument is called with what the actor gives it, as often as it likes, in order', async () => {
      const { holder } = await hosted()
      const calls: unknown[] = []
      const double = (n: unknown): number => {
        calls.push(n)
        return (n as number) * 2
      }
      expect(await holder.callEach(double, [1, 2, 3])).toEqual([2, 4, 6])
      expect(await holder.callAll(double, [4, 5, 6])).toEqual([8, 10, 12])
      expect(calls).toEqual([1, 2, 3, 4, 5, 6])
    })

    test('in an object of options is called too', async () => {
      const { holder } = await hosted()
      expect(await holder.withOptions({ onItem: (label) => `item of ${label}`, label: 'list' })).toBe('item of list')
    })

    test('in a plain message is called too, anywhere in it', async () => {
      const { place } = await hosted()
      const ref = await place.host({
        receive: async (msg) => {
          const { top, list, map } = msg.toObject<{
            top: (n: number) => number
            list: ((n: number) => number)[]
            map: Map<string, { deep: (n: number) => number }>
          }>()
          return [await top(1), await list[0]!(2), await map.get('k')!.deep(3)]
        },
      })
      const add = (n: number) => (m: number) => n + m
      expect(await ref.ask({ top: add(10), list: [add(20)], map: new Map([['k', { deep: add(30) }]]) })).toEqual([
        11, 22, 33,
      ])
      expect(
        (
          await ref.ask(
            Message.fromObject('typed', { top: add(1), list: [add(1)], map: new Map([['k', { deep: add(1) }]]) }),
          )
        ).toObject(),
      ).toEqual([2, 3, 4])
    })

    test('as a result is called at the actor’s, by whoever asked for it', async () => {
      const { holder } = await hosted()
      const add2 = await holder.adder(2)
      expect([await add2(1), await add2(40)]).toEqual([3, 42])
    })

    test('may be called while it runs already: what it waits for in one call does not hold up another', async () => {
      const { holder } = await hosted()
      const log: string[] = []
      const gates = { a: gate(), b: gate() }
      const slow = async (name: unknown): Promise<string> => {
        log.push(`begin ${name}`)
        await gates[name as 'a' | 'b'].opened
        log.push(`end ${name}`)
        return `done ${name}`
      }
      const all = holder.callAll(slow, ['a', 'b'])
      await until(() => log.length === 2)
      gates.b.open()
      await until(() => log.length === 3)
      gates.a.open()
      expect(await all).toEqual(['done a', 'done b'])
      expect(log).toEqual(['begin a', 'begin b', 'end b', 'end a'])
    })

    test('may be given functions, and give some back; all are given back in the end', async () => {
      const { place, holder } = await hosted()
      await (async () => {
        const result = await holder.call(
          async (inner) => (await (inner as (n: number) => Promise<number>)(20)) + 1,
          (n: number) => n * 2,
        )
        expect(result).toBe(41)
        const made = (await holder.call(() => (n: number) => n + 1)) as (n: number) => Promise<number>
        expect(await made(1)).toBe(2)
      })()
      await afterCollection(() => place.callbacks() === 0)
    })

    test('takes more calls at a time than a mailbox has room for', async () => {
      const { holder } = await hosted()
      const release = gate()
      let begun = 0
      const COUNT = 1000
      const all = holder.callAll(
        async (n) => {
          begun++
          await release.opened
          return n
        },
        Array.from({ length: COUNT }, (_, i) => i),
      )
      await until(() => begun > 0)
      await settle()
      release.open()
      expect(await all).toEqual(Array.from({ length: COUNT }, (_, i) => i))
    })

    test('gets and gives whatever messages can hold: bytes, Maps, refs, streams, nothing', async () => {
      const { place, holder } = await hosted()
      const echo = (value: unknown): unknown => value
      const ref = await place.host({ receive: () => 'reached' })
      for (const value of [undefined, null, 0, '', new Map([[1, new Set([2])]]), Uint8Array.of(1, 2), new Date(5), 5n])
        expect(await holder.call(echo, value)).toEqual(value)
      expect(await ((await holder.call(echo, ref)) as ActorRef).ask('x')).toBe('reached')
      const streamed = await holder.call(function* () {
        yield 1
        yield 2
      })
      expect(streamed).toBeInstanceOf(StreamReader)
      expect(await collect(streamed as StreamReader)).toEqual([1, 2])
      const summed = await holder.call(
        async (items) => {
          let sum = 0
          for await (const item of items as AsyncIterable<number>) sum += item
          return sum
        },
        streamOf(1, 2, 3),
      )
      expect(summed).toBe(6)
    })

    test('that throws, or rejects, throws for the actor that called it: with the class, code and details of the error', async () => {
      const { holder } = await hosted()
      const thrown: readonly (readonly [() => unknown, object])[] = [
        [
          () => {
            throw new TypeError('wrong')
          },
          { name: 'PulsingBusinessError', message: 'wrong' },
        ],
        [
          async () => {
            throw new Error('failed')
          },
          { name: 'PulsingSystemError', message: 'failed' },
        ],
        [
          () => {
            throw new PulsingBusinessError('no', { code: 'mine', details: { row: 1 } })
          },
          { name: 'PulsingBusinessError', code: 'mine', details: { row: 1 } },
        ],
      ]
      for (const [callback, error] of thrown) await expect(holder.call(callback)).rejects.toMatchObject(error)
      expect(await holder.get()).toBe('got')
    })

    test('given twice is two functions to who gets them', async () => {
      const { place, holder } = await hosted()
      const same = (): string => 'same'
      expect(await holder.both(same, same)).toEqual([false, 'same', 'same'])
      await afterCollection(() => place.callbacks() === 0)
    })

    test('goes with a tell, an untyped call, and a call later on', async () => {
      const { place, holder } = await hosted()
      const got: unknown[] = []
      await holder.tell('call', (...args: unknown[]) => got.push(args), 1)
      await until(() => got.length === 1)
      expect(await holder.ref.asAny()['call']!((n: number) => n + 1, 1)).toBe(2)
      holder.delayed(500).call((...args: unknown[]) => got.push(args), 2)
      place.lab.clock.advance(500)
      await until(() => got.length === 2)
      expect(got).toEqual([[1], [2]])
    })

    test('that is never answered is a PulsingTimeoutError to who called it, after 30 s', async () => {
      const { place, holder } = await hosted()
      const called = gate()
      await holder.hold(() => {
        called.open()
        return new Promise(() => undefined)
      })
      const result = outcomeOf(holder.ref.ask(Message.fromObject('@call', ['callHeld', []]), { timeout: Infinity }))
      await called.opened
      place.lab.clock.advance(30_000)
      expect(await result).toMatchObject({ name: 'PulsingTimeoutError', durationMs: 30_000 })
    })
  })

  describe('calling back into the actor that calls', () => {
    const Asker = asActor(
      class Asker {
        count = 0
        async run(callback: Callback<() => Promise<unknown>>): Promise<unknown> {
          this.count++
          return callback()
        }
        get(): number {
          return this.count
        }
      },
    )

    test('is answered while a reentrant actor waits', async () => {
      const place = open()
      const asker = (await place.host(() => new Asker(), { reentrant: true })).asType(Asker)
      expect(await asker.run(() => asker.get())).toBe(1)
      let depth = 0
      const again = (): Promise<unknown> => (++depth < 5 ? asker.run(again) : asker.get())
      expect(await asker.run(again)).toBe(6)
    })

    test('waits for an actor that takes one message at a time, in vain: both time out, and the actor goes on', async () => {
      const place = open()
      const asker = (await place.host(() => new Asker())).asType(Asker)
      let inner: Promise<unknown> | undefined
      const outer = outcomeOf(
        asker.run(() => {
          inner = outcomeOf(asker.get())
          return inner
        }),
      )
      await until(() => inner !== undefined)
      await settle()
      expect(await stateOf(inner!)).toBe('pending')
      place.lab.clock.advance(30_000)
      expect([await outer, await inner]).toMatchObject([{ code: 'timeout' }, { code: 'timeout' }])
      expect(await asker.get()).toBe(1)
    })

    test('by a tell waits for nobody', async () => {
      const place = open()
      const asker = (await place.host(() => new Asker())).asType(Asker)
      let told = 0
      await asker.run(async () => {
        await asker.tell('run', () => Promise.resolve(told++))
      })
      await until(() => told === 1)
    })

    test('through another actor is answered', async () => {
      const place = open()
      const asker = (await place.host(() => new Asker())).asType(Asker)
      const other = (await place.host(() => new Asker())).asType(Asker)
      expect(await asker.run(() => other.run(() => other.ref.nodeId as never))).toBe(place.far.nodeId)
    })
  })

  describe('a callback is given back', () => {
    test('by Symbol.dispose: calls reject with ActorStoppedError from then on', async () => {
      const { place, holder } = await hosted()
      let calls = 0
      await holder.hold(() => ++calls)
      expect(await holder.callHeld()).toBe(1)
      expect(place.callbacks()).toBe(1)
      await holder.release()
      await comesToRest(() => 1 - place.callbacks(), 1)
      await expect(holder.callHeld()).rejects.toMatchObject({ name: 'ActorStoppedError', code: 'actor_stopped' })
      expect(calls).toBe(1)
    })

    test('by using, when the method is left', async () => {
      const { place, holder } = await hosted()
      expect(await holder.using((...args) => args)).toEqual(['used'])
      await until(() => place.callbacks() === 0)
    })

    test('while a call of it runs: that call is answered still', async () => {
      const place = open()
      const holder = (await place.host(() => new Holder(), { reentrant: true })).asType(Holder)
      const [called, release] = [gate(), gate()]
      await holder.hold(async () => {
        called.open()
        await release.opened
        return 'answered'
      })
      const answer = holder.callHeld()
      await called.opened
      await holder.release()
      await settle()
      await expect(holder.callHeld()).rejects.toMatchObject({ code: 'actor_stopped' })
      release.open()
      expect(await answer).toBe('answered')
      await until(() => place.callbacks() === 0)
    })

    test('once: disposing of it again, or after its end, does nothing', async () => {
      const { place, holder } = await hosted()
      await holder.hold(() => 1)
      await holder.release()
      await holder.release()
      await until(() => place.callbacks() === 0)
      await holder.release()
      await settle()
      expect([place.near.deadLetters, place.far.deadLetters]).toEqual([[], []])
    })

    test('when whoever holds it forgets it', async () => {
      const { place, holder } = await hosted()
      await holder.hold(() => 1)
      await collectAll()
      expect(place.callbacks()).toBe(1)
      expect(await holder.callHeld()).toBe(1)
      await holder.drop()
      await afterCollection(() => place.callbacks() === 0)
    })

    test('when the method it went to has no use for it', async () => {
      const { place, holder } = await hosted()
      await holder.ignore(() => 1)
      await holder.call(() => 1)
      await holder.withOptions({ onItem: () => 1, label: '' })
      await afterCollection(() => place.callbacks() === 0)
    })

    test('when the message it went in is a dead letter', async () => {
      const { place, holder } = await hosted()
      await place.stop(holder.ref)
      await outcomeOf(holder.call(() => 1))
      await outcomeOf(holder.tell('call', () => 1))
      await afterCollection(() => place.callbacks() === 0)
    })

    test('when the actor that holds it has stopped', async () => {
      const place = open()
      const holders = await Promise.all(
        [1, 2, 3].map(async () => (await place.host(() => new Holder())).asType(Holder)),
      )
      for (const holder of holders) await holder.hold(() => 1)
      expect(place.callbacks()).toBe(3)
      await place.stop(holders[0]!.ref)
      await afterCollection(() => place.callbacks() === 2)
      expect(await holders[1]!.callHeld()).toBe(1)
      await settle()
      expect([place.near.deadLetters, place.far.deadLetters]).toEqual([[], []])
    })

    test('and not before the actor that holds it has done its onStop', async () => {
      const place = open()
      const told = gate<unknown>()
      const Farewell = asActor(
        class Farewell {
          #callback: Anything | undefined
          hold(callback: Anything): void {
            this.#callback = callback
          }
          async onStop(): Promise<void> {
            told.open(await this.#callback!('goodbye'))
          }
        },
      )
      const farewell = (await place.host(() => new Farewell())).asType(Farewell)
      await farewell.hold((text) => `${text} received`)
      await place.stop(farewell.ref)
      expect(await told.opened).toBe('goodbye received')
      await afterCollection(() => place.callbacks() === 0)
    })

    test('and not while a call of it is under way, whoever else has forgotten it', async () => {
      const { place, holder } = await hosted()
      const [called, release] = [gate(), gate()]
      const answer = holder.call(async () => {
        called.open()
        await release.opened
        return 'answered'
      })
      await called.opened
      await collectAll()
      release.open()
      expect(await answer).toBe('answered')
      await afterCollection(() => place.callbacks() === 0)
    })
  })

  test('one that still runs holds up neither the end of its node nor that of who holds it', async () => {
    for (const end of ['near', 'holder'] as const) {
      const place = open()
      const holder = (await place.host(() => new Holder(), { reentrant: true })).asType(Holder)
      const called = gate()
      await holder.hold(() => {
        called.open()
        return new Promise(() => undefined)
      })
      const answer = outcomeOf(holder.callHeld())
      await called.opened
      const ended = end === 'near' ? place.near.runtime.close() : place.stop(holder.ref)
      await settle()
      // The handler that called it has a grace of its own.
      if (end === 'near') expect(await answer).toMatchObject({ code: 'actor_stopped' })
      else place.lab.clock.advance(30_000)
      await ended
      await answer
      // Where it is forgotten, not stopped, what runs has the same grace.
      for (let turn = 0; turn < 100 && place.callbacks() > 0; turn++) {
        await collectAll()
        place.lab.clock.advance(30_000)
        await settle()
      }
      expect(place.callbacks()).toBe(0)
    }
  })

  test('calling one that is gone without looking is no unhandled rejection', async () => {
    const { place, holder } = await hosted()
    const unhandled: unknown[] = []
    const hear = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', hear)
    await holder.hold(() => 1)
    await holder.release()
    await until(() => place.callbacks() === 0)
    await holder.fireHeld()
    await settle()
    await holder.hold(() => {
      throw new Error('nobody looks')
    })
    await holder.fireHeld()
    await settle()
    process.off('unhandledRejection', hear)
    expect(unhandled).toEqual([])
  })

  test('an actor can pass one on: to another actor, which calls it as its own', async () => {
    const { place, holder } = await hosted()
    const Passing = asActor(
      class Passing {
        pass(callback: Anything, to: ActorRef): Promise<unknown> {
          return to.asType(Holder).hold(callback)
        }
      },
    )
    const passing = (await place.host(() => new Passing())).asType(Passing)
    await passing.pass((...args) => ['called with', ...args], holder.ref)
    expect(await holder.callHeld(1)).toEqual(['called with', 1])
    await collectAll()
    expect(await holder.callHeld(2)).toEqual(['called with', 2])
    await holder.drop()
    await afterCollection(() => place.callbacks() === 0)
  })

  test('a class as an argument arrives as a function whose call is a typed error', async () => {
    const { holder } = await hosted()
    class Thing {}
    await expect(holder.call(Thing as never)).rejects.toMatchObject({
      name: 'PulsingBusinessError',
      cause: { name: 'TypeError', message: expect.stringContaining('new') },
    })
    expect(await holder.get()).toBe('got')
  })

  test('those who lend and hold are no actors of the program: no census, no event tells of them', async () => {
    const { place, holder } = await hosted()
    const events: unknown[] = []
    for (const { runtime } of new Set([place.near, place.far])) {
      runtime.events.on('actorStarted', (event) => events.push(event))
      runtime.events.on('actorStopped', (event) => events.push(event))
    }
    const before = place.left()
    await holder.hold(() => 1)
    expect(await holder.callHeld()).toBe(1)
    expect(place.left()).toEqual(before)
    await holder.release()
    await until(() => place.callbacks() === 0)
    expect(events).toEqual([])
  })

  test('a proxy bound to a message lends as any other', async () => {
    const { place, holder } = await hosted()
    const Front = asActor(
      class Front {
        through(to: ActorRef): Promise<unknown> {
          return contextOf(this)
            .bind(to.asType(Holder))
            .call((n) => (n as number) + 1, 41)
        }
      },
    )
    const front = (await place.host(() => new Front())).asType(Front)
    expect(await front.through(holder.ref)).toBe(42)
  })
})

test('a system that is shut down ends what was lent', async () => {
  const system = await startSystem(SystemConfig.standalone())
  const holder = await Holder.local(system)
  let held: Anything | undefined
  const Taking = asActor(
    class Taking {
      take(callback: Anything): void {
        held = callback
      }
    },
  )
  const taking = await Taking.local(system)
  await taking.take(() => 'called')
  expect(await held!()).toBe('called')
  expect(system.census().actors).toBe(2)
  await system.shutdown()
  await expect(held!()).rejects.toMatchObject({ code: 'actor_stopped' })
  await expect(holder.get()).rejects.toMatchObject({ code: 'actor_stopped' })
})

async function* streamOf<T>(...items: T[]): AsyncGenerator<T> {
  yield* items
}
