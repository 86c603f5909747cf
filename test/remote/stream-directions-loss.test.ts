/**
 * Streams and functions in every direction over a wire that loses frames, and sessions that end: whatever is lost and
 * when, everything settles, readers get a beginning of the items and one end, and nothing is left on either side.
 */
import fc from 'fast-check'
import { type ActorRef, type Callback, SessionResetError, StreamMessage, type StreamReader } from 'pulsing'
import { expect, test } from 'vitest'
import { afterCollection } from '../stream/garbage.ts'
import { lentBy } from '../stream/places.ts'
import { Lab, type LabNode, settle, until } from './lab.ts'

/** Time that passes at a time, until everything has had its chance to be sent again. */
const STEP_MS = 5_000

type Step =
  | { readonly do: 'reply' | 'request' | 'nested' | 'lend'; readonly from: 'a' | 'b' }
  | { readonly do: 'read' | 'cancel' | 'call' | 'write' | 'close'; readonly which: number }
  | { readonly do: 'lose'; readonly frames: number }
  | { readonly do: 'reset' | 'cut'; readonly from: 'a' | 'b' }
  | { readonly do: 'pass' }

const side = fc.constantFrom('a' as const, 'b' as const)
const which = fc.nat(20)
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constantFrom('reply' as const, 'request', 'nested', 'lend'), from: side }),
    },
    {
      weight: 16,
      arbitrary: fc.record({
        do: fc.constantFrom('read' as const, 'read', 'read', 'write', 'call', 'cancel', 'close'),
        which,
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const), frames: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('reset' as const, 'cut'), from: side }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const) }) },
  ),
  { maxLength: 60, size: 'max' },
)

/** What a reader was told so far. */
interface Reading {
  readonly reader: StreamReader<number>
  readonly items: number[]
  readonly ends: unknown[]
  /** How many items there were to read. */
  readonly all: () => number
  isCancelled: boolean
}

/** Items of every generator. */
const ITEMS = 50

class Run {
  readonly lab = new Lab()
  readonly lives = { begun: 0, ended: 0 }
  readonly readings: Reading[] = []
  readonly writers: { write(): void; close(): void; written(): number }[] = []
  readonly callbacks: Callback<(n: number) => number>[] = []
  /** Everything that was begun and has to settle. */
  pending = 0
  readonly #refs = new Map<LabNode, ActorRef>()

