/** A simulated connection as a test sees it: between which hosts it is, and what can be done to it. */
import type { Clock } from '../base/clock.ts'
import { UnreachableError } from '../base/errors.ts'
import type { SeededRandom } from './seeded-random.ts'
import { SimulatedConnection } from './simulated-connection.ts'
import { SimulatedWire } from './simulated-wire.ts'

/** One thing that happened in a {@link SimulatedNetwork}. */
export interface SimulatedEvent {
  /** When, in milliseconds of the network's clock. */
  readonly at: number
  /**
   * A batch was `sent`, has `arrived`, or was `lost`; a link was `opened`, `refused` (nobody listened there) or `closed`
   * (one of its ends is over); or something was done to it.
   */
  readonly what:
    | 'sent'
    | 'arrived'
    | 'lost'
    | 'opened'
    | 'refused'
    | 'closed'
    | 'stalled'
    | 'silenced'
    | 'cut'
    | 'crashed'
    | 'parted'
    | 'healed'
  /** The number of the link, counted from 1 in the order they were dialled; 0 where it concerns none. */
  readonly link: number
  /** The host that did it, or whose end it is. */
  readonly from: string
  /** The host at the other end. */
  readonly to: string
  /** What was sent; do not change it. */
  readonly batch?: Uint8Array
}

/** A connection between two hosts, as the test sees it. */
export interface SimulatedLink {
  /** Counted from 1, in the order they were dialled. */
  readonly number: number
  /** The host that dialled, and the one that listened. */
  readonly hosts: readonly [dialer: string, listener: string]
  /** Whether it is up, and was neither cut nor silenced, not even one way. */
  readonly isWhole: boolean
  /** Lets nothing arrive for `ms` milliseconds, what `from` sends, or, without it, both ways; then all goes on. */
  stall(ms: number, from?: string): void
  /** Loses all that `from` sends from now on, or, without it, both: neither is told. */
  silence(from?: string): void
  /**
   * Breaks it: of what is under way each way, a part that chance decides still arrives, the rest is lost. Both ends are
   * told, each when chance decides; with `seenBy` only that host's end is, and the other hears nothing more.
   */
  cut(options?: { readonly seenBy?: string }): void
}

/** What a link needs of its network. */
export interface LinkSettings {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly delayMs: () => number
  readonly bytesPerMs: number
  readonly windowBytes: number
  note(what: SimulatedEvent['what'], link: number, from: string, to: string, batch?: Uint8Array): void
  /** Both ends are over. */
  over(link: HostLink): void
}

/** The two ends of a link, and the wires between them. */
export class HostLink implements SimulatedLink {
  readonly number: number
  readonly hosts: readonly [string, string]
  readonly ends: readonly [SimulatedConnection, SimulatedConnection]
  readonly #settings: LinkSettings

  constructor(number: number, hosts: readonly [string, string], settings: LinkSettings) {
    this.number = number
    this.hosts = hosts
    this.#settings = settings
    this.ends = [this.#end(0), this.#end(1)]
    SimulatedConnection.join(...this.ends)
  }

  get isWhole(): boolean {
    return this.ends.every(({ isOver, wire }) => !isOver && wire.isOpen)
  }

  stall(ms: number, from?: string): void {
    this.#note('stalled', from)
    for (const end of this.#endsOf(from)) end.wire.stall(ms)
  }

  silence(from?: string): void {
    this.#note('silenced', from)
    for (const end of this.#endsOf(from)) end.wire.silence()
  }

  cut({ seenBy }: { readonly seenBy?: string } = {}): void {
    this.#note('cut', seenBy)
    const { random, clock, delayMs } = this.#settings
    for (const [index, end] of this.ends.entries()) {
      const other = this.ends[1 - index] as SimulatedConnection
      end.wire.drop(random.int(end.wire.size + 1))
      const error = new UnreachableError('the simulated connection was cut')
      if (seenBy === undefined) end.wire.end(() => other.finish(error))
      else if (seenBy === this.hosts[index]) clock.setTimer(() => end.finish(error), delayMs())
      end.wire.shut()
    }
  }

  #end(index: 0 | 1): SimulatedConnection {
    const { clock, delayMs, bytesPerMs, windowBytes, note, over } = this.#settings
    const [from, to] = index === 0 ? this.hosts : ([this.hosts[1], this.hosts[0]] as const)
    const wire = new SimulatedWire({
      clock,
      nextDelayMs: delayMs,
      bytesPerMs,
      note: (what, batch) =>
        what === 'arrived' ? note(what, this.number, to, from, batch) : note(what, this.number, from, to, batch),
    })
    return new SimulatedConnection(wire, windowBytes, () => {
      note('closed', this.number, from, to)
      if (this.ends[0].isOver && this.ends[1].isOver) over(this)
    })
  }

  #endsOf(host: string | undefined): SimulatedConnection[] {
    return this.ends.filter((_, index) => host === undefined || host === this.hosts[index])
  }

  #note(what: SimulatedEvent['what'], host = this.hosts[0]): void {
    this.#settings.note(what, this.number, host, host === this.hosts[0] ? this.hosts[1] : this.hosts[0])
  }
}
