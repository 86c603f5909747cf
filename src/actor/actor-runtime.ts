/** All actors of one node: spawning, finding, stopping, and what they share. Complete without a network. */
import type { Clock, Timer } from '../base/clock.ts'
import { Deadlines } from '../base/deadlines.ts'
import { ignoreRejection, isThenable } from '../base/deferred.ts'
import { Emitter } from '../base/emitter.ts'
import type { PulsingError } from '../base/errors.ts'
import {
  ActorAlreadyExistsError,
  ActorStoppedError,
  ConfigError,
  describe,
  PulsingTimeoutError,
  toActorError,
} from '../base/errors.ts'
import { isId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { nameProblem } from '../message/address.ts'
import type { ActorLike, Spawnable, StopReason } from './actor.ts'
import { ActorCell } from './actor-cell.ts'
import type { Cancellable } from './actor-context.ts'
import { isActorLike, isActorSource, isRepeatable } from './actor-instance.ts'
import type { ActorRef, Delivery, ProxyFactory, Ref } from './actor-ref.ts'
import { DEFAULT_ASK_TIMEOUT_MS } from './actor-ref.ts'
import type { ActorSystem, Census, SpawnOptions } from './actor-system.ts'
import { RELEASE_TYPE } from './callback.ts'
import { checkDelay } from './delay.ts'
import { Dispatcher } from './dispatcher.ts'
import { exclusivityProblems, fencingToken, type LeasedOptions, type LeaseSource } from './exclusivity.ts'
import { LogLimiter } from './log-limiter.ts'
import { MAX_MAILBOX_CAPACITY, Mailbox, MIN_MAILBOX_CAPACITY, OVERFLOWS } from './mailbox.ts'
import { restartProblems } from './supervision.ts'
import type { Logger, SystemEvents } from './system-events.ts'
import { SYSTEM_ACTOR } from './system-names.ts'

export interface RuntimeOptions {
  readonly nodeId: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly mailboxCapacity: number
  readonly proxies: ProxyFactory
}

/** What others want to know of public names; set by the cluster. */
export interface NameListener {
  published(name: string, cell: ActorCell): void
  withdrawn(name: string, cell: ActorCell): void
}

export class ActorRuntime {
  readonly nodeId: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly proxies: ProxyFactory
  readonly deadlines: Deadlines
  readonly dispatcher: Dispatcher
  readonly events: Emitter<SystemEvents>
  /** The system these actors belong to; set once by the composition root. */
  system!: ActorSystem
  nameListener: NameListener | undefined
  /** Who gives leases for exclusive names; set once by the composition root. */
  leases: LeaseSource | undefined
  readonly #mailboxCapacity: number
  readonly #log: LogLimiter
  readonly #internal = new Set<ActorCell>()
  readonly #timers = new Set<Timer>()
  readonly #cells = new Map<string, ActorCell>()
  readonly #names = new Map<string, ActorCell | undefined>()
  readonly #publicCells = new Set<ActorCell>()
  readonly #startedAt: number
  #created = 0
  #stopped = 0
  #restarted = 0
  #deadLetters = 0
  #isClosed = false

  constructor({ nodeId, clock, random, logger, mailboxCapacity, proxies }: RuntimeOptions) {
    this.nodeId = nodeId
    this.clock = clock
    this.#startedAt = clock.now()
    this.random = random
    this.logger = shielded(logger)
    this.#log = new LogLimiter(this.logger, clock)
    this.proxies = proxies
    this.#mailboxCapacity = mailboxCapacity
    this.deadlines = new Deadlines(clock, DEFAULT_ASK_TIMEOUT_MS)
    this.dispatcher = new Dispatcher(clock, (error) =>
      this.#log.write('error', 'actors that could not be run', 'an actor could not be run', error),
    )
    this.events = new Emitter((error) => this.#log.write('error', 'event listeners', 'an event listener threw', error))
  }

  byId(id: string): ActorCell | undefined {
    return this.#cells.get(id)
  }

  /** An actor by its name, the one every node runs included. */
  byName(name: string): ActorCell | undefined {
    return this.#names.get(name) ?? (name === SYSTEM_ACTOR ? this.#cells.get(name) : undefined)
  }

  /** Actors of this node, oldest first; those of the framework only with `all`. */
  *actors(all: boolean): IterableIterator<ActorCell> {
    for (const cell of all ? new Set(this.#cells.values()) : this.#cells.values())
      if (all || !this.#internal.has(cell)) yield cell
  }

  /** Whether other nodes can find an actor by its name. */
  isPublic(cell: ActorCell): boolean {
    return this.#publicCells.has(cell)
  }

  /** Milliseconds since this node began. */
  get uptimeMs(): number {
    return this.clock.now() - this.#startedAt
  }

  /** How often what has happened here; actors of the framework count by their messages only. */
  get counts(): Record<'messages' | 'created' | 'stopped' | 'restarted' | 'deadLetters', number> {
    return {
      messages: this.dispatcher.done,
      created: this.#created,
      stopped: this.#stopped,
      restarted: this.#restarted,
      deadLetters: this.#deadLetters,
    }
  }

  async spawn(
    actor: Spawnable,
    name: string | undefined,
    options: SpawnOptions | undefined,
    parent?: ActorCell,
  ): Promise<ActorRef> {
    this.#validate(actor, name, options)
    return options?.exclusive
      ? this.#startExclusive(actor, name!, options, parent)
      : this.#start(actor, name, options, parent)
  }

  /** Gets the name in the cluster first, and gives it back when the actor has ended, or could not be started. */
  async #startExclusive(
    actor: Spawnable,
    name: string,
    options: SpawnOptions,
    parent: ActorCell | undefined,
  ): Promise<ActorRef> {
    this.#refuseTaken(name)
    if (!this.leases)
      throw new ConfigError('expected a system that can join a cluster for an exclusive actor, got none')
    const lease = await this.leases.acquire(name)
    try {
      const leased: LeasedOptions = { ...options, [fencingToken]: lease.token }
      const ref = await this.#start(actor, name, leased, parent)
      ;(ref as Ref).recipient.watch({ terminated: () => lease.release() })
      return ref
    } catch (error) {
      lease.release()
      throw error
    }
  }

  #refuseTaken(name: string): void {
    if (this.#names.has(name))
      throw new ActorAlreadyExistsError(`expected a free name, got ${describe(name)}, which an actor of this node has`)
  }

  /** Starts an actor of the framework itself whose name, a reserved one, serves as its id too. */
  spawnSystem(actor: ActorLike, name: string): ActorRef {
    // Each actor watched from afar is a message it has not answered yet.
    const cell = this.startInternal(actor, { reentrant: true, mailbox: { capacity: MAX_MAILBOX_CAPACITY } })
    this.#cells.set(name, cell)
    return cell.ref
  }

  /**
   * Starts an actor of the framework itself, without `onStart`: no event tells of it. One with a `parent` is left for that
   * one to stop, and is none of its children.
   */
  startInternal(actor: ActorLike, options: SpawnOptions | undefined, parent?: ActorCell): ActorCell {
    const mailbox = new Mailbox(options?.mailbox?.capacity ?? this.#mailboxCapacity, 'wait')
    const cell = new ActorCell(this, actor, undefined, options, mailbox, parent)
    this.#cells.set(cell.id, cell)
    this.#internal.add(cell)
    void cell.start()
    return cell
  }

  async #start(
    actor: Spawnable,
    name: string | undefined,
    options: SpawnOptions | undefined,
    parent: ActorCell | undefined,
  ): Promise<ActorRef> {
    if (parent && !parent.takesChildren)
      throw new ActorStoppedError('expected a running parent for a new actor, got one that has stopped', {
        address: parent.toString(),
      })
    if (this.#isClosed) throw new ActorStoppedError('expected a running system to spawn in, got one that is shut down')
    if (name !== undefined) {
      this.#refuseTaken(name)
      this.#names.set(name, undefined)
    }
    let cell: ActorCell
    try {
      const { capacity = this.#mailboxCapacity, overflow = 'wait' } = options?.mailbox ?? {}
      cell = new ActorCell(this, actor, name, options, new Mailbox(capacity, overflow), parent)
    } catch (error) {
      if (name !== undefined) this.#names.delete(name)
      throw toActorError(error)
    }
    this.#cells.set(cell.id, cell)
    this.#created++
    if (parent) (parent.holdings.children ??= new Set()).add(cell)
    if (name !== undefined) this.#names.set(name, cell)
    const starting = cell.start()
    if (starting) await starting
    // Stopped by somebody else between the end of `onStart` and now.
    if (cell.isStopped)
      throw new ActorStoppedError('the actor was stopped while it started', { address: cell.toString() })
    if (name !== undefined && options?.public) {
      this.#publicCells.add(cell)
      this.nameListener?.published(name, cell)
    }
    if (this.events.has('actorStarted')) this.events.emit('actorStarted', { ref: cell.ref })
    return cell.ref
  }

  /** Stops an actor of this node; anything else does nothing. */
  async stop(nameOrId: string, reason: StopReason): Promise<void> {
    const cell = this.#names.get(nameOrId) ?? (isId(nameOrId) ? this.#cells.get(nameOrId) : undefined)
    await cell?.stop(reason)
  }

  /** Stops every actor, then everything still waiting. */
  async close(): Promise<void> {
    this.#isClosed = true
    const core = this.#cells.get(SYSTEM_ACTOR)
    const cells = [...this.#cells.values()].filter((cell) => !cell.parent && cell !== core)
    await Promise.all(cells.map((cell) => (this.#internal.has(cell) ? cell.abort('shutdown') : cell.stop('shutdown'))))
    // Last: it tells other nodes what has become of those.
    await core?.abort('shutdown')
    this.deadlines.close()
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  /** @internal called by a cell that ended */
  stopped(cell: ActorCell, reason: StopReason): void {
    this.#cells.delete(cell.id)
    if (this.#internal.delete(cell)) return
    this.#stopped++
    cell.parent?.holdings.children?.delete(cell)
    if (cell.name !== undefined && this.#names.get(cell.name) === cell) this.#names.delete(cell.name)
    if (this.#publicCells.delete(cell)) this.nameListener?.withdrawn(cell.name!, cell)
    if (this.events.has('actorStopped')) this.events.emit('actorStopped', { ref: cell.ref, reason })
  }

  /** @internal called by a cell that was restarted */
  restarted({ ref }: ActorCell, error: PulsingError | undefined, restarts: number): void {
    this.#restarted++
    this.events.emit('actorRestarted', { ref, error, restarts })
    this.#log.write('info', 'restarts', `an actor was restarted: ${String(ref)}`, error)
  }

  /** @internal an ask to `recipient` was not answered in time */
  askTimedOut(recipient: { toString(): string }, timeoutMs: number): void {
    if (this.events.has('askTimedOut')) this.events.emit('askTimedOut', { recipient: String(recipient), timeoutMs })
  }

  /** Counts and reports a message nobody will handle. */
  deadLetter(recipient: string, msgType: string, reason: string): void {
    // A callback that is gone is gone: nobody misses the news that it is not needed any more.
    if (msgType === RELEASE_TYPE) return
    this.#deadLetters++
    this.events.emit('deadLetter', { recipient, msgType, reason, total: this.#deadLetters })
    this.#log.write(
      'info',
      'dead letters',
      `a message of type ${describe(msgType)} reached nobody: ${reason}`,
      recipient,
    )
  }

  /** Reports a handler's error; when no caller was told, the log is. */
  reportFailure(ref: ActorRef, error: PulsingError, isTold: boolean): void {
    this.events.emit('actorFailed', { ref, error })
    if (isTold) return
    const message = `an actor failed with nobody to tell: ${String(error)}`
    this.#log.write('warn', 'actors that failed', message, error.cause ?? error)
  }

  /** Tells an operator, by event and by log. */
  warn(code: string, message: string, error?: PulsingError): void {
    this.events.emit('warning', { code, message, ...(error ? { error } : {}) })
    this.#log.write('warn', code, message)
  }

  /** Calls `callback` after `delayMs` milliseconds, unless this node ends first. @throws ConfigError */
  later(delayMs: number, callback: () => void): Cancellable {
    checkDelay('delayMs', delayMs, 0)
    const timer = this.clock.setTimer(() => {
      this.#timers.delete(timer)
      callback()
    }, delayMs)
    this.#timers.add(timer)
    return {
      cancel: () => {
        this.#timers.delete(timer)
        timer.cancel()
      },
    }
  }

  /** What of this node lives, and has to end some day. */
  census(): Census {
    let timers = this.#timers.size
    let streams = 0
    for (const cell of this.#cells.values()) {
      timers += cell.pending.timers
      streams += cell.pending.streams
    }
    const actors = [...this.#cells.values()].filter((cell) => !this.#internal.has(cell)).length
    return { actors, asks: this.deadlines.size, timers, streams, listeners: this.events.size }
  }

  /** Public actors by name, those spawned so far. */
  publicCells(): Iterable<ActorCell> {
    return this.#publicCells
  }

  /** Milliseconds an ask may wait: what it says, but not past the deadline it is made under. */
  timeoutOf({ timeout = DEFAULT_ASK_TIMEOUT_MS, within }: Delivery): number {
    if (typeof timeout !== 'number' || !(timeout > 0)) {
      throw new ConfigError(
        `expected timeout as a positive number of milliseconds or Infinity, got ${describe(timeout)}`,
      )
    }
    const deadline = within?.deadline
    if (deadline === undefined) return timeout
    const left = deadline - this.clock.now()
    if (left <= 0) throw new PulsingTimeoutError('the ask this one was made for', 0)
    return Math.min(timeout, left)
  }

  #validate(actor: unknown, name: string | undefined, options: SpawnOptions | undefined): void {
    const problems: string[] = []
    if (typeof actor !== 'function' && !isActorLike(actor) && !isActorSource(actor)) {
      problems.push(
        `expected an actor with a receive method, a class or a function that makes one, got ${describe(actor)}`,
      )
    }
    const problem = name === undefined ? undefined : nameProblem(name)
    if (problem) problems.push(problem)
    if (options?.public && name === undefined) problems.push('expected a name for a public actor, got none')
    if (options) problems.push(...exclusivityProblems(options, name))
    const { capacity, overflow } = options?.mailbox ?? {}
    if (
      capacity !== undefined &&
      !(Number.isInteger(capacity) && capacity >= MIN_MAILBOX_CAPACITY && capacity <= MAX_MAILBOX_CAPACITY)
    ) {
      problems.push(
        `expected mailbox.capacity as an integer from ${MIN_MAILBOX_CAPACITY} to ${MAX_MAILBOX_CAPACITY}, got ${describe(capacity)}`,
      )
    }
    if (overflow !== undefined && !OVERFLOWS.includes(overflow))
      problems.push(`expected mailbox.overflow as one of ${OVERFLOWS.join(', ')}, got ${describe(overflow)}`)
    if (options?.restart !== undefined) {
      problems.push(...restartProblems(options.restart, describe))
      if (options.restart?.policy !== 'never' && !isRepeatable(actor))
        problems.push('expected a function or class for an actor that is restarted, got an instance')
    }
    if (problems.length > 0) throw new ConfigError(problems)
  }
}

/** A logger of the application's that throws must not stop actors. */
function shielded(logger: Logger): Logger {
  const guard =
    (level: keyof Logger) =>
    (message: string, ...details: unknown[]): void => {
      try {
        const written: unknown = logger[level](message, ...details)
        if (isThenable(written)) ignoreRejection(Promise.resolve(written))
      } catch {
        // There is nobody else to tell.
      }
    }
  return { debug: guard('debug'), info: guard('info'), warn: guard('warn'), error: guard('error') }
}
