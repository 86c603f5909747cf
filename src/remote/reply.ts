/** A handler's result on its way back to another node, and what the caller there gets for it. */
import type { Envelope } from '../actor/envelope.ts'
import { Message } from '../message/message.ts'
import { isStreamLike, toSource } from '../stream/iterable-source.ts'
import { StreamReader } from '../stream/stream-reader.ts'
import type { Frame } from '../wire/frame.ts'
import type { PayloadOwner } from './payload.ts'
import { decodeMessage, decodeValue, isPlain } from './payload.ts'

/** A result as a message, and whether the handler returned it as a plain value. */
export interface RemoteReply {
  readonly message: Message
  readonly isPlain: boolean
}

/** @param envelope cancelled when the stream of a streamed reply ends or is cancelled */
export function toRemoteReply(result: unknown, envelope: Envelope): RemoteReply {
  if (result instanceof Message) return { message: result, isPlain: false }
  if (!isStreamLike(result)) return { message: Message.fromObject('', result), isPlain: true }
  return {
    message: Message.stream(
      '',
      toSource(result, () => envelope.cancel(undefined)),
    ),
    isPlain: true,
  }
}

/** The caller's view: a plain caller gets values as they are, a caller that sent a Message always a Message. */
export function fromRemoteReply(frame: Frame, asksPlain: boolean, owner: PayloadOwner): unknown {
  if (!isPlain(frame)) return decodeMessage(frame, owner)
  const value = decodeValue(frame, owner)
  if (asksPlain) return value
  if (value instanceof StreamReader) return Message.stream('', value.detach())
  return value === undefined ? Message.empty() : Message.fromObject('', value)
}
