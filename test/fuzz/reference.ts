/**
 * CBOR values as PROTOCOL.md says they are, read the slow and simple way: first a tree of items, then the rules one after
 * the other, then the value. Shares nothing with the sources but `Tag`, so that both being wrong alike is unlikely.
 */
import { Tag } from '../../src/base/cbor.ts'

/** An item: its head, and what it holds. A tag holds one item; a map its keys and values in turn. */
interface Item {
  readonly major: number
  readonly info: number
  /** The number in the head. */
  readonly number: bigint
  /** The bytes after the initial one: of a float, its bits. */
  readonly head: Uint8Array
  readonly content: Uint8Array
  readonly items: readonly Item[]
}

class Refused extends Error {}

function refuse(why: string): never {
  throw new Refused(why)
}

/** The value of some bytes, or undefined where they have to be refused. */
export function readReference(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    const [item, end] = parse(bytes, 0, 0)
    if (end !== bytes.byteLength) refuse('trailing bytes')
    checkItem(item)
    if (depthOf(item) > 64) refuse('too deep')
    if (costOf(item, false) > 100_000) refuse('too much')
    return { value: valueOf(item) }
  } catch (error) {
    if (error instanceof Refused) return undefined
    throw error
  }
}

function parse(bytes: Uint8Array, start: number, depth: number): [item: Item, end: number] {
  // The rule is about lists and maps; this is about the stack.
  if (depth > 400) refuse('too deep')
  const initial = bytes[start] ?? refuse('ends')
  const major = initial >> 5
  const info = initial & 31
  if (info > 27) refuse('indefinite or reserved')
  if (info === 27 && major > 1 && major < 7) refuse('a length of 8 bytes')
  const size = info < 24 ? 0 : 2 ** (info - 24)
  let at = start + 1
  const head = bytes.slice(at, at + size)
  if (head.length < size) refuse('ends in a head')
  at += size
  const number = size === 0 ? BigInt(info) : BigInt(`0x${Buffer.from(head).toString('hex')}`)
  let content = new Uint8Array(0)
  const items: Item[] = []
  if (major === 2 || major === 3) {
    if (number > bytes.length - at) refuse('ends in a string')
    content = bytes.slice(at, at + Number(number))
    at += Number(number)
  } else if (major > 3 && major < 7) {
    const count = major === 4 ? number : major === 5 ? 2n * number : 1n
    if (count > bytes.length - at) refuse('ends in a list')
    for (let i = 0n; i < count; i++) {
      const [item, end] = parse(bytes, at, depth + 1)
      items.push(item)
      at = end
    }
  }
  return [{ major, info, number, head, content, items }, at]
}

const isText = ({ major }: Item): boolean => major === 3
const isFloat = ({ major, info }: Item): boolean => major === 7 && info > 24
const isList = ({ major }: Item): boolean => major === 4
const isBytesOf =
  (size: number) =>
  ({ major, content }: Item): boolean =>
    major === 2 && content.length % size === 0
/** A number, a text, or a simple value. */
const isPlain = ({ major }: Item): boolean => major === 0 || major === 1 || major === 3 || major === 7
const isListOfPlain = (item: Item): boolean => isList(item) && item.items.length <= 8 && item.items.every(isPlain)

const TAGS: Readonly<Record<string, (content: Item) => boolean>> = {
  1: (item) => (item.major < 2 && item.info < 27) || isFloat(item),
  2: (item) => item.major === 2 && item.content.length <= 1024,
  3: (item) => item.major === 2 && item.content.length <= 1024,
  27: isNamed,
  ...Object.fromEntries([64, 68, 72].map((tag) => [tag, isBytesOf(1)])),
  ...Object.fromEntries([65, 69, 73, 77].map((tag) => [tag, isBytesOf(2)])),
  ...Object.fromEntries([66, 70, 74, 78, 81, 85].map((tag) => [tag, isBytesOf(4)])),
  ...Object.fromEntries([67, 71, 75, 79, 82, 86].map((tag) => [tag, isBytesOf(8)])),
  258: isList,
  259: ({ major }) => major === 5,
  20597: isListOfPlain,
  20598: isListOfPlain,
  20599: ({ major }) => major === 0,
  20600: isListOfPlain,
}

function isNamed(item: Item): boolean {
  if (!isList(item) || !item.items.every(isText)) return false
  const texts = item.items.map((text) => textOf(text))
  if (texts.length === 2) return texts[0] !== 'RegExp' && !(texts[0]! in {})
  if (texts.length !== 3 || texts[0] !== 'RegExp' || texts[2]!.includes('v')) return false
  // What is too much is not tried.
  if (regExpCost(texts[1]!, texts[2]!) > 100_000) return false
  try {
    return Boolean(new RegExp(texts[1]!, texts[2]))
  } catch {
    return false
  }
}

function textOf({ content }: Item): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
  } catch {
    return refuse('not UTF-8')
  }
}

/** The rules about an item and what it holds. */
function checkItem(item: Item, tag?: bigint): void {
  const { major, info, number, items } = item
  if (tag !== undefined && (major === 6 || !TAGS[String(tag)]!(item))) refuse(`contents of tag ${tag}`)
  if (major === 3) textOf(item)
  if (major === 7 && (info < 20 || info === 24)) refuse('a simple value')
  if (major === 6 && !Object.hasOwn(TAGS, String(number))) refuse(`tag ${number}`)
  for (const inner of items) checkItem(inner, major === 6 ? number : undefined)
  if (major === 5)
    checkKeys(
      items.filter((_, i) => i % 2 === 0),
      tag === 259n,
    )
}

