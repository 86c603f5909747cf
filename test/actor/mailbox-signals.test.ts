/** The lane beside the queue: where a signal stands, what it passes, and what is forgotten in front of it. */
import type { Overflow } from 'pulsing'
import { expect, test } from 'vitest'
import { Envelope, Signal, Tell } from '../../src/actor/envelope.ts'
import { Mailbox, OVERFLOWS } from '../../src/actor/mailbox.ts'
import { Message } from '../../src/message/message.ts'

class Ask extends Envelope {
  override get isAsk(): boolean {
    return true
  }
  succeed(): void {}
  fail(): void {}
}

class Notice extends Signal {
  times = 0
  taken(): void {
    this.times++
  }
}

const tell = (name: unknown): Tell => new Tell(Message.fromObject('', name), undefined)
const ask = (name: unknown): Ask => new Ask(Message.fromObject('', name), undefined)
const notice = (name: unknown): Notice => new Notice(Message.fromObject('', name), undefined)
const nameOf = (envelope: Envelope | undefined): unknown => envelope?.message.toObject()

/** Offers, and overflows where there is no room, as a cell does. */
function send(mailbox: Mailbox, envelope: Envelope): ReturnType<Mailbox['overflow']> | undefined {
  return mailbox.offer(envelope) ? undefined : mailbox.overflow(envelope)
}

/** Takes out all there is. */
function takeAll(mailbox: Mailbox): unknown[] {
  const taken: unknown[] = []
  while (mailbox.size > 0) {
    // A mailbox that holds something and gives nothing would never end.
    expect(taken.length).toBeLessThan(10_000)
    taken.push(nameOf(mailbox.next()))
  }
  return taken
}

const full = (overflow: Overflow, capacity = 2): Mailbox => {
  const mailbox = new Mailbox(capacity, overflow)
  for (let i = 0; i < capacity; i++) expect(mailbox.offer(tell(i))).toBe(true)
  return mailbox
}

test.each(OVERFLOWS)('%s: a full mailbox takes signals, and they need no room', (overflow) => {
  const mailbox = full(overflow)
  mailbox.signal(notice('a'))
  mailbox.signal(notice('b'))
  expect(mailbox.size).toBe(4)
  mailbox.next()
  expect(mailbox.offer(tell('room for this'))).toBe(true)
  expect(takeAll(mailbox)).toEqual([1, 'a', 'b', 'room for this'])
})

test('a signal comes behind everything that came before it and ahead of everything after', () => {
  const mailbox = new Mailbox(100, 'wait')
  mailbox.signal(notice('first'))
  mailbox.offer(tell(1))
  mailbox.signal(notice('second'))
  mailbox.signal(notice('third'))
  mailbox.offer(tell(2))
  expect(takeAll(mailbox)).toEqual(['first', 1, 'second', 'third', 2])
})

test('a signal comes behind the senders that wait outside already, and ahead of those that come to wait', async () => {
  const mailbox = full('wait')
  const outside = send(mailbox, tell('outside'))
  mailbox.signal(notice('signal'))
  send(mailbox, tell('later'))
  expect(takeAll(mailbox)).toEqual([0, 1, 'outside', 'signal', 'later'])
  await outside!.accepted
})

test('a signal is told that it is taken when it leaves, and once', () => {
  const mailbox = new Mailbox(2, 'wait')
  const signal = notice('signal')
  mailbox.signal(signal)
  expect(signal.times).toBe(0)
  expect(mailbox.next()).toBe(signal)
  expect(signal.times).toBe(1)
  mailbox.putBack(signal)
  expect(mailbox.next()).toBe(signal)
  expect(signal.times).toBe(1)
})

test('a message put back comes before a signal that is due', () => {
  const mailbox = new Mailbox(2, 'wait')
  mailbox.offer(tell('stashed'))
  mailbox.signal(notice('signal'))
  mailbox.putBack(mailbox.next()!)
  expect(takeAll(mailbox)).toEqual(['stashed', 'signal'])
})

