/**
 * Waits for members no way leads to, as long as each is given, and says who is given up. A thin shell around `Absences`.
 * Who may only have missed the news does not accuse: before anybody is given up, some neighbour was heard lately, or all
 * are asked; and who has lost its last link, or has one again, begins to count anew.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Link } from '../link/link.ts'
import { Absences } from './absences.ts'

/** How old the last sign of a neighbour may be at most when a member is given up, in milliseconds. */
export const FRESH_MS = 5_000
/** How long an answer of the neighbours is waited for at a time, in milliseconds. */
const ANSWER_MS = 1_000

export interface AttendanceOptions {
  readonly clock: Clock
  /** How long a member is waited for, in milliseconds. */
  readonly graceMs: number
  /** The same for one whose page was hidden when it was last heard of; not less than `graceMs` counts. */
  readonly hiddenGraceMs: number
  /** This node's links. */
  links(): Iterable<Pick<Link, 'heardAt' | 'probe'>>
  /** A member's time is up. */
  givenUp(nodeId: string): void
}

export class Attendance {
  readonly #options: AttendanceOptions
  readonly #absences = new Absences()
  #timer: Timer | undefined
  #dueAt = Infinity

  constructor(options: AttendanceOptions) {
    this.#options = options
  }

  /** Members no way leads to, the one absent longest first. */
  get absent(): IterableIterator<string> {
    return this.#absences.ids()
  }

  isAbsent(nodeId: string): boolean {
    return this.#absences.has(nodeId)
  }

  /** How long a node is still waited for, in milliseconds; 0 for one that is not. */
  leftMs(nodeId: string): number {
    return Math.max(0, (this.#absences.until(nodeId) ?? 0) - this.#options.clock.now())
  }

  /** No way leads to a member any more. */
  miss({ nodeId, isHidden }: { readonly nodeId: string; readonly isHidden: boolean }): void {
    const { clock, graceMs, hiddenGraceMs } = this.#options
    this.#absences.add(nodeId, clock.now() + (isHidden ? Math.max(graceMs, hiddenGraceMs) : graceMs))
    this.#wait()
  }

  /** A member is back, or has ended; whether it was absent. */
  remove(nodeId: string): boolean {
    return this.#absences.remove(nodeId)
  }

  /** This node's last link is over, or it has a first one: until now it could not know. */
  cutOff(): void {
    const { clock, graceMs } = this.#options
    this.#absences.defer(clock.now() + graceMs)
  }

  close(): void {
    this.#timer?.cancel()
  }

  #wait(): void {
    const { clock } = this.#options
    const dueAt = this.#absences.next ?? Infinity
    if (dueAt >= this.#dueAt) return
    this.#timer?.cancel()
    this.#dueAt = dueAt
    this.#timer = clock.setTimer(() => {
      this.#dueAt = Infinity
      if (this.#isDeaf()) this.#absences.defer(clock.now() + ANSWER_MS)
      for (const nodeId of this.#absences.due(clock.now())) this.#options.givenUp(nodeId)
      this.#wait()
    }, dueAt - clock.now())
    this.#timer.hold(false)
  }

  /** Whether no neighbour was heard lately, though there are some. They are asked: what they told before comes first. */
  #isDeaf(): boolean {
    const freshSince = this.#options.clock.now() - FRESH_MS
    const links = [...this.#options.links()]
    if (links.length === 0 || links.some(({ heardAt }) => heardAt >= freshSince)) return false
    for (const link of links) link.probe()
    return true
  }
}