function checkKeys(keys: readonly Item[], isMap: boolean): void {
  if (!isMap && keys.some((key) => !isText(key) || textOf(key) === '__proto__')) refuse('a key')
  const values = keys.filter(isCompared).map((key) => valueOf(key))
  if (new Set(values).size < values.length) refuse('a key twice')
}

/** Whether a key is compared by its value. */
const isCompared = (item: Item): boolean => isPlain(item) || isBignum(item)
const isBignum = ({ major, number }: Item): boolean => major === 6 && (number === 2n || number === 3n)

/** Lists and maps that hold something, in each other; those of tag 27 and of references are none. */
function depthOf({ major, number, items }: Item): number {
  if (major === 6 && (number === 27n || number > 20_000n)) return 0
  const inner = Math.max(0, ...items.map(depthOf))
  return major === 4 || major === 5 ? inner + Math.min(1, items.length) : inner
}

function regExpCost(source: string, flags: string): number {
  return 25 * source.length + (flags.includes('u') ? 1250 * (source.split(/\\p/i).length - 1) : 0)
}

/** @param isMember whether it is a member of a set, or a key behind tag 259 */
function costOf(item: Item, isMember: boolean): number {
  const { major, number, items } = item
  const [content] = items
  const isBigint = (major < 2 && item.info === 27) || isBignum(item)
  let cost = 1
  if (major === 2) cost += 3
  if (major === 6 && content!.major === 2) cost += 4
  if (isMember && isBigint) cost += 100
  else if (isMember && (major < 2 || isFloat(item))) cost += 50
  if (isBignum(item)) cost += Math.floor(items[0]!.content.length ** 2 / 512)
  if (major === 6 && number === 27n) {
    cost += 100
    if (content!.items.length === 3) cost += regExpCost(textOf(content!.items[1]!), textOf(content!.items[2]!))
  }
  if (major === 6 && number === 20_598n && content!.items.length > 2) cost += 150
  if (major === 6 && (number === 258n || number === 259n)) {
    const isSet = number === 258n
    return cost + 1 + content!.items.reduce((sum, inner, i) => sum + costOf(inner, isSet || i % 2 === 0), 0)
  }
  return items.reduce((sum, inner) => sum + costOf(inner, false), cost)
}

type TypedArray = new (buffer: ArrayBuffer) => ArrayBufferView
const TYPED: Readonly<Record<number, readonly [Class: TypedArray, size: number]>> = {
  64: [Uint8Array, 1],
  65: [Uint16Array, 2],
  66: [Uint32Array, 4],
  67: [BigUint64Array, 8],
  68: [Uint8ClampedArray, 1],
  69: [Uint16Array, 2],
  70: [Uint32Array, 4],
  71: [BigUint64Array, 8],
  72: [Int8Array, 1],
  73: [Int16Array, 2],
  74: [Int32Array, 4],
  75: [BigInt64Array, 8],
  77: [Int16Array, 2],
  78: [Int32Array, 4],
  79: [BigInt64Array, 8],
  81: [Float32Array, 4],
  82: [Float64Array, 8],
  85: [Float32Array, 4],
  86: [Float64Array, 8],
}

function valueOf(item: Item): unknown {
  const { major, info, number, content, items } = item
  switch (major) {
    case 0:
      return info === 27 ? number : Number(number)
    case 1:
      return info === 27 ? -1n - number : -1 - Number(number)
    case 2:
      return content
    case 3:
      return textOf(item)
    case 4:
      return items.map(valueOf)
    case 5:
      return Object.fromEntries(pairsOf(items))
    case 6:
      return taggedOf(Number(number), items[0]!)
    default:
      return info < 24 ? [false, true, null, undefined][info - 20] : floatOf(item)
  }
}

function pairsOf(items: readonly Item[]): [key: string, value: unknown][] {
  return items.flatMap((key, i) =>
    i % 2 === 0 ? [[valueOf(key) as string, valueOf(items[i + 1]!)] as [string, unknown]] : [],
  )
}

function taggedOf(tag: number, item: Item): unknown {
  const { content, items } = item
  const typed = TYPED[tag]
  if (typed) {
    const [Class, size] = typed
    const bytes = content.slice()
    // Even ones with bit 4 of the tag clear are big-endian: 64 to 67, 73 to 75, 81 and 82.
    if ((tag & 4) === 0 && tag !== 68 && tag !== 72)
      for (let i = 0; i < bytes.length; i += size) bytes.subarray(i, i + size).reverse()
    return new Class(bytes.buffer)
  }
  const hex = `0x0${Buffer.from(content).toString('hex')}`
  switch (tag) {
    case 1:
      return new Date(Math.round((valueOf(item) as number) * 1000))
    case 2:
      return BigInt(hex)
    case 3:
      return -1n - BigInt(hex)
    case 27:
      return items.length === 2 ? new Error(textOf(items[1]!)) : new RegExp(textOf(items[1]!), textOf(items[2]!))
    case 258:
      return new Set(items.map(valueOf))
    case 259:
      return new Map(pairsOf(items))
    default:
      return new Tag(valueOf(item), tag)
  }
}

function floatOf({ info, head }: Item): number {
  const view = new DataView(head.slice().buffer)
  if (info === 27) return view.getFloat64(0)
  if (info === 26) return view.getFloat32(0)
  const half = view.getUint16(0)
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half & 0x7c00) >> 10
  const fraction = half & 0x3ff
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return exponent === 0 ? sign * 2 ** -14 * (fraction / 1024) : sign * 2 ** (exponent - 15) * (1 + fraction / 1024)
}
