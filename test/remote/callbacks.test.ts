/** Functions lent to another node: what the link does to them, and what they cost both sides. */
import {
  type ActorRef,
  type ActorSystem,
  asActor,
  type Callback,
  Message,
  OverloadedError,
  SessionResetError,
  SystemConfig,
} from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { borrowCallback } from '../../src/actor/callback.ts'
import { MAX_CALLBACKS } from '../../src/remote/lent-callbacks.ts'
import { RemoteRecipient } from '../../src/remote/remote-recipient.ts'
import type { Frame } from '../../src/wire/frame.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { event, link, Nodes } from '../cluster/memory-nodes.ts'
import { afterCollection, collectAll } from '../stream/garbage.ts'
import { lentBy } from '../stream/places.ts'
import { Lab, settle, until } from './lab.ts'
import { outcomeOf } from './stream-ends.ts'

type Held = Callback<(...args: unknown[]) => unknown>

/** A lab whose node b holds what a sends it; how many functions a has lent. */
async function holding() {
  const lab = new Lab()
  const held: Held[] = []
  const ref = await lab.b.host((msg) => {
    const value = msg.toObject()
    if (typeof value === 'function') held.push(value as Held)
    else if (Array.isArray(value)) held.push(...(value as Held[]))
    return held.length
  })
  return { lab, ref, held, lent: lentBy(lab.a), lentByB: lentBy(lab.b) }
}

describe('when the link is lost', () => {
  test('what was lent is taken back, calls under way fail, and later ones find nobody', async () => {
    const { lab, ref, held, lent } = await holding()
    let calls = 0
    await ref.ask([() => ++calls, () => new Promise(() => undefined)])
    expect(await held[0]!()).toBe(1)
    const pending = outcomeOf(held[1]!())
    await settle()
    lab.a.association.reset(new SessionResetError('cut'))
    expect(lent()).toBeLessThanOrEqual(1)
    expect(await pending).toBeInstanceOf(SessionResetError)
    await expect(held[0]!()).rejects.toMatchObject({ code: 'actor_stopped' })
    // A call under way may be given the grace that every actor has.
    lab.clock.advance(30_000)
    await until(() => lent() === 0)
    expect(calls).toBe(1)
  })

  test('and the other side forgets later what it held, that is no dead letter and begins no session', async () => {
    const { lab, ref, held, lent } = await holding()
    await ref.ask([() => 1, () => 2])
    lab.a.association.reset(new SessionResetError('cut'))
    await until(() => lent() === 0)
    await settle()
    lab.a.isLinked = false
    lab.b.isLinked = false
    const [sentByA, sentByB] = [lab.a.sent.length, lab.b.sent.length]
    held[0]![Symbol.dispose]()
    held.length = 0
    await collectAll()
    await settle()
    expect([lab.a.deadLetters, lab.b.deadLetters]).toEqual([[], []])
    expect([lab.a.sent.length, lab.b.sent.length]).toEqual([sentByA, sentByB])
  })

  test('a call then is UnreachableError, and without looking at it no unhandled rejection', async () => {
    const { lab, ref, held } = await holding()
    const unhandled: unknown[] = []
    const hear = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', hear)
    await ref.ask(() => 1)
    lab.b.isLinked = false
    await expect(held[0]!()).rejects.toMatchObject({ code: 'unreachable', outcome: 'not-sent' })
    void held[0]!()
    await settle()
    process.off('unhandledRejection', hear)
    expect(unhandled).toEqual([])
  })

  test('what is lent in the next session works', async () => {
    const { lab, ref, held, lent } = await holding()
    await ref.ask(() => 'first')
    lab.a.association.reset(new SessionResetError('cut'))
    await settle()
    await ref.ask(() => 'second')
    expect(await held[1]!()).toBe('second')
    await expect(held[0]!()).rejects.toMatchObject({ code: 'actor_stopped' })
    expect(lent()).toBe(1)
  })
})

