/** The table of values by ids against a Map: whatever the ids, however many, and in whatever order they go. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Identified, IdTable } from '../../src/base/id-table.ts'
import { collectAll } from '../stream/garbage.ts'

interface Value extends Identified {
  readonly text: string
}

/** How many values a ring holds before the next one moves to the Map. */
const LARGEST_RING = 8192

type Model = Map<number, Value>

interface Real {
  readonly table: IdTable<Value>
}

function valueOf(id: number, text = ''): Value {
  return { id, text }
}

function filled(ids: Iterable<number>): IdTable<Value> {
  const table = new IdTable<Value>()
  for (const id of ids) table.add(valueOf(id))
  return table
}

const range = (count: number, first = 0, step = 1): number[] =>
  Array.from({ length: count }, (_, i) => first + i * step)

class Add implements fc.Command<Model, Real> {
  readonly value: Value
  constructor(id: number, text: string) {
    this.value = { id, text }
  }
  check = (): boolean => true
  run(model: Model, { table }: Real): void {
    model.set(this.value.id, this.value)
    table.add(this.value)
    expect(table.get(this.value.id)).toBe(this.value)
    expect(table.size).toBe(model.size)
  }
  toString = (): string => `add(${this.value.id})`
}

/** As a peer that sends asks: one id after the other. */
class AddMany implements fc.Command<Model, Real> {
  readonly #first: number
  readonly #count: number
  readonly #step: number
  constructor(first: number, count: number, step: number) {
    this.#first = first
    this.#count = count
    this.#step = step
  }
  check = (): boolean => true
  run(model: Model, { table }: Real): void {
    for (const id of range(this.#count, this.#first, this.#step)) {
      const value = valueOf(id)
      model.set(id, value)
      table.add(value)
    }
    expect(table.size).toBe(model.size)
  }
  toString = (): string => `addMany(${this.#first}, ${this.#count}, ${this.#step})`
}

/** Another value under an id that is there. */
class Replace implements fc.Command<Model, Real> {
  readonly #at: number
  constructor(at: number) {
    this.#at = at
  }
  check = (model: Readonly<Model>): boolean => model.size > 0
  run(model: Model, { table }: Real): void {
    const id = [...model.keys()][this.#at % model.size]!
    const value = valueOf(id, 'another')
    model.set(id, value)
    table.add(value)
    expect(table.get(id)).toBe(value)
    expect(table.size).toBe(model.size)
  }
  toString = (): string => `replace(${this.#at})`
}

class Delete implements fc.Command<Model, Real> {
  readonly #id: number
  constructor(id: number) {
    this.#id = id
  }
  check = (): boolean => true
  run(model: Model, { table }: Real): void {
    const known = model.get(this.#id)
    expect(table.get(this.#id)).toBe(known)
    expect(table.delete(this.#id)).toBe(known)
    model.delete(this.#id)
    expect(table.get(this.#id)).toBeUndefined()
    expect(table.size).toBe(model.size)
  }
  toString = (): string => `delete(${this.#id})`
}

/** Takes out all but so many. */
class DeleteAllBut implements fc.Command<Model, Real> {
  readonly #count: number
  constructor(count: number) {
    this.#count = count
  }
  check = (): boolean => true
  run(model: Model, { table }: Real): void {
    for (const id of [...model.keys()].slice(this.#count)) {
      expect(table.delete(id)).toBe(model.get(id))
      model.delete(id)
    }
    expect(table.size).toBe(model.size)
  }
  toString = (): string => `deleteAllBut(${this.#count})`
}

class Values implements fc.Command<Model, Real> {
  check = (): boolean => true
  run(model: Model, { table }: Real): void {
    const values = table.values()
    expect(values).toHaveLength(model.size)
    let last = -Infinity
    for (const value of values) {
      expect(value.id).toBeGreaterThan(last)
      expect(value).toBe(model.get(value.id))
      last = value.id
    }
  }
  toString = (): string => 'values()'
}

class Clear implements fc.Command<Model, Real> {
  check = (): boolean => true
  run(model: Model, { table }: Real): void {
    model.clear()
    table.clear()
    expect(table.size).toBe(0)
    expect(table.values()).toEqual([])
  }
  toString = (): string => 'clear()'
}

/** Few of them, so that they meet again; with the ends of what numbers and slots can say. */
const anyId = fc.oneof(
  fc.nat(40),
  fc.nat(8).map((n) => n * LARGEST_RING),
  fc.nat(8).map((n) => n * 16 + 5),
  fc.nat(8).map((n) => Number.MAX_SAFE_INTEGER - n),
  fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 3, 2 ** 52),
)

const commands = fc.commands(
  [
    fc.tuple(anyId, fc.string({ maxLength: 2 })).map(([id, text]) => new Add(id, text)),
    anyId.map((id) => new Delete(id)),
    fc
      .tuple(anyId, fc.constantFrom(3, 20, 700, 3000), fc.constantFrom(1, 2, 16, 1024))
      .map(([first, count, step]) => new AddMany(Math.min(first, 2 ** 52), count, step)),
    fc.nat(3).map((count) => new DeleteAllBut(count)),
    fc.nat(10_000).map((at) => new Replace(at)),
    fc.constant(new Values()),
    fc.constant(new Clear()),
  ],
  { maxCommands: 40 },
)

test('does what a Map does, whatever the ids', () => {
  fc.assert(
    fc.property(commands, (all) => {
      fc.modelRun(() => ({ model: new Map<number, Value>(), real: { table: new IdTable<Value>() } }), all)
    }),
    { numRuns: 300 },
  )
})

describe('ids that fall into one slot', () => {
  test.each([
    ['of every ring', range(100, 0, LARGEST_RING)],
    ['at the end of what a number holds', range(100, Number.MAX_SAFE_INTEGER, -LARGEST_RING)],
    ['whose low bits are alike', range(100, 2 ** 32, 2 ** 32)],
  ])('%s are all found, and gone when taken out, in any order', (_what, ids) => {
    for (const order of [ids, [...ids].reverse()]) {
      const table = filled(ids)
      expect(ids.map((id) => table.get(id)?.id)).toEqual(ids)
      expect(table.values().map(({ id }) => id)).toEqual([...ids].sort((a, b) => a - b))
      for (const [i, id] of order.entries()) {
        expect(table.delete(id)?.id).toBe(id)
        expect(table.delete(id)).toBeUndefined()
        expect(table.size).toBe(ids.length - i - 1)
      }
      expect(table.values()).toEqual([])
    }
  })
})

test('more values than the largest ring has slots are all found, ordered', () => {
  const ids = range(5 * LARGEST_RING, Number.MAX_SAFE_INTEGER - 5 * LARGEST_RING)
  const table = filled(ids)
  expect(table.size).toBe(ids.length)
  expect(table.values().map(({ id }) => id)).toEqual(ids)
  expect(ids.every((id) => table.get(id)?.id === id)).toBe(true)
  for (const id of ids) table.delete(id)
  expect([table.size, table.values()]).toEqual([0, []])
})

test('a value replaces the one under its id, in a slot or moved out of it', () => {
  const table = filled([1, 1 + LARGEST_RING])
  for (const id of [1, 1 + LARGEST_RING]) {
    const another = valueOf(id, 'another')
    table.add(another)
    expect(table.get(id)).toBe(another)
    expect(table.size).toBe(2)
  }
})

test('what is asked of an empty table is not there', () => {
  const table = new IdTable<Value>()
  expect([table.size, table.get(0), table.delete(0), table.values()]).toEqual([0, undefined, undefined, []])
  table.clear()
  expect(table.size).toBe(0)
})

test('the last of many is replaced, too', () => {
  const table = filled(range(2000))
  for (const id of range(1999)) table.delete(id)
  const another = valueOf(1999, 'another')
  table.add(another)
  expect(table.get(1999)).toBe(another)
})

describe('what is gone takes no memory', () => {
  const TABLES = 40
  /** What all of them may take that is left empty: a ring of the largest would take 64 KiB in each. */
  const SMALL_BYTES = TABLES * 16 * 1024

  /** What `make` leaves behind, and what it makes, in bytes. */
  async function heldBytes(make: () => IdTable<Value>): Promise<number> {
    make()
    await collectAll()
    const before = process.memoryUsage().heapUsed
    const tables = Array.from({ length: TABLES }, make)
    await collectAll()
    const held = process.memoryUsage().heapUsed - before
    expect(tables.every(({ size }) => size <= 1)).toBe(true)
    return held
  }

  test.each([
    ['one after the other', range(6000)],
    ['in one slot', range(6000, 0, LARGEST_RING)],
    ['more than the largest ring has slots', range(3 * LARGEST_RING)],
  ])('after a burst of ids %s', async (_what, ids) => {
    const held = await heldBytes(() => {
      const table = filled(ids)
      for (const id of ids) table.delete(id)
      return table
    })
    expect(held).toBeLessThan(SMALL_BYTES)
  })

  test('after a million values that came and went, a hundred at a time, beside one that stayed', async () => {
    const held = await heldBytes(() => {
      const table = filled([7])
      for (let id = 8; id < 1_000_000 / TABLES; id++) {
        table.add(valueOf(id))
        table.delete(id - 100)
        if (table.size > 101) throw new RangeError(`expected at most 101 values, got ${table.size}`)
      }
      for (let id = 1_000_000 / TABLES - 100; id < 1_000_000 / TABLES; id++) table.delete(id)
      return table
    })
    expect(held).toBeLessThan(SMALL_BYTES)
  })
})
