/**
 * Streams against a naive model of them, under any interleaving of what both ends can do: a writer and its reader, and a
 * generator and its reader, on one node and over a link.
 */
import fc from 'fast-check'
import { DEFAULT_BUFFER_SIZE, Message, StreamMessage, type StreamReader } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { settle, until } from '../remote/lab.ts'
import { PLACES, type Place } from './places.ts'

type Outcome = 'pending' | 'fulfilled' | 'rejected'

interface Followed {
  outcome: Outcome
  /** How often it said so. */
  times: number
  value: unknown
}

function follow(promise: Promise<unknown>): Followed {
  const followed: Followed = { outcome: 'pending', times: 0, value: undefined }
  const settled =
    (outcome: Outcome) =>
    (value: unknown): void => {
      Object.assign(followed, { outcome, value, times: followed.times + 1 })
    }
  promise.then(settled('fulfilled'), settled('rejected'))
  return followed
}

const DONE = { done: true, value: undefined }

/** Turns in which everything a step brings about has happened, across a link too. */
const turnsOf = (place: Place): number => (place.near === place.far ? 2 : 12)

/** What a reader must have been told, given what was written and how it ended. */
function expectReads(reads: readonly Followed[], items: number, end: 'open' | 'done' | 'error', error: object): void {
  reads.forEach((read, index) => {
    if (index < items)
      expect(read).toMatchObject({ outcome: 'fulfilled', times: 1, value: { done: false, value: index } })
    else if (end === 'open') expect(read).toMatchObject({ outcome: 'pending', times: 0 })
    else if (end === 'error' && index === items)
      expect(read).toMatchObject({ outcome: 'rejected', times: 1, value: error })
    else expect(read).toMatchObject({ outcome: 'fulfilled', times: 1, value: DONE })
  })
}

/** A while in which the stream goes on, most of the time, and then anything, so that ends meet what is underway. */
const steps = <S extends string>(often: readonly S[], seldom: readonly S[]): fc.Arbitrary<S[]> => {
  const usually = fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...often) },
    { weight: 1, arbitrary: fc.constantFrom(...seldom) },
  )
  const anything = fc.constantFrom(...often, ...seldom)
  return fc
    .tuple(
      fc.array(usually, { maxLength: 25, size: 'max' }),
      fc.array(fc.constantFrom(...often), { maxLength: 4, size: 'max' }),
      fc.array(anything, { maxLength: 10, size: 'max' }),
    )
    .map((parts) => parts.flat())
}

const writerSteps = steps(['write', 'read'], ['close', 'error', 'cancel'])

/** A stream with a writer, as a naive program would think of it: two lists and two flags. */
class WriterModel {
  written = 0
  closing: 'open' | 'done' | 'error' = 'open'
  /** Reads that were made before the reader left. */
  readsBefore = Infinity

  constructor(readonly bufferSize: number) {}

  get isCancelled(): boolean {
    return this.readsBefore !== Infinity
  }
  /** Items the consumer has: one for each read, if there are so many. */
  consumed(reads: number): number {
    return Math.min(this.written, reads, this.readsBefore)
  }
  /** Items that are, or were, among the `bufferSize` unread ones. */
  accepted(reads: number): number {
    return Math.min(this.written, this.consumed(reads) + this.bufferSize)
  }
}

