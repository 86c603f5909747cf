/** Many actors behind one ref: a router, and the workers it hands messages to. */
import type { Spawnable } from '../actor/actor.ts'
import type { ActorContext } from '../actor/actor-context.ts'
import { isRepeatable } from '../actor/actor-instance.ts'
import type { ActorRef } from '../actor/actor-ref.ts'
import type { ResolvePolicy, SpawnOptions } from '../actor/actor-system.ts'
import type { MailboxOptions } from '../actor/mailbox.ts'
import type { RestartPolicy } from '../actor/supervision.ts'
import { typeNameOf } from '../proxy/as-actor.ts'
import type { PoolStrategy } from './pool-strategy.ts'
import { Problems } from './problems.ts'

/** How many workers a pool has, which of them gets a message, and what becomes of those that end. */
export interface PoolOptions {
  /** How many workers, at least 1. */
  readonly size: number
  /** Which worker gets a message. Default `'round-robin'`. */
  readonly strategy?: PoolStrategy
  /** The name of the pool. Default: it is anonymous. */
  readonly name?: string
  /** Whether other nodes can find the pool by its name, which it must have then. Default false. */
  readonly public?: boolean
  /**
   * The mailbox of the pool itself. Its capacity is also how many messages its workers may have not answered, or not yet
   * had room for, before the pool takes no more. Default: as for any actor.
   */
  readonly mailbox?: MailboxOptions
  /** How each worker is spawned, and on which members. Default: as any actor, on this node. */
  readonly worker?: WorkerOptions
  /** How a worker that has ended for good is replaced. */
  readonly replace?: ReplacePolicy
}

/** How, and where, a pool spawns its workers. With `policy` or `node` it needs an `asActor` class with a type name. */
export interface WorkerOptions extends Omit<SpawnOptions, 'public'> {
  /**
   * Which of the members that host the class (`withActors`) a worker is created on, this node among them if it hosts
   * it: `'round-robin'` spreads the workers. Default: none, workers live on this node.
   */
  readonly policy?: ResolvePolicy
  /** The id of the node all workers are created on. Default: as `policy` says. */
  readonly node?: string
}

/** How often and how soon a pool replaces a worker that has ended. */
export interface ReplacePolicy {
  /**
   * Replacements in one place within `withinMs`, attempts that fail included; one more, and that place stays empty.
   * Default {@link DEFAULT_MAX_REPLACEMENTS}; 0 replaces none.
   */
  readonly maxReplacements?: number
  /** Length of the sliding window in which they count, in milliseconds. Default {@link DEFAULT_REPLACED_WITHIN_MS}. */
  readonly withinMs?: number
  /**
   * Wait before the first replacement of a window, in milliseconds; it doubles with each. Default
   * {@link DEFAULT_REPLACE_MIN_BACKOFF_MS}.
   */
  readonly minBackoffMs?: number
  /** The longest wait, in milliseconds. Default {@link DEFAULT_REPLACE_MAX_BACKOFF_MS}. */
  readonly maxBackoffMs?: number
}

/** Replacements in one place of a pool within the window unless said otherwise. */
export const DEFAULT_MAX_REPLACEMENTS = 10
/** The window in which replacements count unless said otherwise, in milliseconds. */
export const DEFAULT_REPLACED_WITHIN_MS = 60_000
/** The first wait before a replacement unless said otherwise, in milliseconds. */
export const DEFAULT_REPLACE_MIN_BACKOFF_MS = 100
/** The longest wait before a replacement unless said otherwise, in milliseconds. */
export const DEFAULT_REPLACE_MAX_BACKOFF_MS = 5_000

