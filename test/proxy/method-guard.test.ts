/** Which names can be called from outside, on any class. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { findMethod, isCallableName } from '../../src/proxy/method-guard.ts'

class Base {
  base(): string {
    return 'base'
  }
  shadowed(): string {
    return 'base'
  }
}
class Derived extends Base {
  readonly field = (): string => 'field'
  static fixed(): string {
    return 'static'
  }
  own(): string {
    return 'own'
  }
  get shadowedByGetter(): () => string {
    return () => 'getter'
  }
  _private(): string {
    return 'private'
  }
  #secret(): string {
    return 'secret'
  }
  reveal(): string {
    return this.#secret()
  }
}
Object.defineProperty(Derived.prototype, 'shadowed', { get: () => () => 'getter' })
Object.defineProperty(Derived.prototype, 'data', { value: 5 })

test('methods of the class and of its ancestors are found', () => {
  expect(findMethod(Derived.prototype, 'own')).toBe(Derived.prototype.own)
  expect(findMethod(Derived.prototype, 'base')).toBe(Base.prototype.base)
})

test.each([
  'constructor',
  'onStart',
  'onStop',
  'metadata',
  'then',
  'toJSON',
  '_private',
  '__proto__',
  '#secret',
  'field',
  'fixed',
  'shadowedByGetter',
  'shadowed',
  'data',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '',
  'nope',
])('%j is found nowhere', (name) => {
  expect(findMethod(Derived.prototype, name)).toBe(undefined)
})

test('a hidden name stays hidden when a class defines it', () => {
  class Odd {
    // biome-ignore lint/suspicious/noThenProperty: a proxy has to hide it
    then(): void {}
    toJSON(): void {}
    metadata(): void {}
    onStart(): void {}
    onStop(): void {}
    __proto(): void {}
  }
  for (const name of Object.getOwnPropertyNames(Odd.prototype)) expect(findMethod(Odd.prototype, name)).toBe(undefined)
})

test('a method defined by the class under a name Object.prototype has is the class’s own', () => {
  class Own {
    toString(): string {
      return 'mine'
    }
  }
  expect(findMethod(Own.prototype, 'toString')).toBe(Own.prototype.toString)
})

test('a prototype chain that never meets Object.prototype ends all the same', () => {
  const prototype = Object.assign(Object.create(null) as object, { ok: () => 1 })
  expect(findMethod(prototype, 'ok')?.()).toBe(1)
  expect(findMethod(prototype, 'nope')).toBe(undefined)
})

test('no string finds anything that is not a method below Object.prototype', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.constantFrom(
          ...Object.getOwnPropertyNames(Object.prototype),
          ...Object.getOwnPropertyNames(Function.prototype),
        ),
      ),
      (name) => {
        if (['own', 'base', 'reveal'].includes(name)) return
        expect(findMethod(Derived.prototype, name)).toBe(undefined)
      },
    ),
  )
})

test('isCallableName refuses what starts with _ or #', () => {
  expect(['a', 'get', '$x', 'ünïcode'].every(isCallableName)).toBe(true)
  expect(['_', '_a', '#a', '__proto__', 'then'].some(isCallableName)).toBe(false)
})
