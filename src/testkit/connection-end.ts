/**
 * One end of a connection under test: its handler keeps everything and watches the rules that hold at all times. Calls of
 * a handler never overlap, none comes inside `open` or `send` of either end, `drained` only after a `false`, `closed`
 * once and last. Waits end with an event; the limit on them only turns a missing event into a message.
 */
import { systemClock } from '../base/clock.ts'
import type { PulsingError } from '../base/errors.ts'
import { isPulsingError } from '../base/errors.ts'
import type { Attachments, Connection } from '../link/connection.ts'

/** What both ends of a run share. */
export interface Run {
  /** The call of either end that is going on: nothing may be delivered to anybody inside it. */
  calling: string | undefined
  /** How long an event may take, in milliseconds, before a wait for it fails. */
  readonly waitLimitMs: number
}

export class ConnectionEnd {
  readonly batches: Uint8Array[] = []
  readonly attachments: (readonly unknown[] | undefined)[] = []
  readonly violations: string[] = []
  closings = 0
  drains = 0
  error: PulsingError | undefined
  /** Runs inside `received`, after the batch was kept. */
  onReceived: ((batch: Uint8Array) => void) | undefined
  readonly name: string
  readonly connection: Connection
  readonly #run: Run
  #handling: string | undefined
  #isDrainDue = false
  #progress: (() => void) | undefined

  constructor(name: string, connection: Connection, run: Run) {
    this.name = name
    this.connection = connection
    this.#run = run
  }

  open(): void {
    this.#during('open()', () =>
      this.connection.open({
        received: (batch, attachments) =>
          this.#event('received', () => {
            this.batches.push(batch)
            this.attachments.push(attachments)
            this.onReceived?.(batch)
          }),
        drained: () =>
          this.#event('drained', () => {
            if (!this.#isDrainDue)
              this.violations.push('expected drained only after a send that answered false, got one more')
            this.#isDrainDue = false
            this.drains++
          }),
        closed: (error) =>
          this.#event('closed', () => {
            this.closings++
            this.error = error
            if (error !== undefined && !isPulsingError(error))
              this.violations.push(`expected closed with a PulsingError, got ${String(error)}`)
          }),
      }),
    )
  }

  send(batch: Uint8Array, attachments?: Attachments): boolean {
    const mayContinue = this.#during('send()', () => this.connection.send(batch, attachments))
    if (typeof mayContinue !== 'boolean')
      this.violations.push(`expected send to answer a boolean, got ${String(mayContinue)}`)
    if (!mayContinue) this.#isDrainDue = true
    return mayContinue
  }

  /** Resolves when `isReached` holds, looked at after every event of this end; rejects when the connection is over before. */
  async until(what: string, isReached: () => boolean): Promise<void> {
    const reached = new Promise<void>((resolve, reject) => {
      this.#progress = () => {
        if (isReached()) resolve()
        else if (this.closings > 0) reject(new Error(`expected ${what} at the ${this.name} end, got ${this.#state()}`))
        else return
        this.#progress = undefined
      }
      this.#progress()
    })
    await this.within(what, reached)
  }

  /** `promise`, or an error that names `what` when it takes too long. */
  within<T>(what: string, promise: Promise<T>): Promise<T> {
    const { waitLimitMs } = this.#run
    return new Promise((resolve, reject) => {
      const late = (): void =>
        reject(new Error(`expected ${what} at the ${this.name} end within ${waitLimitMs} ms, got ${this.#state()}`))
      const limit = systemClock.setTimer(late, waitLimitMs)
      promise.then(resolve, reject).finally(() => limit.cancel())
    })
  }

  batchCount(count: number): Promise<void> {
    return this.until(`${count} batches`, () => this.batches.length >= count)
  }

  closed(): Promise<void> {
    return this.until('closed', () => this.closings > 0)
  }

  #state(): string {
    const end = this.closings > 0 ? `, closed (${this.error?.message ?? 'no error'})` : ''
    return `${this.batches.length} batches, ${this.drains} times drained${end}`
  }

  #during<T>(call: string, run: () => T): T {
    const outer = this.#run.calling
    this.#run.calling = call
    try {
      return run()
    } finally {
      this.#run.calling = outer
    }
  }

  #event(event: string, run: () => void): void {
    const { calling } = this.#run
    if (calling !== undefined) this.violations.push(`expected ${event} after ${calling} returned, got it inside`)
    if (this.#handling !== undefined)
      this.violations.push(`expected ${event} after ${this.#handling} returned, got it inside`)
    if (this.closings > 0) this.violations.push(`expected nothing after closed, got ${event}`)
    const outer = this.#handling
    this.#handling = event
    try {
      run()
    } finally {
      this.#handling = outer
      this.#progress?.()
    }
  }
}
