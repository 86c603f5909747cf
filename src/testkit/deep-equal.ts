/**
 * Whether two values say the same: compared by what they hold, not by identity or class, since a value that came from
 * another node has lost both.
 */
import { Message } from '../message/message.ts'
import { messageValue } from './message-value.ts'

/** Pairs being compared: met again inside themselves, they are the same cycle. */
type Pairs = (readonly [actual: object, expected: object])[]

/**
 * Whether `actual` holds what `expected` does.
 *
 * @param expected may have matchers in the place of values, as vitest and jest make them: `expect.any(Number)`
 */
export function deepEqual(actual: unknown, expected: unknown): boolean {
  return equal(actual, expected, [])
}

function equal(actual: unknown, expected: unknown, within: Pairs): boolean {
  if (isMatcher(expected)) return expected.asymmetricMatch(actual)
  // Not Object.is: `-0` arrives as `0` from another node.
  if (actual === expected) return true
  if (typeof actual !== 'object' || typeof expected !== 'object' || actual === null || expected === null)
    return Number.isNaN(actual) && Number.isNaN(expected)
  if (within.some(([a, b]) => a === actual && b === expected)) return true
  within.push([actual, expected])
  const outcome = kindOf(actual) === kindOf(expected) && equalObjects(actual, expected, within)
  within.pop()
  return outcome
}

/** Both are of one kind. */
function equalObjects(actual: object, expected: object, within: Pairs): boolean {
  if (isRef(actual) && isRef(expected)) return actual.id === expected.id && actual.nodeId === expected.nodeId
  if (actual instanceof Message && expected instanceof Message)
    return (
      actual.msgType === expected.msgType &&
      actual.isStream === expected.isStream &&
      equal(messageValue(actual), messageValue(expected), within)
    )
  if (Array.isArray(actual) && Array.isArray(expected)) return equalLists(actual, expected, within)
  if (actual instanceof Date && expected instanceof Date) return equal(actual.getTime(), expected.getTime(), within)
  if (actual instanceof RegExp) return String(actual) === String(expected)
  if (actual instanceof Map && expected instanceof Map) return equalSets(new Set(actual), new Set(expected), within)
  if (actual instanceof Set && expected instanceof Set) return equalSets(actual, expected, within)
  if (actual instanceof ArrayBuffer && expected instanceof ArrayBuffer)
    return equalLists(new Uint8Array(actual), new Uint8Array(expected), within)
  if (ArrayBuffer.isView(actual) && ArrayBuffer.isView(expected))
    return equalLists(bytesOf(actual), bytesOf(expected), within)
  if (actual instanceof Error && expected instanceof Error && !equalErrors(actual, expected, within)) return false
  return equalProperties(actual, expected, within)
}

/** Things of different kinds are never the same; plain objects and instances of classes are one kind. */
function kindOf(value: object): string {
  if (value instanceof Message) return 'Message'
  return isRef(value) ? 'ActorRef' : Object.prototype.toString.call(value)
}

interface Matcher {
  asymmetricMatch(actual: unknown): boolean
}

function isMatcher(value: unknown): value is Matcher {
  return (
    typeof value === 'object' && value !== null && typeof (value as Partial<Matcher>).asymmetricMatch === 'function'
  )
}

/** Whether `value` is an ActorRef, of this copy of the package or another. */
export function isRef(
  value: object,
): value is { readonly id: string; readonly nodeId: string; readonly name?: string } {
  const { id, nodeId, ask } = value as { readonly id?: unknown; readonly nodeId?: unknown; readonly ask?: unknown }
  return typeof id === 'string' && typeof nodeId === 'string' && typeof ask === 'function'
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function equalLists(actual: ArrayLike<unknown>, expected: ArrayLike<unknown>, within: Pairs): boolean {
  if (actual.length !== expected.length) return false
  for (let i = 0; i < actual.length; i++) if (!equal(actual[i], expected[i], within)) return false
  return true
}

/** Without order: each item finds one of the others that no earlier one took. */
function equalSets(actual: Set<unknown>, expected: Set<unknown>, within: Pairs): boolean {
  if (actual.size !== expected.size) return false
  const left = [...expected]
  return [...actual].every((item) => {
    const index = left.findIndex((candidate) => equal(item, candidate, within))
    if (index >= 0) left.splice(index, 1)
    return index >= 0
  })
}

function equalErrors(actual: Error, expected: Error, within: Pairs): boolean {
  return (
    actual.name === expected.name && actual.message === expected.message && equal(actual.cause, expected.cause, within)
  )
}

function equalProperties(actual: object, expected: object, within: Pairs): boolean {
  const keys = Object.keys(actual)
  if (keys.length !== Object.keys(expected).length) return false
  return keys.every(
    (key) => Object.hasOwn(expected, key) && equal(Reflect.get(actual, key), Reflect.get(expected, key), within),
  )
}
