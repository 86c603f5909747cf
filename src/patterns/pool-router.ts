/**
 * The actor in front of a pool: it hands each message to one of its children, and sees to it that there are enough of
 * them. Reentrant: what a worker takes long for does not hold up the others, until there is no more room.
 */
import type { ActorLike, ActorSource, Spawnable } from '../actor/actor.ts'
import { answersErrors } from '../actor/actor.ts'
import type { ActorCell } from '../actor/actor-cell.ts'
import type { ActorContext, MessageContext } from '../actor/actor-context.ts'
import type { ActorRef, Recipient, Ref } from '../actor/actor-ref.ts'
import { discardMessage } from '../actor/discarded-result.ts'
import { Tell } from '../actor/envelope.ts'
import { RestartHistory, type RestartPolicy } from '../actor/supervision.ts'
import type { Timer } from '../base/clock.ts'
import { SETTLED } from '../base/deferred.ts'
import { toActorError, UnreachableError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import type { WorkerOptions } from './pool.ts'
import type { Candidate, Choose, PoolStrategy } from './pool-strategy.ts'
import { chooser } from './pool-strategy.ts'

/** What a pool is made of, all of it settled. */
export interface PoolPlan {
  readonly spawnable: Spawnable
  /** How other members know the class, if they are to have workers. */
  readonly type: string | undefined
  readonly size: number
  readonly strategy: PoolStrategy
  readonly worker: WorkerOptions
  readonly replace: RestartPolicy
}

/** A message nobody waits for, which the pool counts as long as its worker has it. */
class CountedTell extends Tell {
  readonly #ended: () => void

  constructor(message: Message, sender: ActorRef | undefined, ended: () => void) {
    super(message, sender)
    this.#ended = ended
  }

  override succeed(result: unknown): void {
    super.succeed(result)
    this.#ended()
  }
  override fail(): void {
    this.#ended()
  }
}

class Worker implements Candidate {
  readonly slot: number
  readonly #recipient: Recipient
  load = 0

  constructor(slot: number, recipient: Recipient) {
    this.slot = slot
    this.#recipient = recipient
  }

  /** The worker itself, where it is on this node. */
  get cell(): ActorCell | undefined {
    return this.#recipient.isLocal ? (this.#recipient as ActorCell) : undefined
  }

  readonly #ended = (): void => {
    this.load--
  }

  /** Settles when the worker's mailbox has it, if that is not at once. A worker that refuses it has counted it as a dead letter. */
  tell(msg: Message, ctx: MessageContext): Promise<void> | undefined {
    this.load++
    const { cell } = this
    // Of a tell to another node nothing is known any more once it is on its way.
    const accepted = cell
      ? cell.accept(new CountedTell(msg.handOver(), ctx.sender, this.#ended))
      : this.#recipient.tell(msg, { sender: ctx.sender }).finally(this.#ended)
    return accepted === SETTLED ? undefined : accepted.catch(() => undefined)
  }

  /** As the caller's own ask: until its deadline and no longer than it waits, plain or not as it asked. */
  async ask(msg: Message, ctx: MessageContext): Promise<unknown> {
    this.load++
    try {
      return await this.#recipient.ask(msg, true, { sender: ctx.sender, within: ctx, timeout: Infinity })
    } catch (error) {
      // Who gave up knows that already; it is no failure of the pool.
      if (ctx.envelope?.isCancelled) return undefined
      throw error
    } finally {
      this.#ended()
    }
  }
}

export class PoolRouter implements ActorLike {
  /** A worker's error is its caller's affair, and no failure of the pool. */
  readonly [answersErrors] = true
  readonly #plan: PoolPlan
  /** Those that take messages. */
  #workers: readonly Worker[] = []
  /** By slot: when its worker was replaced, and what the next replacement waits for. */
  readonly #histories: RestartHistory[] = []
  readonly #timers: Timer[] = []
  #givenUp = 0
  #ctx!: MessageContext
  #choose!: Choose

  constructor(plan: PoolPlan) {
    this.#plan = plan
  }

  async onStart(context: ActorContext): Promise<void> {
    this.#ctx = context as MessageContext
    const { size, strategy, replace } = this.#plan
    const { random } = this.#runtime
    this.#choose = chooser(strategy, random)
    for (let slot = 0; slot < size; slot++) this.#histories.push(new RestartHistory(replace, random))
    await Promise.all(this.#histories.map((_, slot) => this.#spawn(slot)))
  }

  onStop(): void {
    for (const timer of this.#timers) timer?.cancel()
  }

  receive(msg: Message, context: ActorContext): unknown {
    const ctx = context as MessageContext
    const isAsk = ctx.envelope!.isAsk
    if (this.#workers.length === 0) {
      const error = this.#noWorker()
      if (isAsk) throw error
      discardMessage(msg)
      this.#runtime.deadLetter(String(ctx.self), msg.msgType, error.code)
      return undefined
    }
    const worker = this.#choose(this.#workers, msg)
    return isAsk ? worker.ask(msg, ctx) : worker.tell(msg, ctx)
  }

  get #runtime(): MessageContext['cell']['runtime'] {
    return this.#ctx.cell.runtime
  }

  #noWorker(): UnreachableError {
    const awaited = this.#plan.size - this.#givenUp
    return new UnreachableError(`expected a worker in the pool, got none, and ${awaited} to come`, {
      outcome: 'not-sent',
      address: String(this.#ctx.self),
    })
  }

  async #spawn(slot: number): Promise<void> {
    const { recipient } = (await this.#create()) as Ref
    const worker = new Worker(slot, recipient)
    this.#workers = [...this.#workers, worker]
    const leave = (): void => {
      this.#workers = this.#workers.filter((other) => other !== worker)
    }
    // It takes no messages from when it is told to stop, which may be long before it has.
    worker.cell?.stopSignal.addEventListener('abort', leave, { once: true })
    recipient.watch({
      terminated: () => {
        leave()
        this.#replace(slot)
      },
    })
  }

  #create(): Promise<ActorRef> {
    const { spawnable, type, worker } = this.#plan
    if (type === undefined) return this.#ctx.spawn(spawnable, worker)
    const make = (): ActorSource => new (spawnable as new () => ActorSource)()
    return this.#ctx.system.createRemote({ type, args: [], make, hostsOnly: true }, worker, this.#ctx.cell)
  }

  /** Spawns a worker for an empty slot, after a while; too often in too short a time, and the slot stays empty. */
  #replace(slot: number): void {
    if (this.#ctx.signal.aborted) return
    const { clock } = this.#runtime
    const delayMs = this.#histories[slot]!.next(clock.now())
    if (delayMs === undefined) {
      const left = this.#plan.size - ++this.#givenUp
      this.#runtime.warn('pool_shrunk', `a pool replaced a worker too often, ${left} are left: ${this.#ctx.self}`)
      return
    }
    const timer = clock.setTimer(() => {
      this.#spawn(slot).catch((error: unknown) => this.#notReplaced(slot, error))
    }, delayMs)
    timer.hold(false)
    this.#timers[slot] = timer
  }

  #notReplaced(slot: number, thrown: unknown): void {
    if (this.#ctx.signal.aborted) return
    const error = toActorError(thrown)
    this.#runtime.warn('worker_not_replaced', `a worker of a pool could not be replaced: ${error.message}`, error)
    this.#replace(slot)
  }
}
