/**
 * What one actor holds beside its mailbox: children, timers, streams, watches, messages set aside. Only few actors have
 * any of it, so each is made when first needed, and the many stay small.
 */
import type { Timer } from '../base/clock.ts'
import type { Deferred } from '../base/deferred.ts'
import type { PulsingError } from '../base/errors.ts'
import type { StopReason } from './actor.ts'
import type { ActorRef, Recipient } from './actor-ref.ts'
import type { Envelope } from './envelope.ts'
import type { RestartHistory } from './supervision.ts'
import { TerminatedSignal, type Watcher } from './terminated.ts'

/** A restart that was decided on. */
export interface PlannedRestart {
  /** Undefined where the actor stopped itself. */
  readonly error: PulsingError | undefined
  readonly reason: StopReason
  readonly delayMs: number
}

interface Watched {
  readonly recipient: Recipient
  /** Set when the end was told, and not handled yet. */
  signal: TerminatedSignal | undefined
}

/** A child as its parent holds it, wherever it lives. */
export interface Child {
  /** Undefined while another node has yet to create it. */
  readonly ref: ActorRef | undefined
  /** Settles when it has ended, or is not waited for any longer. */
  stop(reason: StopReason): Promise<void>
}

/** A stream of items that an actor's generator makes. */
export interface EndableStream {
  fail(error: PulsingError): void
}

export class Holdings {
  children: Set<Child> | undefined
  /** Envelopes whose handlers wait, where several may. */
  inFlight: Set<Envelope> | undefined
  streams: Set<EndableStream> | undefined
  stashed: Envelope[] | undefined
  stopController: AbortController | undefined
  stopped: Deferred<void> | undefined
  /** What is waited for before a stop or a restart goes on. */
  grace: Timer | undefined
  history: RestartHistory | undefined
  restart: PlannedRestart | undefined
  watchers: Set<Watcher> | undefined
  #watched: Map<string, Watched> | undefined
  #timers: Map<Timer, boolean> | undefined

  /** Timers that wait. */
  get timers(): number {
    return this.#timers?.size ?? 0
  }

  addTimer(timer: Timer, survivesRestart: boolean): void {
    this.#timers ??= new Map()
    this.#timers.set(timer, survivesRestart)
  }

  removeTimer(timer: Timer): void {
    this.#timers?.delete(timer)
  }

  /** @param all those that survive a restart too */
  cancelTimers(all: boolean): void {
    for (const [timer, survives] of this.#timers ?? []) {
      if (survives && !all) continue
      this.#timers!.delete(timer)
      timer.cancel()
    }
  }

  /** Ends what the actor's generators still produce. */
  endStreams(error: PulsingError): void {
    const streams = this.streams
    this.streams = undefined
    for (const stream of streams ?? []) stream.fail(error)
  }

  watch(recipient: Recipient, watcher: Watcher): void {
    this.#watched ??= new Map()
    if (this.#watched.has(recipient.id)) return
    this.#watched.set(recipient.id, { recipient, signal: undefined })
    try {
      recipient.watch(watcher)
    } catch (error) {
      this.#watched.delete(recipient.id)
      throw error
    }
  }

  unwatch(id: string, watcher: Watcher): void {
    const entry = this.#watched?.get(id)
    this.#watched?.delete(id)
    entry?.recipient.unwatch(watcher)
    entry?.signal?.cancel(undefined)
  }

  /** The signal for the end of a watched actor; undefined when it is not watched, or its end was told already. */
  terminated(ref: ActorRef, reason: StopReason): TerminatedSignal | undefined {
    const entry = this.#watched?.get(ref.id)
    if (!entry || entry.signal) return undefined
    entry.signal = new TerminatedSignal(ref, reason, () => {
      if (this.#watched?.get(ref.id) === entry) this.#watched.delete(ref.id)
    })
    return entry.signal
  }

  /** The actor has ended: it watches nobody, and those who watched it are told. */
  end(watcher: Watcher, ref: ActorRef, reason: StopReason): void {
    for (const id of [...(this.#watched?.keys() ?? [])]) this.unwatch(id, watcher)
    const watchers = this.watchers
    this.watchers = undefined
    for (const each of watchers ?? []) each.terminated(ref, reason)
  }
}
