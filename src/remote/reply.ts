/** A handler's result on its way back to another node, and what the caller there gets for it. */
import type { Attachments } from '../link/connection.ts'
import { Message } from '../message/message.ts'
import { StreamReader } from '../stream/stream-reader.ts'
import type { Frame } from '../wire/frame.ts'
import type { PayloadOwner } from './payload.ts'
import { decodeMessage, decodeValue, encodeMessage, encodeValue, isPlain } from './payload.ts'

/**
 * Fills in the fields of a reply from a handler's result, as `encodeMessage` does.
 * @throws NotSerialisableError
 */
export function encodeReply(frame: Frame, result: unknown, owner: PayloadOwner): Attachments | undefined {
  if (result instanceof Message) return encodeMessage(frame, result, false, owner, undefined)
  if (!(result instanceof StreamReader)) return encodeValue(frame, result, true, '', owner, undefined)
  return encodeMessage(frame, Message.stream('', result.detach()), true, owner, undefined)
}

/** The caller's view: a plain caller gets values as they are, a caller that sent a Message always a Message. */
export function fromRemoteReply(frame: Frame, asksPlain: boolean, owner: PayloadOwner): unknown {
  if (!isPlain(frame)) return decodeMessage(frame, owner)
  const value = decodeValue(frame, owner)
  if (asksPlain) return value
  if (value instanceof StreamReader) return Message.stream('', value.detach())
  return value === undefined ? Message.empty() : Message.fromObject('', value)
}