  /** An actor on each side that does what is asked for in every direction. */
  async start(): Promise<void> {
    for (const node of [this.lab.a, this.lab.b])
      this.#refs.set(
        node,
        await node.host((msg) => {
          const value = msg.isStream ? msg.streamReader<number>() : msg.toObject()
          if (msg.isStream) return this.read(value as StreamReader<number>, this.writers[Number(msg.msgType)]!.written)
          if (typeof value === 'function') {
            this.callbacks.push(value as Callback<(n: number) => number>)
            return undefined
          }
          return value === 'reply' ? this.generator() : { deep: [this.generator()] }
        }),
      )
  }

  async *generator(): AsyncGenerator<number> {
    this.lives.begun++
    try {
      for (let i = 0; i < ITEMS; i++) yield i
    } finally {
      this.lives.ended++
    }
  }

  read(reader: StreamReader<number>, all = (): number => ITEMS): void {
    this.readings.push({ reader, items: [], ends: [], all, isCancelled: false })
  }

  follow(promise: Promise<unknown>, then: (outcome: unknown) => void = () => undefined): void {
    this.pending++
    const settled = (outcome: unknown): void => {
      this.pending--
      then(outcome)
    }
    promise.then(settled, settled)
  }

  next(reading: Reading): void {
    this.follow(reading.reader.next(), (outcome) => {
      const { done, value } = outcome as IteratorResult<number>
      if (outcome instanceof Error) reading.ends.push(outcome)
      else if (done) reading.ends.push('done')
      else reading.items.push(value)
    })
  }

  perform(step: Step): void {
    switch (step.do) {
      case 'reply':
        this.read(this.#refs.get(this.lab[step.from])!.askStream<number>('reply', { timeout: 20_000 }))
        break
      case 'nested':
        this.follow(
          this.#refs.get(this.lab[step.from])!.ask<{ deep: StreamReader<number>[] }>('nested', { timeout: 20_000 }),
          (reply) => !(reply instanceof Error) && this.read((reply as { deep: StreamReader<number>[] }).deep[0]!),
        )
        break
      case 'request': {
        const [message, writer] = StreamMessage.create<number>(String(this.writers.length), 3)
        let written = 0
        let isClosed = false
        this.writers.push({
          write: () => this.follow(writer.write(isClosed ? -1 : written++)),
          close: () => {
            isClosed = true
            this.follow(writer.close())
          },
          written: () => written,
        })
        this.follow(this.#refs.get(this.lab[step.from])!.ask(message, { timeout: 20_000 }))
        break
      }
      case 'lend':
        this.follow(this.#refs.get(this.lab[step.from])!.ask((n: number) => n + 1, { timeout: 20_000 }))
        break
      case 'read':
      case 'cancel': {
        const reading = this.readings[step.which % this.readings.length]
        if (!reading) break
        if (step.do === 'read') this.next(reading)
        else {
          reading.isCancelled = true
          this.follow(reading.reader.cancel())
        }
        break
      }
      case 'write':
      case 'close':
        this.writers[step.which % this.writers.length]?.[step.do]()
        break
      case 'call': {
        const callback = this.callbacks[step.which % this.callbacks.length]
        if (callback)
          this.follow(callback(step.which), (result) =>
            expect(result instanceof Error || result === step.which + 1).toBe(true),
          )
        break
      }
      case 'lose': {
        let left = step.frames
        this.lab.fate = (frame) => (left-- > 0 ? [] : [frame])
        break
      }
      case 'reset':
        this.lab[step.from].association.reset(new SessionResetError('by the test'))
        break
      case 'cut': {
        const node = this.lab[step.from]
        node.lose()
        node.find()
        break
      }
      default:
    }
  }

  async finish(): Promise<void> {
    this.lab.fate = (frame) => [frame]
    await settle()
    // What waits for a frame that was lost is told after a while, and what waits for an answer too.
    for (let passed = 0; passed < 60_000; passed += STEP_MS) {
      this.lab.clock.advance(STEP_MS)
      await settle()
    }
    // An end that was lost itself is found out with the next message.
    for (const ref of this.#refs.values()) this.follow(ref.tell((n: number) => n))
    await settle()
    for (const { close } of this.writers) close()
    for (const reading of this.readings) for (let i = 0; i < ITEMS + 10; i++) this.next(reading)
    await settle(30)
    for (let passed = 0; passed < 60_000; passed += STEP_MS) {
      this.lab.clock.advance(STEP_MS)
      await settle()
    }
  }
}

test('whatever is lost, everything settles, readers get a beginning and one end, and nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const run = new Run()
      const lent = [lentBy(run.lab.a), lentBy(run.lab.b)]
      await run.start()
      for (const step of script) {
        run.perform(step)
        await settle(step.do === 'pass' ? 4 : 1)
      }
      await run.finish()
      expect(run.pending).toBe(0)
      for (const { items, ends, all, isCancelled } of run.readings) {
        expect(items).toEqual(items.map((_, i) => i))
        // At most one error, and then the end for ever.
        expect(ends.filter((end) => end !== 'done').length).toBeLessThanOrEqual(1)
        expect(ends.slice(1).every((end) => end === 'done')).toBe(true)
        expect(ends.length).toBeGreaterThan(0)
        // A clean end only where that was the end.
        if (ends[0] === 'done' && !isCancelled) expect(items.length).toBe(all())
        if (ends[0] !== 'done')
          expect(ends[0]).toMatchObject({ code: expect.stringMatching(/session_reset|timeout|actor_stopped/) })
      }
      await until(() => run.lab.isClean)
      expect(run.lives.ended).toBe(run.lives.begun)
      for (const { runtime } of [run.lab.a, run.lab.b])
        expect(runtime.census()).toMatchObject({ asks: 0, streams: 0, timers: 0 })
      run.callbacks.length = 0
      await afterCollection(() => lent.every((count) => count() === 0))
    }),
    { numRuns: 40 },
  )
}, 30_000)
