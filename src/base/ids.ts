/**
 * Identifiers: 128 unpredictable bits written as 22 base64url characters. A node gets a new one for every boot, an actor
 * for every spawn; knowing an actor's id is the capability to send to it.
 */
import { randomBytes } from './random.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const ID_PATTERN = /^[A-Za-z0-9_-]{22}$/

/** Characters in an id. */
export const ID_LENGTH = 22

/** A fresh id. */
export function newId(): string {
  const bytes = randomBytes(16)
  let text = ''
  for (let i = 0; i < 15; i += 3) {
    const bits = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!
    text += ALPHABET[bits >> 18]! + ALPHABET[(bits >> 12) & 63]! + ALPHABET[(bits >> 6) & 63]! + ALPHABET[bits & 63]!
  }
  const last = bytes[15]!
  return text + ALPHABET[last >> 2]! + ALPHABET[(last & 3) << 4]!
}

/** Whether `text` has the form of an id. */
export function isId(text: unknown): text is string {
  return typeof text === 'string' && ID_PATTERN.test(text)
}

/** Eight hexadecimal digits, for names a person reads (`Counter_1f3a9c02`). Not a capability. */
export function shortHex(): string {
  const bytes = randomBytes(4)
  const number = ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0
  return number.toString(16).padStart(8, '0')
}
