/** A result nobody waits for: a stream in it is cancelled, so that its producer does not wait for ever. */
import { ignoreRejection } from '../base/deferred.ts'
import { dispose } from '../base/disposal.ts'
import { Message } from '../message/message.ts'
import { isStreamLike, toSource } from '../stream/iterable-source.ts'
import { StreamReader } from '../stream/stream-reader.ts'

export function discardResult(result: unknown): void {
  if (result instanceof StreamReader) ignoreRejection(result.cancel())
  else if (result instanceof Message) {
    if (result.isStream) ignoreRejection(result.streamReader().cancel())
  } else if (isStreamLike(result)) {
    // Whatever it throws on being closed has nobody left to hear it.
    ignoreRejection(
      Promise.resolve(result).then((streamed) => Promise.resolve(toSource(streamed)).then((source) => source.cancel())),
    )
  }
}

/** A message nobody will read: a stream in it is cancelled, unless somebody took it. */
export function discardStream(message: Message): void {
  if (message.isStream && !message.isTaken) ignoreRejection(message.streamReader().cancel())
}

/** A message no actor will handle: what came over a link inside its value has nobody else to end it. */
export function discardMessage(message: Message): void {
  if (message.isReferring) discardReferences(message.toObject())
  else discardStream(message)
}

function discardReferences(value: unknown): void {
  if (typeof value === 'function') (value as Partial<Disposable>)[dispose]?.()
  if (typeof value !== 'object' || value === null) return
  const isStream: boolean = isStreamLike(value)
  if (isStream) discardResult(value)
  else if (Array.isArray(value) || value instanceof Set || value instanceof Map) {
    for (const item of value as Iterable<unknown>) discardReferences(item)
  } else if (Object.getPrototypeOf(value) === Object.prototype) Object.values(value).forEach(discardReferences)
}
