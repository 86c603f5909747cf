/** Many waits on few timers: each expires once, on time, or not at all. */
import fc from 'fast-check'
import { ManualClock } from 'pulsing/testkit'
import { expect, test } from 'vitest'
import { type DeadlineQueue, Deadlines, type Turn, type Waiting } from '../../src/base/deadlines.ts'

/** The duration whose timer outlives its waits. */
const USUAL_MS = 500

class Wait implements Waiting {
  previousWaiting: Waiting | undefined = undefined
  nextWaiting: Waiting | undefined = undefined
  waitingSince: Turn | undefined = undefined
  queue: DeadlineQueue | undefined = undefined
  readonly expiredAt: number[] = []
  readonly #clock: Pick<ManualClock, 'now'>
  readonly #onExpired: () => void
  constructor(clock: Pick<ManualClock, 'now'>, onExpired: () => void = () => undefined) {
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
}

function make(): Rig {
  const clock = new ManualClock()
  return { clock, deadlines: new Deadlines(clock, USUAL_MS) }
}

test('a wait expires once, at its time', () => {
  const { clock, deadlines } = make()
  const wait = new Wait(clock)
  deadlines.add(wait, 100)
  expect(deadlines.size).toBe(1)
  clock.advance(99)
  expect(wait.expiredAt).toEqual([])
  clock.advance(1)
  clock.advance(1000)
  expect(wait.expiredAt).toEqual([100])
  expect([deadlines.size, wait.queue, clock.pending]).toEqual([0, undefined, 0])
})

test('a wait taken out never expires, and taking it out twice or too late does nothing', () => {
  const { clock, deadlines } = make()
  const [gone, late] = [new Wait(clock), new Wait(clock)]
  deadlines.add(gone, 100)
  deadlines.add(late, 100)
  deadlines.remove(gone)
  deadlines.remove(gone)
  clock.advance(100)
  deadlines.remove(late)
  expect([gone.expiredAt, late.expiredAt, deadlines.size]).toEqual([[], [100], 0])
})

test('Infinity waits for ever and costs nothing', () => {
  const { clock, deadlines } = make()
  deadlines.add(new Wait(clock), Infinity)
  expect([deadlines.size, clock.pending]).toEqual([0, 0])
})

test('waits of one length share one timer', () => {
  const { clock, deadlines } = make()
  for (let i = 0; i < 1000; i++) {
    deadlines.add(new Wait(clock), 500)
    clock.advance(0.25)
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

test('waits added while others expire share one timer too, however often', () => {
  const { clock, deadlines } = make()
  let expired = 0
  const again = (): void => {
    expired++
    deadlines.add(new Wait(clock, again), 10)
  }
  deadlines.add(new Wait(clock, again), 10)
  clock.advance(5)
  deadlines.add(new Wait(clock, again), 10)
  for (let i = 0; i < 20; i++) {
    clock.advance(5)
    expect(clock.pending).toBe(1)
  }
  expect([expired, deadlines.size]).toEqual([20, 2])
})

test('a wait added while another expires does not delay those that wait already', () => {
  const { clock, deadlines } = make()
  const second = new Wait(clock)
  deadlines.add(new Wait(clock, () => deadlines.add(new Wait(clock), 10)), 10)
  clock.advance(5)
  deadlines.add(second, 10)
  clock.advance(5)
  clock.advance(5)
  expect(second.expiredAt).toEqual([15])
})

test('a wait longer than a platform timer holds does not expire early', () => {
  const { clock, deadlines } = make()
  const wait = new Wait(clock)
  deadlines.add(wait, 5e9)
  clock.advance(5e9 - 1)
  expect(wait.expiredAt).toEqual([])
  clock.advance(1)
  expect(wait.expiredAt).toEqual([5e9])
})

test('a wait taken out by another that expires at the same moment does not expire', () => {
  const { clock, deadlines } = make()
  const second = new Wait(clock)
  const first = new Wait(clock, () => deadlines.remove(second))
  deadlines.add(first, 10)
  deadlines.add(second, 10)
  clock.advance(10)
  expect([first.expiredAt, second.expiredAt]).toEqual([[10], []])
})

test('the timer of the usual duration outlives its waits, one for all of them', () => {
  const { clock, deadlines } = make()
  for (let i = 0; i < 100; i++) {
    const wait = new Wait(clock)
    deadlines.add(wait, USUAL_MS)
    deadlines.remove(wait)
    clock.advance(1)
  }
  expect(clock.pending).toBe(1)
})

test('a wait is never cut short by a long turn: it counts from the turn’s end', () => {
  let now = 0
  const timers: { readonly at: number; readonly callback: () => void }[] = []
  const endTurn: (() => void)[] = []
  const deadlines = new Deadlines(
    {
      now: () => now,
      setTimer: (callback, delayMs) => {
        const timer = { at: now + delayMs, callback }
        timers.push(timer)
        return { cancel: () => void timers.splice(timers.indexOf(timer), 1), hold: () => undefined }
      },
      afterTurn: (callback) => void endTurn.push(callback),
    },
    USUAL_MS,
  )
  const wait = new Wait({ now: () => now })
  deadlines.add(wait, 10)
  now = 100
  for (const callback of endTurn.splice(0)) callback()
  timers.shift()!.callback()
  expect(wait.expiredAt).toEqual([])
  expect(timers.map(({ at }) => at)).toEqual([110])
  now = 110
  timers.shift()!.callback()
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

test('under any interleaving of adding, taking out and time, every wait expires exactly at its time or never', () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const { clock, deadlines } = make()
      const waits: { readonly wait: Wait; readonly due: number; removedAt: number | undefined }[] = []
      for (const step of sequence) {
        if (step.do === 'add') {
          const wait = new Wait(clock)
          deadlines.add(wait, step.ms)
          waits.push({ wait, due: clock.now() + step.ms, removedAt: undefined })
        } else if (step.do === 'advance') clock.advance(step.ms)
        else if (waits.length > 0) {
          const entry = waits[step.which % waits.length]!
          deadlines.remove(entry.wait)
          entry.removedAt ??= clock.now()
        }
        expect(deadlines.size).toBe(
          waits.filter(({ due, removedAt }) => removedAt === undefined && due > clock.now()).length,
        )
      }
      clock.advance(1000)
      for (const { wait, due, removedAt } of waits)
        expect(wait.expiredAt).toEqual(removedAt !== undefined && removedAt < due ? [] : [due])
      expect(clock.pending).toBe(0)
    }),
  )
})
