/** Many waits on few timers: each expires once, on time, or not at all. */
import fc from 'fast-check'
import { ManualClock } from 'pulsing/testkit'
import { expect, test } from 'vitest'
import { type DeadlineQueue, Deadlines, type Turn, type Waiting } from '../../src/base/deadlines.ts'
import { turn } from '../actor/systems.ts'

/** The duration whose timer outlives its waits. */
const USUAL_MS = 500

class Wait implements Waiting {
  previousWaiting: Waiting | undefined = undefined
  nextWaiting: Waiting | undefined = undefined
  waitingSince: Turn | undefined = undefined
  queue: DeadlineQueue | undefined = undefined
  readonly expiredAt: number[] = []
  readonly #clock: ManualClock
  readonly #onExpired: () => void
  constructor(clock: ManualClock, onExpired: () => void = () => undefined) {
    this.#clock = clock
    this.#onExpired = onExpired
  }
  expired(): void {
    this.expiredAt.push(this.#clock.now())
    this.#onExpired()
  }
}

interface Rig {
  readonly clock: ManualClock
  readonly deadlines: Deadlines
  /** Ends the turn, from where on waits count, and lets time pass. */
  pass(ms: number): Promise<void>
}

function make(): Rig {
  const clock = new ManualClock()
  const pass = async (ms: number): Promise<void> => {
    await turn()
    clock.advance(ms)
  }
  return { clock, deadlines: new Deadlines(clock, USUAL_MS), pass }
}

test('a wait expires once, at its time', async () => {
  const { clock, deadlines, pass } = make()
  const wait = new Wait(clock)
  deadlines.add(wait, 100)
  expect(deadlines.size).toBe(1)
  await pass(99)
  expect(wait.expiredAt).toEqual([])
  await pass(1)
  await pass(1000)
  expect(wait.expiredAt).toEqual([100])
  expect([deadlines.size, wait.queue, clock.pending]).toEqual([0, undefined, 0])
})

test('a wait taken out never expires, and taking it out twice or too late does nothing', async () => {
  const { clock, deadlines, pass } = make()
  const [gone, late] = [new Wait(clock), new Wait(clock)]
  deadlines.add(gone, 100)
  deadlines.add(late, 100)
  deadlines.remove(gone)
  deadlines.remove(gone)
  await pass(100)
  deadlines.remove(late)
  expect([gone.expiredAt, late.expiredAt, deadlines.size]).toEqual([[], [100], 0])
})

test('Infinity waits for ever and costs nothing', () => {
  const { clock, deadlines } = make()
  deadlines.add(new Wait(clock), Infinity)
  expect([deadlines.size, clock.pending]).toEqual([0, 0])
})

test('waits of one length share one timer', async () => {
  const { clock, deadlines, pass } = make()
  for (let i = 0; i < 1000; i++) {
    deadlines.add(new Wait(clock), 500)
    await pass(0.25)
  }
  expect([deadlines.size, clock.pending]).toEqual([1000, 1])
})

test('waits of a thousand different lengths that are over leave no timers', () => {
  const { clock, deadlines } = make()
  for (let i = 0; i < 1000; i++) {
    const wait = new Wait(clock)
    deadlines.add(wait, 20_000 + i / 3)
    deadlines.remove(wait)
  }
  expect(clock.pending).toBe(0)
})

test('waits added while others expire share one timer too, however often', async () => {
  const { clock, deadlines, pass } = make()
  let expired = 0
  const again = (): void => {
    expired++
    deadlines.add(new Wait(clock, again), 10)
  }
  deadlines.add(new Wait(clock, again), 10)
  await pass(5)
  deadlines.add(new Wait(clock, again), 10)
  for (let i = 0; i < 20; i++) {
    await pass(5)
    expect(clock.pending).toBe(1)
  }
  expect([expired, deadlines.size]).toEqual([20, 2])
})

test('a wait added while another expires does not delay those that wait already', async () => {
  const { clock, deadlines, pass } = make()
  const second = new Wait(clock)
  deadlines.add(new Wait(clock, () => deadlines.add(new Wait(clock), 10)), 10)
  await pass(5)
  deadlines.add(second, 10)
  await pass(5)
  await pass(5)
  expect(second.expiredAt).toEqual([15])
})

test('a wait longer than a platform timer holds does not expire early', async () => {
  const { clock, deadlines, pass } = make()
  const wait = new Wait(clock)
  deadlines.add(wait, 5e9)
  await pass(5e9 - 1)
  expect(wait.expiredAt).toEqual([])
  await pass(1)
  expect(wait.expiredAt).toEqual([5e9])
})

test('a wait taken out by another that expires at the same moment does not expire', async () => {
  const { clock, deadlines, pass } = make()
  const second = new Wait(clock)
  const first = new Wait(clock, () => deadlines.remove(second))
  deadlines.add(first, 10)
  deadlines.add(second, 10)
  await pass(10)
  expect([first.expiredAt, second.expiredAt]).toEqual([[10], []])
})

test('the timer of the usual duration outlives its waits, one for all of them', async () => {
  const { clock, deadlines, pass } = make()
  for (let i = 0; i < 100; i++) {
    const wait = new Wait(clock)
    deadlines.add(wait, USUAL_MS)
    deadlines.remove(wait)
    await pass(1)
  }
  expect(clock.pending).toBe(1)
})

test('a wait is never cut short by a long turn: it counts from the turn’s end', async () => {
  const { clock, deadlines, pass } = make()
  const wait = new Wait(clock)
  deadlines.add(wait, 10)
  clock.advance(100)
  expect(wait.expiredAt).toEqual([])
  await pass(10)
  expect(wait.expiredAt).toEqual([110])
})

test('close cancels every timer', () => {
  const { clock, deadlines } = make()
  for (const ms of [1, 2, 3]) deadlines.add(new Wait(clock), ms)
  deadlines.close()
  expect(clock.pending).toBe(0)
})

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('add' as const), ms: fc.constantFrom(1, 5, 5, 10, 30) }),
    fc.record({ do: fc.constant('remove' as const), which: fc.nat() }),
    fc.record({ do: fc.constant('advance' as const), ms: fc.nat(12) }),
  ),
  { maxLength: 100 },
)

test('under any interleaving of adding, taking out and time, every wait expires exactly at its time or never', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const { clock, deadlines, pass } = make()
      const waits: { readonly wait: Wait; readonly due: number; removedAt: number | undefined }[] = []
      for (const step of sequence) {
        if (step.do === 'add') {
          const wait = new Wait(clock)
          deadlines.add(wait, step.ms)
          waits.push({ wait, due: clock.now() + step.ms, removedAt: undefined })
        } else if (step.do === 'advance') await pass(step.ms)
        else if (waits.length > 0) {
          const entry = waits[step.which % waits.length]!
          deadlines.remove(entry.wait)
          entry.removedAt ??= clock.now()
        }
        expect(deadlines.size).toBe(waits.filter(({ due, removedAt }) => removedAt === undefined && due > clock.now()).length)
      }
      await pass(1000)
      for (const { wait, due, removedAt } of waits) expect(wait.expiredAt).toEqual(removedAt !== undefined && removedAt < due ? [] : [due])
      expect(clock.pending).toBe(0)
    }),
  )
})
