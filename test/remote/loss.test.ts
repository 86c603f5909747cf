import fc from 'fast-check'
import { SessionResetError, UnreachableError } from 'pulsing'
import { describe, expect, test } from 'vitest'
import type { ActorLike } from '../../src/actor/actor.ts'
import { ACK_DELAY_MS, GAP_DELAY_MS } from '../../src/remote/receipts.ts'
import { PROBE_DELAY_MS } from '../../src/remote/session.ts'
import type { Frame } from '../../src/wire/frame.ts'
import { Lab, settle, until } from './lab.ts'
import { outcomeOf } from './stream-ends.ts'

describe('a wire that loses, repeats and reorders', () => {
  /** Tells of 1 … `count` over a wire in the hands of `fate`; what the actor got. */
  async function tells(lab: Lab, count: number): Promise<number[]> {
    const got: number[] = []
    const ref = await lab.b.host((msg) => void got.push(msg.toObject<number>()))
    for (let i = 1; i <= count; i++) void ref.tell(i)
    await settle()
    return got
  }

  test('frames repeated and reordered are handled once, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 10, maxLength: 60 }), async (choices) => {
        const lab = new Lab()
        const late: Frame[] = []
        lab.fate = (frame) => {
          const choice = choices[frame.seq % choices.length]!
          if (choice < 3) {
            late.unshift(frame)
            return []
          }
          return choice < 6 ? [frame, frame] : [frame, ...late]
        }
        const count = choices.length
        const got = await tells(lab, count)
        for (const frame of late) lab.deliver(frame, lab.a)
        await settle()
        expect(got).toEqual(Array.from({ length: count }, (_, i) => i + 1))
      }),
      { numRuns: 40 },
    )
  })

  test('a frame lost is sent again once the next one shows the gap: nobody waits in vain, nothing changes its order', async () => {
    const lab = new Lab()
    const got: unknown[] = []
    const ref = await lab.b.host((msg) => {
      got.push(msg.toObject())
      return msg.toObject()
    })
    expect(await ref.ask(0)).toBe(0)
    lab.fate = () => []
    void ref.tell('lost')
    const lost = ref.ask('lost too')
    lab.fate = (frame) => [frame]
    const held = ref.ask('held')
    await settle()
    expect(got).toEqual([0])
    lab.clock.advance(GAP_DELAY_MS)
    expect([await lost, await held]).toEqual(['lost too', 'held'])
    expect(got).toEqual([0, 'lost', 'lost too', 'held'])
    lab.clock.advance(ACK_DELAY_MS)
    await settle()
    expect(lab.isClean).toBe(true)
  })

  test('a session ended by one side is over on both: asks of both fail typed, once, and both go on in a new one', async () => {
    const lab = new Lab()
    const waitForEnd: ActorLike['receive'] = (msg, ctx) =>
      msg.toObject() === 'wait'
        ? new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve(undefined)))
        : 'answer'
    const [refB, refA] = [await lab.b.host(waitForEnd), await lab.a.host(waitForEnd)]
    const pendingAtA = outcomeOf(refB.ask('wait'))
    const pendingAtB = outcomeOf(refA.ask('wait'))
    await settle()
    lab.a.association.reset(new SessionResetError('because'))
    expect(await pendingAtA).toMatchObject({ name: 'SessionResetError', outcome: 'unknown', message: 'because' })
    expect(await pendingAtB).toMatchObject({ name: 'SessionResetError', outcome: 'unknown' })
    expect(lab.isClean).toBe(true)
    expect([await refB.ask('again'), await refA.ask('again')]).toEqual(['answer', 'answer'])
  })

  test('a pair of which one side has never spoken recovers from a loss too', async () => {
    const lab = new Lab()
    const got: unknown[] = []
    const ref = await lab.b.host((msg) => void got.push(msg.toObject()))
    lab.fate = () => []
    void ref.tell(1)
    void ref.tell(2)
    lab.fate = (frame) => [frame]
    await settle()
    lab.clock.advance(PROBE_DELAY_MS)
    await settle()
    expect(got).toEqual([1, 2])
    void ref.tell(3)
    await settle()
    expect(got).toEqual([1, 2, 3])
  })

  test('nothing of a session that ended arrives after its end', async () => {
    const lab = new Lab()
    const late: Frame[] = []
    lab.fate = (frame) => {
      late.push(frame)
      return []
    }
    await tells(lab, 5)
    lab.b.association.reset(new SessionResetError('test'))
    lab.a.association.reset(new SessionResetError('test'))
    lab.fate = (frame) => [frame]
    const got = await tells(lab, 2)
    // Both said what they begin with while nothing arrived.
    lab.clock.advance(PROBE_DELAY_MS)
    await settle()
    expect(got).toEqual([1, 2])
    for (const frame of late) lab.deliver(frame, lab.a)
    await settle()
    expect(got).toEqual([1, 2])
    expect(await outcomeOf((await lab.b.host(() => 'yes')).ask('works?'))).toBe('yes')
  })

  test('whatever is lost, every ask settles exactly once by its deadline, and nothing is left behind', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 5, maxLength: 40 }),
        fc.integer({ min: 2, max: 12 }),
        async (losses, count) => {
          const lab = new Lab()
          let at = 0
          lab.fate = (frame) => (losses[at++ % losses.length]! ? [frame] : [])
          const refB = await lab.b.host((msg) => msg.toObject())
          const refA = await lab.a.host((msg) => msg.toObject())
          const asks = Array.from({ length: count }, (_, i) => [
            outcomeOf(refB.ask(i, { timeout: 20_000 })),
            outcomeOf(refA.ask(i, { timeout: 20_000 })),
          ]).flat()
          for (let passed = 0; passed <= 20_000; passed += 2_500) {
            await settle(3)
            lab.clock.advance(2_500)
          }
          const outcomes = await Promise.all(asks)
          for (const [i, outcome] of outcomes.entries()) {
            if (typeof outcome === 'number') expect(outcome).toBe(Math.floor(i / 2))
            else expect((outcome as Error).name).toBe('PulsingTimeoutError')
          }
          expect([lab.a.association.pending.asks, lab.b.association.pending.asks]).toEqual([0, 0])
        },
      ),
      { numRuns: 30 },
    )
  })

  test('a reset fails everything pending with the error given, and aborts what is being handled', async () => {
    const lab = new Lab()
    const signals: AbortSignal[] = []
    const ref = await lab.b.host((msg, ctx) => {
      if (msg.toObject() === 'hello') return 'hello'
      signals.push(ctx.signal)
      return new Promise(() => undefined)
    })
    await ref.ask('hello')
    const asked = outcomeOf(ref.ask('x'))
    await until(() => signals.length === 1)
    const error = new UnreachableError('gone')
    lab.a.association.reset(error)
    expect(await asked).toBe(error)
    await until(() => signals[0]!.aborted)
    expect(lab.isClean).toBe(true)
  })
})
