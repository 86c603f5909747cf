/** The mailbox against one plain line of messages and signals, whatever is done to it in whatever order. */
import fc from 'fast-check'
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

/** One message or signal, and what has become of it. */
interface Entry {
  readonly envelope: Envelope
  isInside: boolean
  /** Whether it counts against the capacity: a signal does only once it was set aside and has come back. */
  takesRoom: boolean
  /** Whether the promise its sender was given has settled; undefined where it was given none. */
  isLetIn: boolean | undefined
}

/** All that waits, in the order in which it is to come out. */
interface Model {
  readonly capacity: number
  readonly overflow: Overflow
  line: Entry[]
  /** What has come out and can be put back, as a handler that stashed it would. */
  readonly handled: Entry[]
  readonly everything: Entry[]
}

const isSignal = ({ envelope }: Entry): boolean => envelope instanceof Signal
const inside = (model: Model): Entry[] => model.line.filter((entry) => entry.isInside && entry.takesRoom)
const oldest = (model: Model): Entry | undefined => inside(model).find((entry) => !isSignal(entry))
const outside = (model: Model): Entry[] => model.line.filter((entry) => !entry.isInside)
const envelopes = (entries: readonly Entry[]): Envelope[] => entries.map(({ envelope }) => envelope)

function remove(model: Model, entry: Entry): void {
  model.line = model.line.filter((each) => each !== entry)
}

async function check(model: Model, mailbox: Mailbox): Promise<void> {
  for (let i = 0; i < 3; i++) await undefined
  expect(mailbox.size).toBe(model.line.length - outside(model).length)
  const wrong = model.everything.filter(({ isLetIn, isInside }) => isLetIn !== undefined && isLetIn !== isInside)
  expect(wrong).toEqual([])
}

function send(model: Model, mailbox: Mailbox, envelope: Envelope): void {
  const entry: Entry = { envelope, isInside: true, takesRoom: true, isLetIn: undefined }
  model.everything.push(entry)
  const isRoom = outside(model).length === 0 && inside(model).length < model.capacity
  expect(mailbox.offer(envelope)).toBe(isRoom)
  if (isRoom) {
    model.line.push(entry)
    return
  }
  const { refused, forgotten, accepted } = mailbox.overflow(envelope)
  if (!envelope.isAsk) {
    entry.isLetIn = false
    void accepted.then(() => (entry.isLetIn = true))
  }
  for (const each of forgotten) {
    const old = outside(model).find((waiting) => waiting.envelope === each)
    expect(old?.envelope.isCancelled).toBe(true)
    remove(model, old!)
  }
  switch (model.overflow) {
    case 'wait':
      expect(refused).toBe(undefined)
      entry.isInside = false
      break
    case 'drop-oldest': {
      const dropped = oldest(model)
      expect(refused).toBe(dropped?.envelope)
      if (dropped) remove(model, dropped)
      break
    }
    default:
      expect(refused).toBe(envelope)
      return
  }
  model.line.push(entry)
}

function letIn(model: Model): void {
  const [first] = outside(model)
  if (first) first.isInside = true
}

abstract class Step implements fc.AsyncCommand<Model, Mailbox> {
  check = (): boolean => true
  abstract apply(model: Model, mailbox: Mailbox): void
  async run(model: Model, mailbox: Mailbox): Promise<void> {
    this.apply(model, mailbox)
    await check(model, mailbox)
  }
  abstract toString(): string
}

class Send extends Step {
  constructor(
    readonly count: number,
    readonly isAsk: boolean,
  ) {
    super()
  }
  apply(model: Model, mailbox: Mailbox): void {
    for (let i = 0; i < this.count; i++) {
      const message = Message.fromObject('', model.everything.length)
      send(model, mailbox, this.isAsk ? new Ask(message, undefined) : new Tell(message, undefined))
    }
  }
  toString = (): string => `send(${this.count} ${this.isAsk ? 'asks' : 'tells'})`
}

class Notify extends Step {
  apply(model: Model, mailbox: Mailbox): void {
    const envelope = new Notice(Message.empty(), undefined)
    const entry: Entry = { envelope, isInside: true, takesRoom: false, isLetIn: undefined }
    model.everything.push(entry)
    model.line.push(entry)
    mailbox.signal(envelope)
  }
  toString = (): string => 'signal()'
}

class Next extends Step {
  constructor(readonly count: number) {
    super()
  }
  apply(model: Model, mailbox: Mailbox): void {
    for (let i = 0; i < this.count; i++) {
      const entry = model.line.shift()
      if (entry?.takesRoom) letIn(model)
      if (entry) model.handled.push(entry)
      const envelope = mailbox.next()
      expect(envelope).toBe(entry?.envelope)
      if (envelope instanceof Notice) expect(envelope.times).toBe(1)
    }
  }
  toString = (): string => `next(${this.count})`
}

class PutBack extends Step {
  apply(model: Model, mailbox: Mailbox): void {
    const entry = model.handled.pop()
    if (!entry) return
    entry.takesRoom = true
    model.line.unshift(entry)
    mailbox.putBack(entry.envelope)
  }
  toString = (): string => 'putBack()'
}

class Cancel extends Step {
  constructor(readonly every: number) {
    super()
  }
  apply(model: Model): void {
    const asks = model.line.filter(({ envelope }) => envelope.isAsk)
    for (let i = 0; i < asks.length; i += this.every) asks[i]!.envelope.cancel(undefined)
  }
  toString = (): string => `cancel(every ${this.every}.)`
}

class Drain extends Step {
  apply(model: Model, mailbox: Mailbox): void {
    const messages = model.line.filter(({ takesRoom }) => takesRoom)
    model.line = model.line.filter(({ takesRoom }) => !takesRoom)
    expect(mailbox.drain()).toEqual(envelopes(messages))
    for (const entry of messages) entry.isInside = true
  }
  toString = (): string => 'drain()'
}

const count = fc.oneof(fc.constant(1), fc.constant(1), fc.integer({ min: 1, max: 5 }), fc.constant(300))
const steps = fc.commands(
  [
    fc.tuple(count, fc.boolean()).map(([n, isAsk]) => new Send(n, isAsk)),
    fc.tuple(count, fc.boolean()).map(([n, isAsk]) => new Send(n, isAsk)),
    fc.constant(new Notify()),
    fc.constant(new Notify()),
    count.map((n) => new Next(n)),
    fc.constant(new Next(1)),
    fc.constant(new PutBack()),
    fc.integer({ min: 1, max: 3 }).map((every) => new Cancel(every)),
    fc.constant(new Drain()),
  ],
  { maxCommands: 40 },
)

test.each(OVERFLOWS)(
  'with overflow %s everything comes out once, in the order it came in, and what is put back comes first',
  async (overflow) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, (capacity, commands) =>
        fc.asyncModelRun(
          () => ({
            model: { capacity, overflow, line: [], handled: [], everything: [] },
            real: new Mailbox(capacity, overflow),
          }),
          commands,
        ),
      ),
      { numRuns: 200 },
    )
  },
)
