/** Proxies: objects whose methods send calls to an actor. */
import type { ActorProxy, ProxiedClass, UntypedProxy } from '../actor/actor-proxy.ts'
import type { ActorRef, Cancellation, ProxyFactory } from '../actor/actor-ref.ts'
import { Ref } from '../actor/actor-ref.ts'
import { lowered } from '../base/cbor.ts'
import { describe, PulsingUnsupportedError } from '../base/errors.ts'
import { Call, callMessage } from './call.ts'
import { findMethod, isCallableName, noSuchMethod } from './method-guard.ts'

export const proxyFactory: ProxyFactory = {
  typed: <C extends object>(ref: ActorRef, Class: ProxiedClass<C>) =>
    makeProxy(ref, Class.prototype, Class.name) as ActorProxy<C>,
  untyped: (ref) => makeProxy(ref, undefined, 'actor') as UntypedProxy,
}

function makeProxy(ref: ActorRef, prototype: object | undefined, className: string): object {
  if (!(ref instanceof Ref))
    throw new PulsingUnsupportedError(`expected an ActorRef of this package, got ${describe(ref)}`)
  const { recipient } = ref
  const methods = new Map<string, (...args: unknown[]) => unknown>()
  const check = (name: unknown): string => {
    const isKnown =
      typeof name === 'string' && (prototype ? findMethod(prototype, name) !== undefined : isCallableName(name))
    if (!isKnown) throw noSuchMethod(className, name, String(ref))
    return name
  }
  const own = {
    ref,
    tell: async (method: unknown, ...args: unknown[]): Promise<void> =>
      recipient.tell(callMessage(check(method), args), undefined),
    toString: () => `${className}(${ref})`,
    toJSON: () => ref.toJSON(),
    [Symbol.for('nodejs.util.inspect.custom')]: () => `${className}(${ref})`,
    [lowered]: () => ref[lowered](),
  }
  return new Proxy(own, {
    get(target, name) {
      if (typeof name === 'symbol' || Object.hasOwn(target, name)) return Reflect.get(target, name)
      let method = methods.get(name)
      if (method === undefined) {
        // Names the language itself asks for (by await, by loggers, by serialisers) have to be absent, not refused.
        if (QUIETLY_ABSENT.has(name) && !(prototype && findMethod(prototype, name))) return undefined
        check(name)
        method = (...args) => {
          const cancellation: Cancellation = {}
          return Call.of(recipient.ask(callMessage(name, args), true, { cancellation }), cancellation)
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
