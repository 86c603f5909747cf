/** Proxies: objects whose methods send calls to an actor. */
import type { ActorProxy, ProxiedClass, UntypedProxy } from '../actor/actor-proxy.ts'
import type { ActorRef, Cancellation, ProxyFactory, Recipient } from '../actor/actor-ref.ts'
import { Ref } from '../actor/actor-ref.ts'
import { lowered } from '../base/cbor.ts'
import { describe, PulsingUnsupportedError } from '../base/errors.ts'
import { Call, callMessage } from './call.ts'
import { findMethod, isCallableName, noSuchMethod } from './method-guard.ts'

/** What each proxy was made from. */
const origins = /* @__PURE__ */ new WeakMap<
  object,
  { readonly ref: ActorRef; readonly prototype: object | undefined; readonly className: string }
>()

export const proxyFactory: ProxyFactory = {
  typed: <C extends object>(ref: ActorRef, Class: ProxiedClass<C>) =>
    makeProxy(ref, Class.prototype, Class.name) as ActorProxy<C>,
  untyped: (ref) => makeProxy(ref, undefined, 'actor') as UntypedProxy,
  rebound: (proxy, rebind) => {
    const origin = origins.get(proxy)
    if (!origin)
      throw new PulsingUnsupportedError(`expected an ActorRef or a proxy of this package, got ${describe(proxy)}`)
    return makeProxy(rebind(origin.ref), origin.prototype, origin.className) as typeof proxy
  },
}

function makeProxy(ref: ActorRef, prototype: object | undefined, className: string): object {
  if (!(ref instanceof Ref))
    throw new PulsingUnsupportedError(`expected an ActorRef of this package, got ${describe(ref)}`)
  const { recipient } = ref
  const methods = new Map<string, (...args: unknown[]) => unknown>()
  const check = (name: unknown): string => {
    const isKnown =
      typeof name === 'string' &&
      (prototype ? findMethod(prototype, name) !== undefined : isCallableName(name) && !(name in Object.prototype))
    if (!isKnown) throw noSuchMethod(className, name, String(ref))
    return name
  }
  const own = {
    ref,
    tell: async (method: unknown, ...args: unknown[]): Promise<void> =>
      recipient.tell(callMessage(check(method), lent(args, recipient)), undefined),
    delayed: (delayMs: number) => delayedProxy(delayMs),
    toString: () => `${className}(${ref})`,
    toJSON: () => ref.toJSON(),
    [Symbol.for('nodejs.util.inspect.custom')]: () => `${className}(${ref})`,
    [lowered]: () => ref[lowered](),
  }
  const delayedProxy = (delayMs: number): object =>
    new Proxy(
      {},
      {
        get: (_target, name) =>
          typeof name === 'symbol' || (QUIETLY_ABSENT.has(name) && !(prototype && findMethod(prototype, name)))
            ? undefined
            : (...args: unknown[]) =>
                recipient.later(delayMs, callMessage(check(name), lent(args, recipient)), { survivesRestart: true }),
      },
    )
  const proxy = new Proxy(own, {
    get(target, name) {
      if (typeof name === 'symbol' || Object.hasOwn(target, name)) return Reflect.get(target, name)
      let method = methods.get(name)
      if (method === undefined) {
        // Names the language itself asks for (by await, by loggers, by serialisers) have to be absent, not refused.
        if (QUIETLY_ABSENT.has(name) && !(prototype && findMethod(prototype, name))) return undefined
        check(name)
        method = (...args) => {
          const cancellation: Cancellation = {}
          return Call.of(recipient.ask(callMessage(name, lent(args, recipient)), true, { cancellation }), cancellation)
        }
        methods.set(name, method)
      }
      return method
    },
    has: (target, name) =>
      Reflect.has(target, name) ||
      (typeof name === 'string' && prototype !== undefined && findMethod(prototype, name) !== undefined),
    set: (_target, name) => {
      throw new PulsingUnsupportedError(
        `expected a method call on ${className}, got an assignment to ${describe(name)}`,
      )
    },
  })
  origins.set(proxy, { ref, prototype, className })
  return proxy
}

/** Functions among the arguments, and in plain objects among them, become callbacks wherever the actor is. */
function lent(args: readonly unknown[], recipient: Recipient): readonly unknown[] {
  let changed: unknown[] | undefined
  for (let i = 0; i < args.length; i++) {
    const before = args[i]
    const after =
      typeof before === 'function'
        ? recipient.lend(before as () => unknown)
        : isPlainObject(before) && !origins.has(before)
          ? lentFields(before, recipient)
          : before
    if (after !== before) (changed ??= [...args])[i] = after
  }
  return changed ?? args
}

function lentFields(fields: Record<string, unknown>, recipient: Recipient): Record<string, unknown> {
  let changed: Record<string, unknown> | undefined
  for (const key in fields) {
    if (typeof fields[key] === 'function')
      (changed ??= { ...fields })[key] = recipient.lend(fields[key] as () => unknown)
  }
  return changed ?? fields
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

const QUIETLY_ABSENT: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'then',
  'toJSON',
  'constructor',
  'nodeType',
  'tagName',
  '$$typeof',
  'asymmetricMatch',
  'inspect',
  'valueOf',
])
