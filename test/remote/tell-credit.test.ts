/** How far one-way messages go ahead of mailboxes on another node: counted, weighed, and held back for full ones only. */
import { describe, expect, test } from 'vitest'
import { deferred, SETTLED } from '../../src/base/deferred.ts'
import { MAX_TELL_BYTES_UNDERWAY, MAX_TELLS_UNDERWAY, TellCredit } from '../../src/remote/tell-credit.ts'
import {
  MAX_WAITING_BYTES,
  MAX_WAITING_MESSAGES,
  TELL_BYTES_PER_CREDIT,
  TELLS_PER_CREDIT,
  ToldMessages,
} from '../../src/remote/told-messages.ts'
import { stateOf } from '../actor/systems.ts'
import { Lab, settle, until } from './lab.ts'

const states = (promises: readonly (Promise<void> | undefined)[]): Promise<string[]> =>
  Promise.all(promises.map((promise) => (promise ? stateOf(promise) : 'goes on')))

describe('who tells', () => {
  test(`waits from ${MAX_TELLS_UNDERWAY} tells that are not credited`, async () => {
    const credit = new TellCredit()
    for (let i = 1; i < MAX_TELLS_UNDERWAY; i++) expect(credit.tell('x', 10)).toBeUndefined()
    const waiting = [credit.tell('x', 10), credit.tell('y', 10)]
    credit.credit(1, 10)
    expect(await states(waiting)).toEqual(['pending', 'pending'])
    credit.credit(2, 20)
    expect(await states([...waiting, credit.tell('x', 10)])).toEqual(['fulfilled', 'fulfilled', 'pending'])
  })

  test(`and from ${MAX_TELL_BYTES_UNDERWAY} bytes`, async () => {
    const credit = new TellCredit()
    expect(credit.tell('x', MAX_TELL_BYTES_UNDERWAY - 1)).toBeUndefined()
    const waiting = [credit.tell('x', 1)]
    expect(await states(waiting)).toEqual(['pending'])
    credit.credit(1, MAX_TELL_BYTES_UNDERWAY - 1)
    expect(await states(waiting)).toEqual(['fulfilled'])
  })

  test.each([
    ['went back', 1, 10],
    ['say nothing new', 2, 20],
    ['are beyond what was told', 4, 40],
    ['are of more bytes than were told', 3, 31],
    ['are of fewer bytes than before', 3, 19],
  ])('ignores totals that %s', async (_what, count, bytes) => {
    const credit = new TellCredit()
    for (let i = 0; i < 3; i++) credit.tell('x', 10)
    credit.credit(2, 20)
    credit.credit(count, bytes)
    for (let i = 3; i < MAX_TELLS_UNDERWAY + 1; i++) expect(credit.tell('x', 0)).toBeUndefined()
    expect(await states([credit.tell('x', 0)])).toEqual(['pending'])
  })

  test('waits for the actor whose mailbox is full, and for no other', async () => {
    const credit = new TellCredit()
    credit.hold('x', true)
    credit.hold('x', true)
    const waiting = credit.tell('x', 1)
    expect([credit.tell('y', 1), await stateOf(waiting!)]).toEqual([undefined, 'pending'])
    credit.hold('y', false)
    credit.hold('x', false)
    expect([credit.tell('x', 1), await stateOf(waiting!)]).toEqual([undefined, 'fulfilled'])
  })

  test('goes on when the session is over', async () => {
    const credit = new TellCredit()
    credit.hold('x', true)
    const held = credit.tell('x', 0)
    const weighed = credit.tell('y', MAX_TELL_BYTES_UNDERWAY)
    credit.reset()
    expect(await states([held, weighed, credit.tell('x', 1)])).toEqual(['fulfilled', 'fulfilled', 'goes on'])
  })
})

