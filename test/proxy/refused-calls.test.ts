/** What cannot be called: refused by the proxy and, independently, by the actor. */
import { asActor, Message } from 'pulsing'
import { expect, test } from 'vitest'
import { startSystem } from '../actor/systems.ts'
import { Counter } from './counter.ts'

const HIDDEN = [
  '_hidden',
  '#private',
  '__proto__',
  'hasOwnProperty',
  'isPrototypeOf',
  'toLocaleString',
  'onStart',
  'onStop',
  'metadata',
  'value',
  'label',
  'double',
  'nope',
  '',
]
const REFUSED_BY_ACTOR = [
  ...HIDDEN,
  'constructor',
  'toString',
  'valueOf',
  'then',
  'toJSON',
  '__defineGetter__',
  '__lookupGetter__',
  'propertyIsEnumerable',
  'local',
  'prototype',
]

test.each(HIDDEN)('the proxy refuses %j with NoSuchMethodError', async (name) => {
  const proxy = (await Counter.local(await startSystem())) as unknown as Record<string, () => Promise<unknown>>
  expect(() => proxy[name]!()).toThrow(expect.objectContaining({ name: 'NoSuchMethodError', code: 'no_such_method' }))
})

test.each(REFUSED_BY_ACTOR)('proxy.tell refuses %j with NoSuchMethodError', async (name) => {
  const proxy = await Counter.local(await startSystem())
  await expect(proxy.tell(name as 'get')).rejects.toMatchObject({ code: 'no_such_method' })
})

test.each(REFUSED_BY_ACTOR)('the actor refuses a hand-made call of %j with NoSuchMethodError', async (name) => {
  const { ref } = await Counter.local(await startSystem())
  await expect(ref.ask(Message.fromObject('@call', [name, []]))).rejects.toMatchObject({
    name: 'NoSuchMethodError',
    code: 'no_such_method',
  })
})

test.each([
  [['get']],
  [['get', [], 1]],
  ['get'],
  [null],
  [{ 0: 'get', 1: [], length: 2 }],
  [[1, []]],
  [[['get'], []]],
  [['get', { length: 0 }]],
])('the actor refuses the malformed call %j', async (value) => {
  const { ref } = await Counter.local(await startSystem())
  await expect(ref.ask(Message.fromObject('@call', value))).rejects.toMatchObject({ code: 'no_such_method' })
})

test('methods assigned to an instance, or to Object.prototype, cannot be called', async () => {
  const Odd = asActor(
    class Odd {
      constructor() {
        Object.assign(this, { injected: () => 'called' })
      }
      ok(): string {
        return 'ok'
      }
    },
  )
  const { ref } = await Odd.local(await startSystem())
  await expect(ref.ask(Message.fromObject('@call', ['injected', []]))).rejects.toMatchObject({ code: 'no_such_method' })
})
