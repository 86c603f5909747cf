/** A handler's result on its way back to another node, and what the caller there gets for it. */
import { Message } from '../message/message.ts'
import { StreamReader } from '../stream/stream-reader.ts'
import type { Frame } from '../wire/frame.ts'
import type { Body, PayloadOwner } from './payload.ts'
import { decodeMessage, decodeValue, encodeBody, encodeValue, isPlain } from './payload.ts'

/**
 * A handler's result as the fields of a reply.
 * @throws NotSerialisableError
 */
export function encodeReply(result: unknown, owner: PayloadOwner): Body {
  if (result instanceof Message) return encodeBody(result, false, owner, undefined)
  if (!(result instanceof StreamReader)) return encodeValue(result, true, '', owner, undefined)
  return encodeBody(Message.stream('', result.detach()), true, owner, undefined)
}

/** The caller's view: a plain caller gets values as they are, a caller that sent a Message always a Message. */
export function fromRemoteReply(frame: Frame, asksPlain: boolean, owner: PayloadOwner): unknown {
  if (!isPlain(frame)) return decodeMessage(frame, owner)
  const value = decodeValue(frame, owner)
  if (asksPlain) return value
  if (value instanceof StreamReader) return Message.stream('', value.detach())
  return value === undefined ? Message.empty() : Message.fromObject('', value)
}
