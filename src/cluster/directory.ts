/** Finds actors by their public names: now, or as soon as there is one. A thin shell around `Names`, which decides. */
import type { ActorRef } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import type { ResolveOptions } from '../actor/actor-system.ts'
import { DEFAULT_RESOLVE_TIMEOUT_MS } from '../actor/actor-system.ts'
import { ActorNotFoundError, describe, type PulsingError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { nameUri } from '../message/address.ts'
import type { Instance } from './names.ts'
import { Names } from './names.ts'

/** Who makes refs to actors of any node. */
export interface RefMaker {
  refTo(nodeId: string, actorId: string, name: string | undefined): ActorRef
}

export class Directory {
  readonly #runtime: ActorRuntime
  readonly #refs: RefMaker
  readonly #names: Names
  readonly #resolving = new Set<(error: PulsingError) => void>()

  constructor(runtime: ActorRuntime, random: Random, refs: RefMaker) {
    this.#runtime = runtime
    this.#refs = refs
    this.#names = new Names(random)
  }

  /** A live member has an actor of that name: the one it had before is replaced. */
  add(name: string, instance: Instance): void {
    this.#names.add(name, instance)
  }

  /** A member no longer has an actor of that name, or is none any more. */
  remove(name: string, nodeId: string): void {
    this.#names.remove(name, nodeId)
  }

  /** An actor of that public name on another node, or by `options` on any. */
  find(name: string, { policy = 'round-robin', node }: ResolveOptions = {}): ActorRef | undefined {
    const instance = this.#names.pick(name, policy, node, this.#runtime.nodeId)
    return instance && this.#refs.refTo(instance.nodeId, instance.actorId, name)
  }

  /** Like {@link find}, waiting for the name. */
  resolve(name: string, options: ResolveOptions): Promise<ActorRef> {
    const { timeout = DEFAULT_RESOLVE_TIMEOUT_MS, signal } = options
    const known = this.find(name, options)
    if (known) return Promise.resolve(known)
    return new Promise((resolve, reject) => {
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
        const ref = this.find(name, options)
        if (!ref) return
        settle()
        resolve(ref)
      })
      const timer =
        timeout === Infinity
          ? undefined
          : this.#runtime.clock.setTimer(() => {
              const where = options.node === undefined ? 'in the cluster' : `on node ${options.node}`
              fail(
                new ActorNotFoundError(
                  `expected a public actor named ${describe(name)} ${where} within ${timeout} ms, got none`,
                  { address: nameUri(name) },
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
