/**
 * `asActor`: turns a class into one whose instances can run as actors, here or on another node. The class stays a plain
 * class: `new Counter(5).increment()` works as before.
 */
import type { ActorSource } from '../actor/actor.ts'
import { toActor } from '../actor/actor.ts'
import type { ActorCell } from '../actor/actor-cell.ts'
import type { ActorContext } from '../actor/actor-context.ts'
import type { ActorProxy } from '../actor/actor-proxy.ts'
import type { ActorSystem, CreateOptions, ResolveOptions } from '../actor/actor-system.ts'
import { ConfigError, describe } from '../base/errors.ts'
import { shortHex } from '../base/ids.ts'
import { ClassActor } from './class-actor.ts'
import { findMethod } from './method-guard.ts'

type Constructor<C extends object = object, A extends never[] = never[]> = new (...args: A) => C
type Instance<T extends Constructor> = InstanceType<T>
type Arguments<T extends Constructor> = ConstructorParameters<T>

/** What `asActor` adds to a class. */
export interface ActorClass<T extends Constructor> {
  /**
   * Creates an actor on this node. Named `<Type>_<8 hex digits>` unless `options({ name })` says otherwise.
   *
   * @param parent a system, or the context of an actor whose child the new one becomes
   * @throws what `ActorSystem.spawn` throws, the constructor's error as `cause` of a PulsingActorError
   */
  local(parent: ActorSystem | ActorContext, ...args: Arguments<T>): Promise<ActorProxy<Instance<T>>>
  /**
   * Creates an actor on another member that hosts this class; alone: here, with a `warning` event. The arguments travel
   * like any value.
   *
   * With the context of an actor in place of the system it becomes a child of that actor, wherever it lives: it is
   * stopped, as `killed`, before its parent ends or is restarted. The parent waits for that, but not for ever, and not
   * where no way leads to it now: it is told once one does. It is stopped, too, when the parent's node has ended, or
   * could not be reached for as long as sessions wait. Its failures are left to its own `restart` policy:
   * `onChildFailure` is not asked about a child on another node.
   *
   * @param parent a system, or the context of an actor whose child the new one becomes
   * @throws what `local` throws, from over there too, and what `ActorRef.ask` throws
   * @throws UnreachableError when `options({ node })` is no member, or a policy's function chooses none
   * @throws ConfigError when `options({ policy })` is no policy, or its function returns no instance of those it got
   * @throws PermissionDeniedError when that node does not list the class in `withActors`
   * @throws ConfigError when the class has no type name
   *
   * @example
   * ```ts
   * import { asActor, contextOf, createActorSystem, SystemConfig } from 'pulsing'
   *
   * const Worker = asActor(class Worker { square(n: number) { return n * n } })
   * const Job = asActor(class Job {
   *   async run(n: number) {
   *     const worker = await Worker.remote(contextOf(this)) // ends with this job
   *     return worker.square(n)
   *   }
   * })
   * const host = await createActorSystem(SystemConfig.withAddr('ws://127.0.0.1:0').withActors(Worker))
   * const system = await createActorSystem(SystemConfig.withSeeds([host.addr!]))
   * const job = await Job.local(system)
   * await job.run(4) // 16
   * await system.stop(job.ref) // and with it the worker
   * await Promise.all([system.shutdown(), host.shutdown()])
   * ```
   */
  remote(parent: ActorSystem | ActorContext, ...args: Arguments<T>): Promise<ActorProxy<Instance<T>>>
  /**
   * A proxy for the actor of that name, waiting for it to appear. Whether it is of this class shows at the first call.
   *
   * @throws ActorNotFoundError when it does not appear in time
   */
  resolve(system: ActorSystem, name: string, options?: ResolveOptions): Promise<ActorProxy<Instance<T>>>
  /** `local` and `remote` with a name, public or not, on a given node or one that a policy chooses. */
  options(options: CreateOptions): Pick<ActorClass<T>, 'local' | 'remote'>
}

/** The class itself, whose instances `spawn` takes, and what `asActor` adds to it. */
export type ActorConstructor<T extends Constructor> = Pick<T, keyof T> &
  (new (
    ...args: ConstructorParameters<T>
  ) => InstanceType<T> & ActorSource) &
  ActorClass<T>

/** How other nodes know a class. */
export interface AsActorOptions {
  /** The name under which other nodes know the class; minifiers rename classes, not this. Default: the class's name. */
  readonly type?: string
}

const typeNames = /* @__PURE__ */ new WeakMap<object, string>()

/** The type name of a class, its own or inherited from an `asActor` class; undefined if it has none. */
export function typeNameOf(Class: unknown): string | undefined {
  if (typeof Class !== 'function') return undefined
  const type = typeNames.get(Class)
  return type ?? (toActor in (Class.prototype ?? {}) ? Class.name : undefined)
}

