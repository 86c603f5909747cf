/** What a message holds, whichever way it was made. */
import { FORMAT, type Message } from '../message/message.ts'

/** The value; the bytes, where they are no value; undefined for a stream and for no payload. */
export function messageValue(message: Message): unknown {
  if (message.isStream) return undefined
  if (message.format === FORMAT.raw) return message.payload.byteLength === 0 ? undefined : message.payload
  try {
    return message.toObject()
  } catch {
    // Somebody else's bytes, which claim to be a value.
    return message.payload
  }
}
