/** The queue against an array. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fifo } from '../../src/base/fifo.ts'

type Model = number[]

class Push implements fc.Command<Model, Fifo<number>> {
  constructor(readonly item: number) {}
  check = (): boolean => true
  run(model: Model, queue: Fifo<number>): void {
    model.push(this.item)
    queue.push(this.item)
    expect(queue.size).toBe(model.length)
  }
  toString = (): string => `push(${this.item})`
}
class Unshift implements fc.Command<Model, Fifo<number>> {
  constructor(readonly item: number) {}
  check = (): boolean => true
  run(model: Model, queue: Fifo<number>): void {
    model.unshift(this.item)
    queue.unshift(this.item)
    expect(queue.size).toBe(model.length)
  }
  toString = (): string => `unshift(${this.item})`
}
class Shift implements fc.Command<Model, Fifo<number>> {
  check = (): boolean => true
  run(model: Model, queue: Fifo<number>): void {
    expect(queue.peek()).toBe(model[0])
    expect(queue.shift()).toBe(model.shift())
    expect(queue.size).toBe(model.length)
  }
  toString = (): string => 'shift()'
}
class Drain implements fc.Command<Model, Fifo<number>> {
  check = (): boolean => true
  run(model: Model, queue: Fifo<number>): void {
    expect(queue.drain()).toEqual(model.splice(0))
    expect(queue.size).toBe(0)
  }
  toString = (): string => 'drain()'
}

test('any sequence of push, unshift, shift and drain does what an array does', () => {
  const commands = [
    fc.integer().map((n) => new Push(n)),
    fc.integer().map((n) => new Push(n)),
    fc.integer().map((n) => new Unshift(n)),
    fc.constant(new Shift()),
    fc.constant(new Drain()),
  ]
  fc.assert(
    fc.property(fc.commands(commands, { maxCommands: 200, size: 'max' }), (steps) => {
      fc.modelRun(() => ({ model: [], real: new Fifo<number>() }), steps)
    }),
  )
})

test('a queue that grew far beyond its start gives everything back in order and starts over', () => {
  const queue = new Fifo<number>()
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 5000; i++) queue.push(i)
    for (let i = 0; i < 5000; i++) expect(queue.shift()).toBe(i)
    expect([queue.size, queue.shift(), queue.peek()]).toEqual([0, undefined, undefined])
  }
})

test.each([1025, 1100, 3000, 4097])('a queue emptied after a burst of %i goes on in order', (burst) => {
  const queue = new Fifo<number>()
  for (let i = 0; i < burst; i++) queue.push(i)
  for (let i = 0; i < burst; i++) expect(queue.shift()).toBe(i)
  for (let i = 0; i < 10; i++) queue.push(i)
  expect(queue.drain()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('a queue does not keep what was taken out of it', async () => {
  const queue = new Fifo<object>()
  const collected = new Set<number>()
  const registry = new FinalizationRegistry<number>((id) => collected.add(id))
  ;(() => {
    for (let i = 0; i < 10; i++) {
      const item = { i }
      registry.register(item, i)
      queue.push(item)
    }
    for (let i = 0; i < 10; i++) queue.shift()
  })()
  for (let i = 0; i < 50 && collected.size < 10; i++) {
    globalThis.gc!()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(collected.size).toBe(10)
  expect(queue.size).toBe(0)
})