/**
 * Spawns `size` actors and one in front of them, whose ref is for them all. To callers it is as any other: workers see
 * the caller's deadline, its giving up and the original `sender`; streams pass through in both directions; `asType` and
 * `asAny` work; when the workers have no room callers wait.
 *
 * A worker told to stop gets no more messages. When it has ended another takes its place, after a wait; if that happens
 * too often the pool goes on without (a `warning` event, `pool_shrunk`). While there is none at all, asks reject with
 * UnreachableError, outcome `not-sent`, and tells are dead letters. Stopping the pool lets its workers finish what
 * they were asked, and stops them.
 *
 * With `worker: { policy }` the workers live on the members that host the class, each chosen when it is created: also
 * one that replaces another, which it does when that one's node has ended, or could not be reached for as long as
 * sessions wait. Nothing moves when a member joins. Workers elsewhere are children of the pool as `Class.remote(ctx)`
 * makes them: their failures are left to `worker.restart`. They see a `sender` only if it is an actor of the pool's
 * node; a tell no longer counts as load when it is on its way; what a worker had been given when its node was lost
 * rejects with UnreachableError.
 *
 * @param parent a system, or the context of an actor whose child the pool becomes
 * @param spawnable a class, or a function that makes a worker: an instance cannot be many
 * @throws ConfigError naming every option that is wrong
 * @throws UnreachableError when no member hosts the class, and `worker.policy` wants one
 * @throws what `ActorSystem.spawn` throws, also for the first workers: then none is left running
 *
 * @example
 * ```ts
 * import { asActor, createActorSystem } from 'pulsing'
 * import { pool } from 'pulsing/patterns'
 *
 * const Cart = asActor(class Cart {
 *   items = new Map<string, number>()
 *   add(user: string, n: number) {
 *     this.items.set(user, (this.items.get(user) ?? 0) + n)
 *     return this.items.get(user)
 *   }
 * })
 * const system = await createActorSystem()
 * const ref = await pool(system, Cart, { size: 4, strategy: { by: 'argument' } })
 * const carts = ref.asType(Cart)
 * await carts.add('ada', 1)
 * const n = await carts.add('ada', 2) // the same worker
 * if (n !== 3) throw new Error(`expected 3, got ${n}`)
 * await system.shutdown()
 * ```
 *
 * @example
 * ```ts
 * import { asActor, createActorSystem, SystemConfig } from 'pulsing'
 * import { pool } from 'pulsing/patterns'
 *
 * const Squares = asActor(class Squares { of(n: number) { return n * n } })
 * const host = await createActorSystem(SystemConfig.withAddr('ws://127.0.0.1:0').withActors(Squares))
 * const system = await createActorSystem(SystemConfig.withSeeds([host.addr!]))
 * const ref = await pool(system, Squares, { size: 4, worker: { policy: 'round-robin' } })
 * await ref.asType(Squares).of(3) // 9, worked out on the host
 * await Promise.all([system.shutdown(), host.shutdown()])
 * ```
 */
export async function pool(
  parent: Pick<ActorContext, 'spawn'>,
  spawnable: Spawnable,
  options: PoolOptions,
): Promise<ActorRef> {
  const { size, strategy = 'round-robin', name, worker = {}, replace = {}, ...own } = options
  const {
    maxReplacements = DEFAULT_MAX_REPLACEMENTS,
    withinMs = DEFAULT_REPLACED_WITHIN_MS,
    minBackoffMs = DEFAULT_REPLACE_MIN_BACKOFF_MS,
    maxBackoffMs = Math.max(minBackoffMs, DEFAULT_REPLACE_MAX_BACKOFF_MS),
  } = replace
  const problems = new Problems()
  problems.count('size', size)
  problems.expect('spawnable', spawnable, isRepeatable(spawnable), 'a class or a function that makes a worker')
  const isSpread = worker.policy !== undefined || worker.node !== undefined
  const type = typeNameOf(spawnable)
  if (isSpread)
    problems.expect('spawnable', spawnable, !!type, 'an asActor class with a type name, to create elsewhere')
  problems.expect('strategy', strategy, isStrategy(strategy), 'round-robin, least-loaded, random or { by }')
  if (maxReplacements !== 0 && maxReplacements !== Infinity) problems.count('replace.maxReplacements', maxReplacements)
  problems.duration('replace.withinMs', withinMs)
  problems.backoff('replace.', minBackoffMs, maxBackoffMs)
  problems.throwIfAny()
  const restart: RestartPolicy = {
    policy: 'always',
    maxRestarts: maxReplacements,
    withinMs,
    minBackoffMs,
    maxBackoffMs,
  }
  // A chunk of its own: most who import this entry have no pool.
  const { PoolRouter } = await import('./pool-router.ts')
  const router = new PoolRouter({
    spawnable,
    type: isSpread ? type : undefined,
    size,
    strategy,
    worker,
    replace: restart,
  })
  const spawnOptions: SpawnOptions = { ...own, reentrant: true }
  return name === undefined ? parent.spawn(router, spawnOptions) : parent.spawn(router, name, spawnOptions)
}

function isStrategy(value: unknown): value is PoolStrategy {
  if (typeof value !== 'object' || value === null)
    return value === 'round-robin' || value === 'least-loaded' || value === 'random'
  const { by } = value as { readonly by?: unknown }
  return by === 'argument' || typeof by === 'function'
}
