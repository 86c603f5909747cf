/** Finds actors of all nodes by their names: now, or as soon as there is one. A thin shell around `Names`, which decides. */
import type { ActorRef } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import type { ResolveOptions } from '../actor/actor-system.ts'
import { DEFAULT_RESOLVE_TIMEOUT_MS } from '../actor/actor-system.ts'
import { SYSTEM_ACTOR } from '../actor/system-names.ts'
import { ActorNotFoundError, describe, type PulsingError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { isReservedName, nameUri } from '../message/address.ts'
import type { Choice, Instance } from './names.ts'
import { Names } from './names.ts'

/** Who makes refs to actors of any node. */
export interface RefMaker {
  refTo(nodeId: string, actorId: string, name: string | undefined): ActorRef
  /** The link on the way to a node, if there is a way. */
  linkTo(nodeId: string): unknown
  /** Another number whenever {@link linkTo} may answer otherwise. */
  readonly waysVersion: number
}

export class Directory {
  readonly #runtime: ActorRuntime
  readonly #refs: RefMaker
  readonly #names: Names
  readonly #resolving = new Set<(error: PulsingError) => void>()

  constructor(runtime: ActorRuntime, random: Random, refs: RefMaker) {
    this.#runtime = runtime
    this.#refs = refs
    this.#names = new Names(runtime.nodeId, random)
  }

  /** A live member has an actor of that name: the one it had before is replaced. */
  add(name: string, instance: Instance): void {
    this.#names.add(name, instance)
  }

  /** A member no longer has an actor of that name, or is none any more. */
  remove(name: string, nodeId: string): void {
    this.#names.remove(name, nodeId)
  }

  /** A ref without a look whether the actor is there. */
  refTo(nodeId: string, actorId: string): ActorRef {
    return this.#refs.refTo(nodeId, actorId, actorId === SYSTEM_ACTOR ? actorId : undefined)
  }

  /**
   * An actor of that public name, or the framework's own of a node: what nodes tell under names that are kept to the
   * framework is given to nobody. @throws what a policy of the user's throws
   */
  find(name: string, choice: Choice): ActorRef | undefined {
    if (isReservedName(name)) {
      const { node } = choice
      return name === SYSTEM_ACTOR && node !== undefined && this.#refs.linkTo(node) ? this.refTo(node, name) : undefined
    }
    const instance = this.#names.pick(name, choice)
    return instance && this.#refs.refTo(instance.nodeId, instance.actorId, name)
  }

  /** Another number whenever {@link isWithdrawn} may answer otherwise. */
  get version(): number {
    return this.#names.version + this.#refs.waysVersion
  }

  /** Whether a node that can be reached has said that this instance is no more. */
  isWithdrawn(name: string, instance: Instance): boolean {
    return !this.#names.has(name, instance) && this.#refs.linkTo(instance.nodeId) !== undefined
  }

  /** What `lookup`, by default {@link find}, gives, now or when an actor of that name has appeared. */
  resolve(
    name: string,
    options: ResolveOptions,
    lookup: () => ActorRef | undefined = () => this.find(name, options),
  ): Promise<ActorRef> {
    const { timeout = DEFAULT_RESOLVE_TIMEOUT_MS, signal, node } = options
    return new Promise((resolve, reject) => {
      const known = lookup()
      if (known) {
        resolve(known)
        return
      }
      // Every member has it: what is none now is not waited for.
      if (name === SYSTEM_ACTOR)
        throw new ActorNotFoundError(`expected a member, got ${describe(node)}, which is none`, {
          address: nameUri(name, node),
        })
      const settle = (): void => {
        unwatch()
        this.#resolving.delete(fail)
        timer?.cancel()
        signal?.removeEventListener('abort', onAbort)
      }
      const fail = (error: unknown): void => {
        settle()
        reject(error)
      }
      const onAbort = (): void => fail(signal?.reason)
      this.#resolving.add(fail)
      const unwatch = this.#names.watch(name, () => {
        try {
          const ref = lookup()
          if (!ref) return
          settle()
          resolve(ref)
        } catch (error) {
          fail(error)
        }
      })
      const timer =
        timeout === Infinity
          ? undefined
          : this.#runtime.clock.setTimer(() => {
              const where = node === undefined ? 'in the cluster' : `on node ${node}`
              fail(
                new ActorNotFoundError(
                  `expected a public actor named ${describe(name)} ${where} within ${timeout} ms, got none`,
                  { address: nameUri(name, node) },
                ),
              )
            }, timeout)
      if (signal?.aborted) onAbort()
      else signal?.addEventListener('abort', onAbort)
    })
  }

  /** What waits for a name fails. */
  close(error: PulsingError): void {
    for (const fail of [...this.#resolving]) fail(error)
  }
}
