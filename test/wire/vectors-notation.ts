/**
 * Values of test/interop/vectors.json, as JSON can write them, and back. What JSON has is itself; the rest is an object
 * with one key that begins with `$`. Readers in other languages need no more than this table.
 */
import { Tag } from '../../src/base/cbor.ts'

/** JSON, and the objects below. */
export type Notation = null | boolean | number | string | readonly Notation[] | { readonly [key: string]: Notation }

const TYPED = {
  Int8Array,
  Uint8ClampedArray,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
export const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))

/** How a value is written down. */
export function notationOf(value: unknown): Notation {
  if (value === undefined) return { $undefined: true }
  if (typeof value === 'bigint') return { $bigint: String(value) }
  if (typeof value === 'number') return Number.isFinite(value) ? value : { $float: String(value) }
  if (value === null || typeof value !== 'object') return value as Notation
  if (value instanceof Uint8Array) return { $bytes: hexOf(value) }
  if (value instanceof Date) return { $date: value.getTime() }
  if (value instanceof Map) return { $map: [...value].map((entry) => entry.map(notationOf)) }
  if (value instanceof Set) return { $set: [...value].map(notationOf) }
  if (value instanceof Error) return { $error: [value.name, value.message] }
  if (value instanceof RegExp) return { $regexp: [value.source, value.flags] }
  if (value instanceof Tag) return { $tag: [value.tag, notationOf(value.value)] }
  if (ArrayBuffer.isView(value)) return { $typed: [value.constructor.name, [...(value as Float64Array)]] }
  if (Array.isArray(value)) return value.map(notationOf)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, notationOf(item)]))
}

/** The value that is written so. */
export function valueOf(notation: Notation): unknown {
  if (notation === null || typeof notation !== 'object') return notation
  if (Array.isArray(notation)) return notation.map(valueOf)
  const [[key, content] = ['', null]] = Object.entries(notation)
  const list = (Array.isArray(content) ? content : []) as readonly Notation[]
  switch (key) {
    case '$undefined':
      return undefined
    case '$bigint':
      return BigInt(content as string)
    case '$float':
      return Number(content)
    case '$bytes':
      return bytesOf(content as string)
    case '$date':
      return new Date(content as number)
    case '$map':
      return new Map(list.map((entry) => valueOf(entry) as [unknown, unknown]))
    case '$set':
      return new Set(list.map(valueOf))
    case '$error':
      return new Error(list[1] as string)
    case '$regexp':
      return new RegExp(list[0] as string, list[1] as string)
    case '$tag':
      return new Tag(valueOf(list[1]!), list[0] as number)
    case '$typed':
      return TYPED[list[0] as keyof typeof TYPED].from(list[1] as number[])
    default:
      return Object.fromEntries(Object.entries(notation).map(([name, item]) => [name, valueOf(item)]))
  }
}
