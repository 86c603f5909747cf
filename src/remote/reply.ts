/** A handler's result on its way back to another node, and what the caller there gets for it. */
import type { Envelope } from '../actor/envelope.ts'
import { Message } from '../message/message.ts'
import { isStreamLike, toSource } from '../stream/iterable-source.ts'
import { StreamReader } from '../stream/stream-reader.ts'
import type { Frame } from '../wire/frame.ts'
import type { Body, PayloadOwner } from './payload.ts'
import { decodeMessage, decodeValue, encodeBody, encodeValue, isPlain } from './payload.ts'

/**
 * A handler's result as the fields of a reply.
 *
 * @param envelope cancelled when the stream of a streamed reply ends or is cancelled
 * @throws NotSerialisableError
 */
export function encodeReply(result: unknown, envelope: Envelope, owner: PayloadOwner): Body {
  if (result instanceof Message) return encodeBody(result, false, owner, undefined)
  if (!isStreamLike(result)) return encodeValue(result, true, '', owner, undefined)
  return encodeBody(
    Message.stream(
      '',
      toSource(result, () => envelope.cancel(undefined)),
    ),
    true,
    owner,
    undefined,
  )
}

/** The caller's view: a plain caller gets values as they are, a caller that sent a Message always a Message. */
export function fromRemoteReply(frame: Frame, asksPlain: boolean, owner: PayloadOwner): unknown {
  if (!isPlain(frame)) return decodeMessage(frame, owner)
  const value = decodeValue(frame, owner)
  if (asksPlain) return value
  if (value instanceof StreamReader) return Message.stream('', value.detach())
  return value === undefined ? Message.empty() : Message.fromObject('', value)
}
