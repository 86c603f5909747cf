/**
 * One direction of a simulated connection: batches under way, in order, each with the moment it arrives. It can stand
 * still for a while, lose what it carries, and fall silent for good.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { Fifo } from '../base/fifo.ts'

/** How a wire carries. */
export interface WireOptions {
  readonly clock: Clock
  /** How long the next batch is under way, in milliseconds. */
  readonly nextDelayMs: () => number
  /** How many bytes it takes up in a millisecond. */
  readonly bytesPerMs: number
  /** Hears of what becomes of batches. */
  readonly note: (what: 'sent' | 'arrived' | 'lost', batch: Uint8Array) => void
}

interface Parcel {
  readonly batch: Uint8Array | undefined
  readonly arrivesAt: number
  readonly deliver: () => void
}

export class SimulatedWire {
  readonly #options: WireOptions
  readonly #underway = new Fifo<Parcel>()
  #deliver!: (batch: Uint8Array) => void
  #timer: Timer | undefined
  #freeAt = 0
  #lastArrivesAt = 0
  #stalledUntil = 0
  #state: 'open' | 'shut' | 'silent' = 'open'

  constructor(options: WireOptions) {
    this.#options = options
  }

  /** @param deliver takes a batch that has arrived */
  attach(deliver: (batch: Uint8Array) => void): void {
    this.#deliver = deliver
  }

  /** Batches under way. */
  get size(): number {
    return this.#underway.size
  }
  /** Whether it takes what is sent, and delivers it. */
  get isOpen(): boolean {
    return this.#state === 'open'
  }
  /** Whether nothing arrives any more. */
  get isSilent(): boolean {
    return this.#state === 'silent'
  }

  carry(batch: Uint8Array): void {
    const { note, bytesPerMs, clock } = this.#options
    note('sent', batch)
    if (this.#state !== 'open') {
      note('lost', batch)
      return
    }
    this.#freeAt = Math.max(this.#freeAt, clock.now()) + batch.byteLength / bytesPerMs
    this.#push(batch, () => {
      note('arrived', batch)
      this.#deliver(batch)
    })
  }

  /** The last thing that arrives, after all that is under way: the news that there is no more. */
  end(deliver: () => void): void {
    if (this.#state === 'open') this.#push(undefined, deliver)
  }

  /** Nothing arrives for `ms` milliseconds; then it goes on. */
  stall(ms: number): void {
    this.#stalledUntil = Math.max(this.#stalledUntil, this.#options.clock.now() + ms)
    this.#arm()
  }

  /** Loses what is under way but for the first `kept` batches. */
  drop(kept: number): void {
    if (this.#state === 'open') this.#lose(kept)
  }

  /** Takes nothing more; what is under way still arrives. */
  shut(): void {
    if (this.#state === 'open') this.#state = 'shut'
  }

  /** Loses everything, from now on. What was shut has had its end. */
  silence(): void {
    if (this.#state === 'shut') return
    this.#state = 'silent'
    this.#lose(0)
  }

  #lose(kept: number): void {
    for (const [index, parcel] of this.#underway.drain().entries()) {
      if (index < kept) this.#underway.push(parcel)
      else if (parcel.batch) this.#options.note('lost', parcel.batch)
    }
    this.#arm()
  }

  #push(batch: Uint8Array | undefined, deliver: () => void): void {
    const { clock, nextDelayMs } = this.#options
    const arrivesAt = Math.max(this.#lastArrivesAt, Math.max(this.#freeAt, clock.now()) + nextDelayMs())
    this.#lastArrivesAt = arrivesAt
    this.#underway.push({ batch, arrivesAt, deliver })
    if (this.#underway.size === 1) this.#arm()
  }

  /** Waits for the first batch. */
  #arm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const first = this.#underway.peek()
    if (!first) return
    const { clock } = this.#options
    const dueAt = Math.max(first.arrivesAt, this.#stalledUntil)
    this.#timer = clock.setTimer(this.#arrive, dueAt - clock.now())
  }

  readonly #arrive = (): void => {
    const now = this.#options.clock.now()
    for (
      let first = this.#underway.peek();
      first && first.arrivesAt <= now && this.#stalledUntil <= now;
      first = this.#underway.peek()
    ) {
      this.#underway.shift()
      first.deliver()
    }
    this.#arm()
  }
}