describe('a message that is not sent lends nothing', () => {
  test.each<[string, unknown]>([
    ['something in it cannot travel', [() => 1, Symbol('no')]],
    ['it is too large', [() => 1, new Uint8Array(2 * 1024 * 1024)]],
    ['it is too deep', [() => 1, Array.from({ length: 100 }).reduce<unknown>((inner) => [inner], 1)]],
  ])('when %s', async (_why, value) => {
    const { lab, ref, lent } = await holding()
    await expect(ref.ask(value)).rejects.toMatchObject({ code: 'serialization_error' })
    await expect(ref.tell(value)).rejects.toMatchObject({ code: 'serialization_error' })
    await until(() => lent() === 0)
    expect(await ref.ask(() => 1)).toBe(1)
    expect(lent()).toBe(1)
    expect(lab.isClean).toBe(true)
  })

  test('when there is no way there', async () => {
    const { lab, ref, lent } = await holding()
    lab.a.isLinked = false
    await outcomeOf(ref.ask(() => 1))
    await outcomeOf(ref.tell(() => 1))
    await until(() => lent() === 0)
  })

  test('when its type is too long', async () => {
    const { ref, lent } = await holding()
    await outcomeOf(ref.ask(Message.fromObject('t'.repeat(5000), () => 1)))
    await until(() => lent() === 0)
  })

  test('when it is an item of a stream, which ends with the error', async () => {
    const { lab, lentByB } = await holding()
    const ref = await lab.b.host(function* () {
      yield { fine: () => 1 }
      yield { fine: () => 1, bad: Symbol('no') }
    })
    const reader = ref.askStream<{ fine: Held }>('go')
    const { value } = await reader.next()
    expect(await value!.fine()).toBe(1)
    expect(await outcomeOf(reader.next())).toMatchObject({ code: 'serialization_error' })
    await until(() => lentByB() === 1)
  })

  test('when it is a reply', async () => {
    const { lab, lentByB } = await holding()
    const ref = await lab.b.host(() => ({ fine: () => 1, bad: Symbol('no') }))
    await expect(ref.ask('x')).rejects.toMatchObject({ code: 'serialization_error' })
    await until(() => lentByB() === 0)
  })
})

describe('a message nobody takes gives back what it lent', () => {
  /** A lab whose node b answers; what b sends from then on is held back. */
  async function late(reply: () => unknown) {
    const lab = new Lab()
    const lent = lentBy(lab.b)
    const ref = await lab.b.host(reply)
    const held: Frame[] = []
    return {
      lab,
      lent,
      ref,
      hold: (after: number) => {
        lab.fate = (frame, from) => {
          if (from !== lab.b || frame.seq <= after) return [frame]
          held.push(frame)
          return []
        }
      },
      held,
      release: () => {
        lab.fate = (frame) => [frame]
        for (const frame of held.splice(0)) lab.deliver(frame, lab.b)
      },
    }
  }

  test('a reply that comes when the caller has given up', async () => {
    const { ref, lent, hold, held, release } = await late(() => ({ callbacks: [() => 1, { deep: () => 2 }] }))
    hold(0)
    const controller = new AbortController()
    const asked = outcomeOf(ref.ask('x', { signal: controller.signal }))
    await until(() => held.some(({ kind }) => kind === FRAME.reply))
    controller.abort()
    await asked
    expect(lent()).toBe(2)
    release()
    await until(() => lent() === 0)
  })

  test('items of a stream that was cancelled meanwhile', async () => {
    const { ref, lent, hold, release } = await late(function* () {
      for (let i = 0; i < 5; i++) yield { callback: () => i }
    })
    hold(2)
    const reader = ref.askStream<{ callback: Held }>('x')
    const callback = await (async () => (await reader.next()).value!.callback)()
    await settle()
    expect(lent()).toBe(5)
    await reader.cancel()
    release()
    await until(() => lent() === 1)
    expect(await callback()).toBe(0)
  })

  test('a message to an actor that has stopped', async () => {
    const { lab, ref, lent } = await holding()
    await lab.b.runtime.stop(ref.id, 'killed')
    await outcomeOf(ref.ask(() => 1))
    await ref.tell(() => 1)
    await afterCollection(() => lent() === 0)
  })
})

describe('one node is lent', () => {
  test('at most so many functions: one more is OverloadedError, until some were given back', async () => {
    const { ref, held, lent } = await holding()
    const many = (count: number): (() => number)[] => Array.from({ length: count }, (_, i) => () => i)
    for (let i = 0; i < MAX_CALLBACKS; i += 1000) await ref.ask(many(1000))
    expect(lent()).toBe(MAX_CALLBACKS)
    const refused = await outcomeOf(ref.ask(() => 1))
    expect(refused).toBeInstanceOf(OverloadedError)
    expect((refused as Error).message).toContain(String(MAX_CALLBACKS))
    await expect(ref.tell(() => 1)).rejects.toMatchObject({ code: 'overloaded' })
    // What was lent, and everything else, goes on.
    expect([await held[0]!(), await held[MAX_CALLBACKS - 1]!()]).toEqual([0, 999])
    expect(await ref.ask('still there')).toBe(MAX_CALLBACKS)
    for (const callback of held.splice(0, 500)) callback[Symbol.dispose]()
    await until(() => lent() === MAX_CALLBACKS - 500)
    await ref.ask(many(500))
    expect(lent()).toBe(MAX_CALLBACKS)
    await expect(ref.ask(() => 1)).rejects.toMatchObject({ code: 'overloaded' })
  })
})