/** When the numbers are all there are, the producer has finished, whatever the reader does afterwards. */
async function runWriter(place: Place, bufferSize: number, steps: readonly string[]): Promise<void> {
  const turns = turnsOf(place)
  const [reply, writer] = StreamMessage.create<number>('numbers', bufferSize)
  const ref = await place.host({ receive: () => reply })
  const reader = (await ref.ask(Message.empty())).streamReader<number>()
  const model = new WriterModel(bufferSize)
  const writes: Followed[] = []
  const reads: Followed[] = []
  const closes: Followed[] = []
  const { signal } = writer
  const check = (): void => {
    const accepted = model.accepted(reads.length)
    writes.forEach((write, index) => {
      if (index < accepted) expect(write.outcome).toBe('fulfilled')
      else if (model.isCancelled) expect(write).toMatchObject({ outcome: 'rejected', value: { code: 'stream_closed' } })
      else expect(write.outcome).toBe('pending')
    })
    for (const close of closes)
      expect(close.outcome).toBe(accepted < model.written && !model.isCancelled ? 'pending' : 'fulfilled')
    if (!model.isCancelled)
      expectReads(reads, model.written, model.closing, { code: 'stream_error', message: 'broken' })
    else {
      expectReads(reads.slice(0, model.readsBefore), model.written, model.closing === 'open' ? 'done' : model.closing, {
        code: 'stream_error',
      })
      for (const read of reads.slice(model.readsBefore)) expect(read).toMatchObject({ times: 1, value: DONE })
    }
    // A reader that leaves when all was taken in leaves nobody.
    const wasFinished = model.closing !== 'open' && accepted === model.written
    expect(signal.aborted).toBe(model.isCancelled && !wasFinished)
  }
  const perform = async (step: string): Promise<void> => {
    switch (step) {
      case 'write': {
        const write = follow(writer.write(writes.length))
        await settle(turns)
        if (model.closing !== 'open' || model.isCancelled)
          expect(write).toMatchObject({ outcome: 'rejected', times: 1, value: { code: 'stream_closed' } })
        else {
          writes.push(write)
          model.written++
        }
        break
      }
      case 'read':
        reads.push(follow(reader.next()))
        break
      case 'cancel':
        // A reader that was told the end has nothing to leave.
        if (
          !reads.some(
            ({ outcome, value }) =>
              outcome === 'rejected' || (outcome === 'fulfilled' && value && (value as { done: boolean }).done),
          )
        )
          model.readsBefore = Math.min(model.readsBefore, reads.length)
        await reader.cancel('enough')
        break
      default: {
        closes.push(follow(step === 'error' ? writer.error('broken') : writer.close()))
        if (model.closing === 'open' && !model.isCancelled) model.closing = step === 'error' ? 'error' : 'done'
      }
    }
    await settle(turns)
    check()
  }
  for (const step of steps) await perform(step)
  // Read to the end, or left: nothing stays pending, and the end stays the end.
  if (model.closing === 'open' && !model.isCancelled) await perform(steps.length % 2 === 0 ? 'cancel' : 'close')
  const left = model.written - model.consumed(reads.length) + 3
  for (let i = 0; i < left; i++) await perform('read')
  for (const followed of [...writes, ...reads, ...closes]) expect(followed.times).toBe(1)
  expect(await Promise.all([reader.next(), reader.next()])).toEqual([DONE, DONE])
  await until(() => place.left().streams === 0)
}

const generatorSteps = steps(['give', 'read'], ['finish', 'throw', 'cancel', 'stop'])