describe('who is told', () => {
  class Told {
    readonly said: string[] = []
    readonly #full: (() => void)[] = []
    readonly messages = new ToldMessages(
      {
        taken: (count, bytes) => this.said.push(`taken ${count}, ${bytes}`),
        full: (actorId, isFull) => this.said.push(`${actorId} ${isFull ? 'full' : 'not full'}`),
      },
      1024,
    )
    /** Messages that find a full mailbox. */
    wait(actorId: string, count: number, bytes = 0): void {
      for (let i = 0; i < count; i++) {
        const { promise, resolve } = deferred<void>()
        this.#full.push(resolve)
        this.messages.accepted(actorId, bytes, promise)
      }
    }
    async take(count: number): Promise<void> {
      for (const resolve of this.#full.splice(0, count)) resolve()
      await settle()
    }
  }

  test('says so after some, and after some bytes', () => {
    const told = new Told()
    for (let i = 1; i < TELLS_PER_CREDIT; i++) told.messages.accepted('x', 1, SETTLED)
    expect(told.said).toEqual([])
    told.messages.dropped(1)
    told.messages.accepted('x', TELL_BYTES_PER_CREDIT, SETTLED)
    const bytes = TELLS_PER_CREDIT + TELL_BYTES_PER_CREDIT
    expect(told.said).toEqual([
      `taken ${TELLS_PER_CREDIT}, ${TELLS_PER_CREDIT}`,
      `taken ${TELLS_PER_CREDIT + 1}, ${bytes}`,
    ])
  })

  test('names an actor once when its mailbox is full, and once when nothing waits for it any more', async () => {
    const told = new Told()
    told.wait('x', 2)
    told.wait('y', 1)
    await told.take(1)
    expect(told.said).toEqual(['x full', 'y full'])
    await told.take(2)
    expect(told.said.slice(2)).toEqual(['x not full', 'y not full'])
  })

  test('forgives half of what may wait, so that others can be told; the rest is held against the sender', async () => {
    const told = new Told()
    told.wait('x', MAX_WAITING_MESSAGES - 1)
    expect(told.said.at(-1)).toBe(`taken ${MAX_WAITING_MESSAGES / 2}, 0`)
    expect(told.messages.isFull).toBe(false)
    told.wait('x', 1)
    expect(told.messages.isFull).toBe(true)
    await told.take(MAX_WAITING_MESSAGES)
    expect(told.said.slice(-2)).toEqual(['x not full', `taken ${MAX_WAITING_MESSAGES}, 0`])
    expect(told.messages.isFull).toBe(false)
  })

  test('weighs what waits', async () => {
    const told = new Told()
    told.wait('x', 1, MAX_WAITING_BYTES / 4)
    told.wait('x', 1, MAX_WAITING_BYTES / 4)
    expect(told.said).toEqual(['x full', `taken 1, ${MAX_WAITING_BYTES / 4}`])
    told.wait('x', 2, MAX_WAITING_BYTES / 4 + 1024)
    expect(told.messages.isFull).toBe(true)
    await told.take(1)
    expect(told.messages.isFull).toBe(false)
  })

  test('says nothing of what waited in a session that is over', async () => {
    const told = new Told()
    told.wait('x', 1)
    told.messages.reset()
    told.wait('x', 1)
    await told.take(2)
    expect(told.said).toEqual(['x full', 'x full', 'x not full'])
  })
})

describe('between two nodes', () => {
  const stuck = (until: Promise<void>) => ({ receive: () => until })

  test('an actor that does not get on holds back who tells it, and nobody who tells others', async () => {
    const lab = new Lab()
    const free = deferred<void>()
    const slow = await lab.b.host(stuck(free.promise))
    const got: unknown[] = []
    const quick = await lab.b.host((msg) => void got.push(msg.toObject()))
    let told = 0
    const telling = (async () => {
      for (; told < 5_000; told++) await slow.tell(told)
    })()
    for (let before = -1; before !== told; await settle(50)) before = told
    expect(told).toBeLessThanOrEqual(MAX_TELLS_UNDERWAY)
    for (let n = 0; n < 3_000; n++) await quick.tell(n)
    await until(() => got.length === 3_000)
    expect(lab.b.deadLetters).toEqual([])
    free.resolve()
    await telling
    await until(() => lab.isClean)
    expect(lab.b.deadLetters).toEqual([])
  })

  test('who does not wait for its tells loses those to a full mailbox, and none to others', async () => {
    const lab = new Lab()
    const free = deferred<void>()
    const slow = await lab.b.host(stuck(free.promise))
    const got: unknown[] = []
    const quick = await lab.b.host((msg) => void got.push(msg.toObject()))
    for (let n = 0; n < 2 * MAX_WAITING_MESSAGES; n++) void slow.tell(n)
    for (let n = 0; n < 200; n++) void quick.tell(n)
    await until(() => got.length === 200)
    expect(lab.b.deadLetters.length).toBeGreaterThan(0)
    free.resolve()
    await settle(200)
  })

  test('large ones wait, too, and none is lost', async () => {
    const lab = new Lab({ maxMessageBytes: 1024 * 1024 })
    const free = deferred<void>()
    let handled = 0
    const slow = await lab.b.host(async () => {
      await free.promise
      handled++
    })
    let told = 0
    const telling = (async () => {
      for (; told < 400; told++) await slow.tell(new Uint8Array(200_000))
    })()
    for (let before = -1; before !== told; await settle(200)) before = told
    // The mailbox takes 256, and the window 4 MiB.
    expect(told).toBeLessThan(256 + 50)
    free.resolve()
    await telling
    await until(() => handled === 400)
    expect(lab.b.deadLetters).toEqual([])
  })
})