test('drop-oldest: what is dropped behind a signal does not bring the signal before a message that is put back', () => {
  const mailbox = new Mailbox(2, 'drop-oldest')
  mailbox.offer(tell('stashed'))
  mailbox.signal(notice('signal'))
  const stashed = mailbox.next()!
  for (const name of ['a', 'b', 'c', 'd']) send(mailbox, tell(name))
  mailbox.putBack(stashed)
  expect(takeAll(mailbox)).toEqual(['stashed', 'signal', 'c', 'd'])
})

test('drop-oldest: what is dropped between two signals does not move the second', () => {
  const mailbox = new Mailbox(2, 'drop-oldest')
  mailbox.signal(notice('first'))
  mailbox.offer(tell('a'))
  mailbox.offer(tell('b'))
  mailbox.signal(notice('second'))
  expect(nameOf(send(mailbox, tell('c'))!.refused)).toBe('a')
  expect(takeAll(mailbox)).toEqual(['first', 'b', 'second', 'c'])
})

test('drop-oldest: a signal that was put back is not the one that is dropped', () => {
  const mailbox = full('drop-oldest')
  const signal = notice('signal')
  mailbox.putBack(signal)
  expect(nameOf(send(mailbox, tell('new'))!.refused)).toBe(0)
  expect(takeAll(mailbox)).toEqual(['signal', 1, 'new'])
})

test('drop-oldest: a signal that was put back stays in front of the next signal when what is behind both is dropped', () => {
  const mailbox = new Mailbox(2, 'drop-oldest')
  mailbox.signal(notice('first'))
  mailbox.signal(notice('second'))
  const first = mailbox.next()!
  for (const name of ['a', 'b']) mailbox.offer(tell(name))
  mailbox.putBack(first)
  expect(nameOf(send(mailbox, tell('c'))!.refused)).toBe('a')
  expect(takeAll(mailbox)).toEqual(['first', 'second', 'b', 'c'])
})

test('drain takes messages and waiting senders, and leaves signals, which come next', async () => {
  const mailbox = full('wait')
  const outside = send(mailbox, tell('outside'))
  mailbox.signal(notice('signal'))
  expect(mailbox.drain().map(nameOf)).toEqual([0, 1, 'outside'])
  await outside!.accepted
  expect(mailbox.size).toBe(1)
  expect(nameOf(mailbox.next())).toBe('signal')
  expect(mailbox.size).toBe(0)
})

test('asks that are given up while they wait outside are forgotten, each once, before they fill the memory', () => {
  const mailbox = full('wait')
  let held = 0
  let most = 0
  const forgotten = new Set<Envelope>()
  for (let i = 0; i < 20_000; i++) {
    const given = ask(i)
    for (const each of send(mailbox, given)!.forgotten) {
      expect(forgotten.has(each)).toBe(false)
      forgotten.add(each)
      held--
    }
    held++
    most = Math.max(most, held)
    given.cancel(undefined)
  }
  expect(most).toBeLessThan(1000)
  expect(forgotten.size).toBe(20_000 - held)
})

test('of many that wait outside, those still waited for stay, in order, and so do the places of signals among them', () => {
  const mailbox = full('wait')
  const live: string[] = []
  let forgotten = 0
  for (let i = 0; i < 3000; i++) {
    const name = `ask ${i}`
    const waiting = ask(name)
    forgotten += send(mailbox, waiting)!.forgotten.length
    if (i % 10 !== 0) waiting.cancel(undefined)
    else live.push(name)
    if (i % 100 === 0) {
      mailbox.signal(notice(`signal ${i}`))
      live.push(`signal ${i}`)
    }
  }
  expect(forgotten).toBeGreaterThan(0)
  const left: unknown[] = []
  while (mailbox.size > 0) {
    const envelope = mailbox.next()!
    if (!envelope.isCancelled) left.push(nameOf(envelope))
    expect(left.length).toBeLessThan(10_000)
  }
  expect(left).toEqual([0, 1, ...live])
})

test('with thousands that still wait outside, looking for those that gave up does not cost a look each', () => {
  const mailbox = full('wait')
  let looks = 0
  class Counted extends Ask {
    override get isCancelled(): boolean {
      looks++
      return super.isCancelled
    }
  }
  for (let i = 0; i < 20_000; i++) send(mailbox, new Counted(Message.empty(), undefined))
  expect(looks).toBeLessThan(3 * 20_000)
})
