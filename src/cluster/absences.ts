/**
 * Members no way leads to, and until when they count as members all the same: a network that comes back in time finds
 * everybody where they were. Pure: time comes in, those whose time is up go out.
 */

/** Absent members remembered; of more, those absent longest are given up. */
const MAX_ABSENT = 10_000

export class Absences {
  readonly #until = new Map<string, number>()

  has(nodeId: string): boolean {
    return this.#until.has(nodeId)
  }

  /** When its time is up, if it is absent. */
  until(nodeId: string): number | undefined {
    return this.#until.get(nodeId)
  }

  /** All of them, the one absent longest first. */
  ids(): IterableIterator<string> {
    return this.#until.keys()
  }

  /** The moment at which somebody's time is up next, if anybody is absent. */
  get next(): number | undefined {
    let next: number | undefined
    for (const until of this.#until.values()) if (next === undefined || until < next) next = until
    return next
  }

  /** A member cannot be reached any more. */
  add(nodeId: string, until: number): void {
    this.#until.set(nodeId, until)
  }

  /** A member is back, or has ended; whether it was absent. */
  remove(nodeId: string): boolean {
    return this.#until.delete(nodeId)
  }

  /** Nobody's time is up before `until`: this node has been cut off itself, and cannot know. */
  defer(until: number): void {
    for (const [nodeId, before] of this.#until) if (before < until) this.#until.set(nodeId, until)
  }

  /** Takes out those whose time is up. */
  due(now: number): string[] {
    const due: string[] = []
    let excess = this.#until.size - MAX_ABSENT
    for (const [nodeId, until] of this.#until) {
      if (until > now && excess <= 0) continue
      due.push(nodeId)
      excess--
    }
    for (const nodeId of due) this.#until.delete(nodeId)
    return due
  }
}