/**
 * Makes a class usable as an actor: `asActor(class Counter { … })`, `asActor({ type: 'Counter' })(class { … })`, or
 * `@asActor class Counter { … }` where the compiler lowers standard decorators.
 *
 * Minifiers rename classes, or leave them without a name: give a `type` to classes that other nodes create.
 *
 * @throws ConfigError for something that is no class, or one with members proxies and actor classes have themselves
 *
 * @example
 * ```ts
 * import { asActor, createActorSystem } from 'pulsing'
 *
 * const Counter = asActor(class Counter {
 *   constructor(public value = 0) {}
 *   increment(n = 1) { return (this.value += n) }
 * })
 * const system = await createActorSystem()
 * const counter = await Counter.local(system, 10)
 * await counter.increment(5) // 15
 * await system.shutdown()
 * ```
 */
export function asActor<T extends Constructor>(Class: T, context?: ClassDecoratorContext): ActorConstructor<T>
export function asActor(
  options: AsActorOptions,
): <T extends Constructor>(Class: T, context?: ClassDecoratorContext) => ActorConstructor<T>
export function asActor(classOrOptions: Constructor | AsActorOptions, context?: ClassDecoratorContext): unknown {
  if (typeof classOrOptions === 'function') return register(classOrOptions, context?.name || classOrOptions.name)
  if (typeof classOrOptions !== 'object' || classOrOptions === null)
    throw new ConfigError(`expected a class or { type }, got ${describe(classOrOptions)}`)
  return (Class: Constructor, decorated?: ClassDecoratorContext) =>
    register(Class, classOrOptions.type ?? (decorated?.name || Class.name))
}

function register(Class: unknown, type: string): Constructor {
  if (typeof Class !== 'function' || typeof Class.prototype !== 'object')
    throw new ConfigError(`expected a class, got ${describe(Class)}`)
  const taken = ['tell', 'delayed', 'ref'].filter((name) => findMethod(Class.prototype as object, name))
  const statics = ['local', 'remote', 'resolve', 'options'].filter(
    (name) => Object.hasOwn(Class, name) && !typeNames.has(Class),
  )
  if (taken.length + statics.length > 0) {
    throw new ConfigError(
      `expected a class without ${[...taken, ...statics.map((name) => `static ${name}`)].join(', ')}, which proxies and actor classes have themselves`,
    )
  }
  const constructor = Class as Constructor
  // A class without a name, as minifiers leave behind, is an actor all the same; only other nodes cannot name it.
  if (type) typeNames.set(constructor, type)
  Object.defineProperty(constructor.prototype, toActor, {
    value(this: object) {
      return new ClassActor(this, typeNameOf(this.constructor) ?? '')
    },
    configurable: true,
  })
  const added: Statics & ThisType<Constructor> = {
    local(parent, ...args) {
      return create(this, parent, args, {}, false)
    },
    remote(parent, ...args) {
      return create(this, parent, args, {}, true)
    },
    async resolve(system, name, options) {
      return (await system.resolve(name, options)).asType(this)
    },
    options(options) {
      return {
        local: (parent, ...args) => create(this, parent, args, options, false),
        remote: (parent, ...args) => create(this, parent, args, options, true),
      }
    },
  }
  for (const [name, value] of Object.entries(added)) {
    Object.defineProperty(constructor, name, { value, writable: true, configurable: true })
  }
  return constructor
}

/** Whoever an actor is made for: its node, or the actor whose child it becomes. */
type Parent = ActorSystem | ActorContext

/** {@link ActorClass} for a class whose type is not known here. */
interface Statics {
  local(parent: Parent, ...args: unknown[]): Promise<object>
  remote(parent: Parent, ...args: unknown[]): Promise<object>
  resolve(system: ActorSystem, name: string, options?: ResolveOptions): Promise<object>
  options(options: CreateOptions): Pick<Statics, 'local' | 'remote'>
}

async function create(
  Class: Constructor,
  parent: Parent,
  args: readonly unknown[],
  options: CreateOptions,
  isRemote: boolean,
): Promise<ActorProxy<object>> {
  const system = 'system' in parent ? parent.system : parent
  const make = (): ActorSource => new (Class as new (...args: readonly unknown[]) => ActorSource)(...args)
  const type = typeNameOf(Class)
  // Bundlers rename classes to things like `Counter$1`.
  const name = options.name ?? `${(type || 'Actor').replace(/[^\p{L}\p{N}_]/gu, '_')}_${shortHex()}`
  if (!isRemote && (options.node ?? system.nodeId) === system.nodeId)
    return (await parent.spawn(make, name, options)).asType(Class)
  if (!type)
    throw new ConfigError(
      `expected an asActor class with a type name, got ${describe(Class)}: use asActor({ type: … })`,
    )
  const { cell } = parent as { readonly cell?: ActorCell }
  return (await system.createRemote({ type, args, make }, { ...options, name }, cell)).asType(Class)
}
