/**
 * The time of a simulation: timers in a heap, run one by one, each in a turn of its own with all promises at rest before
 * the next. Many such turns fit into one of the event loop, which is what makes thousands of runs affordable.
 */
import type { Clock, Timer } from '../../src/base/clock.ts'
import { runTurn } from './turns.ts'

interface Entry extends Timer {
  readonly at: number
  readonly number: number
  callback: (() => void) | undefined
}

/** Turns queued at a time in one turn of the event loop. */
const TURNS_AT_ONCE = 64

export class SimClock implements Clock {
  /** Timers run, and turns, so far. */
  steps = 0
  readonly #heap: Entry[] = []
  #now = 0
  #numbers = 0
  #cancelled = 0
  readonly #afterTurn: (() => void)[] = []

  now(): number {
    return this.#now
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const entry: Entry = {
      at: this.#now + Math.max(0, delayMs),
      number: ++this.#numbers,
      callback,
      cancel: () => {
        if (entry.callback === undefined) return
        entry.callback = undefined
        this.#cancelled++
      },
      hold: () => undefined,
    }
    this.#push(entry)
    return entry
  }

  afterTurn(callback: () => void): void {
    this.#afterTurn.push(callback)
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#heap.length - this.#cancelled
  }

  /** When the next timer is due. */
  get nextAt(): number | undefined {
    while (this.#heap[0] && this.#heap[0].callback === undefined) this.#pop()
    return this.#heap[0]?.at
  }

  /** Settles after `ms` milliseconds. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.setTimer(resolve, ms))
  }

  /**
   * Lets time pass until `isOver`, looked at when all is at rest, or until the clock shows `endMs`, or for `maxSteps`.
   *
   * @returns whether it is over
   * @throws what a timer throws
   */
  run(isOver: () => boolean, endMs: number, maxSteps: number): Promise<boolean> {
    const lastStep = this.steps + maxSteps
    return new Promise((resolve, reject) => {
      let queued = 0
      let isDone = false
      const finish = (outcome: boolean): void => {
        isDone = true
        resolve(outcome)
      }
      const turn = (): void => {
        queued--
        try {
          if (!isDone) this.#turn(isOver, endMs, lastStep, finish)
        } catch (error) {
          isDone = true
          reject(error)
        }
        if (queued === 0 && !isDone) queue()
      }
      const queue = (): void => {
        queued = TURNS_AT_ONCE
        for (let i = 0; i < TURNS_AT_ONCE; i++) setImmediate(turn)
      }
      queue()
    })
  }

  #turn(isOver: () => boolean, endMs: number, lastStep: number, finish: (outcome: boolean) => void): void {
    this.steps++
    if (this.#afterTurn.length > 0) {
      for (const callback of this.#afterTurn.splice(0)) callback()
      return
    }
    if (runTurn()) return
    if (isOver()) {
      finish(true)
      return
    }
    const at = this.nextAt
    if (at === undefined || at > endMs || this.steps >= lastStep) {
      if (endMs !== Infinity && this.steps < lastStep) this.#now = Math.max(this.#now, endMs)
      finish(false)
      return
    }
    this.#now = at
    const entry = this.#pop()
    const { callback } = entry
    entry.callback = undefined
    callback!()
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let index = heap.length
    heap.push(entry)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(entry, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = entry
  }

  #pop(): Entry {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (first.callback === undefined) this.#cancelled--
    if (heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
    return first
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.number < b.number)
}