async function runGenerator(place: Place, isAsync: boolean, steps: readonly string[]): Promise<void> {
  const turns = turnsOf(place)
  const ahead = place.near === place.far ? 0 : DEFAULT_BUFFER_SIZE
  /** What the generator may do next; it waits when there is nothing. */
  const orders: ('give' | 'finish' | 'throw')[] = []
  let wake: () => void = () => undefined
  const state = { begun: 0, ended: 0, made: 0 }
  const obey = (order: 'give' | 'finish' | 'throw' | undefined): number | undefined => {
    if (order === 'throw') throw new TypeError('broken')
    return order === 'give' ? state.made++ : undefined
  }
  const ref = await place.host({
    receive: isAsync
      ? async function* (_msg, { signal }) {
          state.begun++
          signal.addEventListener('abort', () => wake())
          try {
            while (!signal.aborted) {
              if (orders.length === 0) await new Promise<void>((resolve) => (wake = resolve))
              const item = obey(orders.shift())
              if (item === undefined) return
              yield item
            }
          } finally {
            state.ended++
          }
        }
      : function* () {
          state.begun++
          try {
            // It cannot wait: with nothing to give it is finished.
            for (let item = obey(orders.shift()); item !== undefined; item = obey(orders.shift())) yield item
          } finally {
            state.ended++
          }
        },
  })
  const model = {
    given: 0,
    end: 'open' as 'open' | 'done' | 'error',
    readsBefore: Infinity,
    isStopped: false,
    /** Whether the actor stopped in the middle of the items. */
    isCut: false,
  }
  if (!isAsync) {
    // All orders are given beforehand.
    for (const step of steps)
      if (model.end === 'open' && (step === 'give' || step === 'finish' || step === 'throw')) {
        orders.push(step)
        if (step === 'give') model.given++
        else model.end = step === 'throw' ? 'error' : 'done'
      }
    if (model.end === 'open') model.end = 'done'
  }
  const reader = await ref.ask<StreamReader<number>>('go')
  const reads: Followed[] = []
  const perform = async (step: string): Promise<void> => {
    switch (step) {
      case 'read':
        reads.push(follow(reader.next()))
        break
      case 'cancel':
        if (
          !reads.some(
            ({ outcome, value }) =>
              outcome === 'rejected' || (outcome === 'fulfilled' && (value as { done: boolean }).done),
          )
        )
          model.readsBefore = Math.min(model.readsBefore, reads.length)
        await reader.cancel()
        break
      case 'stop':
        model.isStopped = true
        model.isCut ||= model.end === 'open' && model.readsBefore === Infinity
        await place.stop(ref)
        break
      default:
        if (!isAsync || model.end !== 'open') return
        orders.push(step as 'give')
        if (step === 'give') model.given++
        else model.end = step === 'throw' ? 'error' : 'done'
        wake()
    }
    await settle(turns)
    check()
  }
  const check = (): void => {
    const error = { name: 'PulsingBusinessError', message: 'broken' }
    if (model.isStopped) expectEnded()
    else if (model.readsBefore === Infinity) expectReads(reads, model.given, model.end, error)
    else {
      const end = model.end === 'open' ? 'done' : model.end
      // The reads that waited when the reader left were answered with the end.
      const answered = reads
        .slice(0, model.readsBefore)
        .filter(({ value }) => (value as { done?: boolean })?.done !== true)
      expectReads(answered, Math.min(model.given, answered.length), end, error)
      for (const read of reads.slice(model.readsBefore)) expect(read).toMatchObject({ times: 1, value: DONE })
    }
    // No item is made twice, none before it may be, and the finally runs once at most.
    expect(state.made).toBeLessThanOrEqual(Math.min(model.given, reads.length + ahead))
    expect(state.ended).toBeLessThanOrEqual(state.begun)
    expect(state.begun).toBeLessThanOrEqual(1)
  }
  /** Where the actor may have stopped before the end: items in order, at most one error, then the end for ever. */
  const expectEnded = (): void => {
    const items = reads.findIndex(({ outcome, value }) => outcome === 'rejected' || (value as { done: boolean }).done)
    const end = items < 0 ? reads.length : items
    reads.slice(0, end).forEach((read, index) => expect(read).toMatchObject({ times: 1, value: { value: index } }))
    const after = reads.slice(end)
    if (after[0]?.outcome === 'rejected')
      expect(['ActorStoppedError', 'PulsingBusinessError']).toContain((after.shift()!.value as Error).name)
    for (const read of after) expect(read).toMatchObject({ times: 1, value: DONE })
  }
  for (const step of steps) await perform(step)
  if (model.end === 'open' && model.readsBefore === Infinity && !model.isStopped)
    await perform((['cancel', 'stop', 'finish'] as const)[steps.length % 3]!)
  for (let i = reads.length; i < model.given + 3; i++) await perform('read')
  for (const read of reads) expect(read.times).toBe(1)
  const errors = reads.filter(({ outcome }) => outcome === 'rejected').map(({ value }) => (value as Error).name)
  if (model.isCut && model.readsBefore === Infinity) expect(errors).toEqual(['ActorStoppedError'])
  expect(errors.length).toBeLessThanOrEqual(1)
  expect(await Promise.all([reader.next(), reader.next()])).toEqual([DONE, DONE])
  await until(() => place.left().streams === 0)
  expect(state.ended).toBe(state.begun)
}

describe.each(PLACES)('%s', (name, open) => {
  const numRuns = name === 'over a link' ? 60 : 200

  test('whatever writer and reader do: items once and in order, at most bufferSize ahead, and every promise settles', async () => {
    const place = open()
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), writerSteps, async (bufferSize, steps) =>
        runWriter(place, bufferSize, steps),
      ),
      { numRuns },
    )
  })

  test('whatever generator, reader and actor do: items once and in order, one end, and finally runs once', async () => {
    const place = open()
    await fc.assert(
      fc.asyncProperty(fc.boolean(), generatorSteps, async (isAsync, steps) => runGenerator(place, isAsync, steps)),
      { numRuns },
    )
  })
})
