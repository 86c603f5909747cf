/** Values and messages as somebody who reads of a failure wants to see them: what they hold, in one line, not too long. */
import { describe } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import { isRef } from './deep-equal.ts'
import { messageValue } from './message-value.ts'

/** Characters of a value that are shown. */
export const MAX_TEXT_CHARACTERS = 300
/** How deep a value is shown. */
const MAX_DEPTH = 6
/** Items of a list that are shown: more would not fit. */
const MAX_ITEMS = 100

/** What `value` holds. Never throws. */
export function valueText(value: unknown): string {
  let text: string
  try {
    text = textOf(value, [])
  } catch {
    // A proxy, or a getter, that refuses to be looked at.
    text = describe(value)
  }
  return text.length > MAX_TEXT_CHARACTERS ? `${text.slice(0, MAX_TEXT_CHARACTERS - 1)}…` : text
}

/** A plain message as its value, any other with its type. Never throws. */
export function messageText(message: Message): string {
  if (message.isStream) return `a stream message of type ${describe(message.msgType)}`
  const value = messageValue(message)
  if (message.msgType === '') return value === undefined ? 'an empty message' : valueText(value)
  return `a message of type ${describe(message.msgType)}${value === undefined ? '' : ` with ${valueText(value)}`}`
}

function textOf(value: unknown, within: readonly object[]): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (Object.is(value, -0)) return '0'
  if (typeof value !== 'object' || value === null) return describe(value)
  if (within.includes(value)) return '[cycle]'
  const { toAsymmetricMatcher } = value as { readonly toAsymmetricMatcher?: unknown }
  if (typeof toAsymmetricMatcher === 'function') return String(toAsymmetricMatcher.call(value))
  if (isRef(value)) return `[actor ${value.name ?? value.id}]`
  const inside = [...within, value]
  if (inside.length > MAX_DEPTH) return '…'
  const each = (items: Iterable<unknown>): string => first(items, (item) => textOf(item, inside))
  if (Array.isArray(value)) return `[${each(value)}]`
  if (value instanceof Map)
    return `Map {${first(value, ([key, item]) => `${textOf(key, inside)} => ${textOf(item, inside)}`)}}`
  if (value instanceof Set) return `Set {${each(value)}}`
  if (value instanceof Date) return `Date ${Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString()}`
  if (value instanceof RegExp) return String(value)
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return `${nameOf(value)} [${each(value as unknown as Iterable<unknown>)}]`
  if (value instanceof ArrayBuffer) return `ArrayBuffer [${each(new Uint8Array(value))}]`
  const name = nameOf(value)
  const properties = first(Object.entries(value), ([key, item]) => `${keyText(key)}: ${textOf(item, inside)}`)
  return `${name === 'Object' ? '' : `${name} `}{${properties === '' ? '' : ` ${properties} `}}`
}

function first<T>(items: Iterable<T>, toText: (item: T) => string): string {
  const texts: string[] = []
  for (const item of items) {
    if (texts.length === MAX_ITEMS) break
    texts.push(toText(item))
  }
  return texts.join(', ')
}

function keyText(key: string): string {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? key : JSON.stringify(key)
}

function nameOf(value: object): string {
  const constructor: unknown = Object.getPrototypeOf(value)?.constructor
  return typeof constructor === 'function' && constructor.name ? constructor.name : 'Object'
}
