/**
 * Which methods can be called from outside. Asked twice, independently: by the proxy before it sends, and by the actor
 * before it calls, since a message need not come from a proxy.
 */
import { describe, NoSuchMethodError } from '../base/errors.ts'

const HIDDEN: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'constructor',
  'onStart',
  'onStop',
  'onChildFailure',
  'metadata',
  'then',
  'toJSON',
])

/** Whether a name can be a method's at all, whatever the class. */
export function isCallableName(name: string): boolean {
  return !HIDDEN.has(name) && !name.startsWith('_') && !name.startsWith('#')
}

/** The method `name` on a prototype chain, below `Object.prototype`; getters and fields are none. */
export function findMethod(prototype: object, name: string): ((...args: unknown[]) => unknown) | undefined {
  if (!isCallableName(name)) return undefined
  for (
    let level: object | null = prototype;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    const property = Object.getOwnPropertyDescriptor(level, name)
    if (property) return typeof property.value === 'function' ? property.value : undefined
  }
  return undefined
}

/** The error for a name that is no callable method. */
export function noSuchMethod(className: string, name: unknown, address?: string): NoSuchMethodError {
  return new NoSuchMethodError(`expected a public method of ${className}, got ${describe(name)}`, { address })
}