describe('a peer that makes things up', () => {
  test('a function of an actor there is not is one that is gone', async () => {
    const lab = new Lab()
    const callback = borrowCallback(new RemoteRecipient(lab.a.nodeId, lab.b.nodeId, undefined, lab.b.peers.associate))
    await expect(callback()).rejects.toMatchObject({ code: 'actor_stopped' })
  })

  test('arguments that are none are a typed error, and a release is nothing to any other actor', async () => {
    const lab = new Lab()
    const seen: string[] = []
    const ref = await lab.b.host((msg) => {
      seen.push(msg.msgType)
      return 'alive'
    })
    await ref.tell(Message.fromObject('@release', undefined))
    expect((await ref.ask(Message.fromObject('@callback', 5))).toObject()).toBe('alive')
    expect(seen).toEqual(['@release', '@callback'])
    let own = ''
    const start = lab.a.runtime.startInternal.bind(lab.a.runtime)
    lab.a.runtime.startInternal = (actor, options) => {
      const cell = start(actor, options)
      own = cell.id
      return cell
    }
    await ref.ask((n: number) => n + 1)
    const behind = lab.b.peers.refTo(lab.a.nodeId, own, undefined)
    for (const args of [5, null, { length: 1 }, undefined])
      expect(await outcomeOf(behind.ask(Message.fromObject('@callback', args)))).toMatchObject({
        name: 'PulsingBusinessError',
      })
    expect((await behind.ask(Message.fromObject('@callback', [1]))).toObject()).toBe(2)
  })
})

describe('among three nodes', () => {
  const nodes = new Nodes()
  afterEach(() => nodes.stop())

  const Holder = asActor(
    class Holder {
      held: Held | undefined
      hold(callback: Held): void {
        this.held = callback
      }
      call(...args: unknown[]): Promise<unknown> {
        return this.held!(...args)
      }
      drop(): void {
        this.held = undefined
      }
    },
  )
  const Middle = asActor(
    class Middle {
      pass(callback: Held, to: ActorRef): Promise<void> {
        return to.asType(Holder).hold(callback)
      }
    },
  )

  /** a – b – c, with a holder at c and an actor that passes things on at b, as a sees them. */
  async function chain(config?: SystemConfig) {
    const [a, b, c] = [await nodes.start(config), await nodes.start(config), await nodes.start(config)]
    const cables = [await link(a, b), await link(b, c)] as const
    await Holder.options({ name: 'holder', public: true }).local(c)
    await Middle.options({ name: 'middle', public: true }).local(b)
    return {
      systems: [a, b, c] as readonly ActorSystem[],
      cables,
      holder: await Holder.resolve(a, 'holder'),
      middle: await Middle.resolve(a, 'middle'),
    }
  }

  test('a function lent through a node in between is called from the far one', async () => {
    const { holder } = await chain()
    await holder.hold((...args) => ['at a', ...args])
    expect(await holder.call(1, 2)).toEqual(['at a', 1, 2])
  })

  test('a function that was passed on is called through who passed it on', async () => {
    const { holder, middle } = await chain()
    let calls = 0
    await middle.pass((n) => {
      calls++
      return (n as number) * 2
    }, holder.ref)
    expect(await holder.call(21)).toBe(42)
    await collectAll()
    expect(await holder.call(4)).toBe(8)
    expect(calls).toBe(2)
  })

  test('the far node being lost and found again can call it as before', async () => {
    const { systems, cables, holder } = await chain()
    let calls = 0
    await holder.hold(() => `call ${++calls}`)
    expect(await holder.call()).toBe('call 1')
    const lost = event(systems[2]!, 'memberUpdated', ({ member }) => member.nodeId === systems[0]!.nodeId)
    cables[1].cut()
    await lost
    const called = holder.call()
    await link(systems[1]!, systems[2]!)
    expect(await called).toBe('call 2')
  })

  test('the far node being lost for good is an error for who calls, and the lender takes the function back', async () => {
    const { systems, cables, holder } = await chain(SystemConfig.standalone().withLimits({ sessionGraceMs: 1 }))
    let isGone = false
    const registry = new FinalizationRegistry(() => {
      isGone = true
    })
    await (async () => {
      const callback = (): string => 'called'
      registry.register(callback, undefined)
      await holder.hold(callback)
    })()
    expect(await holder.call()).toBe('called')
    await collectAll()
    expect(isGone).toBe(false)
    const left = event(systems[0]!, 'memberLeft', ({ member }) => member.nodeId === systems[2]!.nodeId)
    cables[1].cut()
    await left
    const atC = (await systems[2]!.resolve('holder')).asType(Holder)
    await expect(atC.call()).rejects.toMatchObject({ code: 'unreachable' })
    await afterCollection(() => isGone)
  })

  test('a function given to the constructor of an actor that is created over there is called here', async () => {
    const Counting = asActor({ type: 'Counting' })(
      class Counting {
        constructor(readonly onCount: Held) {}
        count(n: number): Promise<unknown> {
          return this.onCount(n)
        }
      },
    )
    const host = await nodes.start(SystemConfig.standalone().withActors(Counting))
    const system = await nodes.start()
    await link(system, host)
    const counting = await Counting.options({ node: host.nodeId }).remote(system, ((n: number) => n * 2) as never)
    expect(counting.ref.isLocal).toBe(false)
    await collectAll()
    expect(await counting.count(21)).toBe(42)
  })
})
