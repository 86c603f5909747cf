/** Which messages can be sent a second time when nobody has handled them: those made of nothing but values. */
import { Message } from '../message/message.ts'
import { isStreamLike } from '../stream/iterable-source.ts'

/** Whether nothing in a message is used up by an attempt to send it: no stream, no function. */
export function isResendable(message: Message): boolean {
  if (message.isStream || message.isReferring) return false
  return !message.isObject || isRepeatable(message.toObject(), new Set())
}

function isRepeatable(value: unknown, seen: Set<object>): boolean {
  if (typeof value === 'function') return false
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) return true
  seen.add(value)
  if (value instanceof Message) return isResendable(value)
  const isStream: boolean = isStreamLike(value)
  if (isStream) return false
  if (value instanceof Map) return [...value].every((entry) => isRepeatable(entry, seen))
  if (Array.isArray(value) || value instanceof Set) return [...value].every((item) => isRepeatable(item, seen))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return true
  return Object.values(value).every((item) => isRepeatable(item, seen))
}
