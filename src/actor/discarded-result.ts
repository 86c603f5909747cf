/** A result nobody waits for: a stream in it is cancelled, so that its producer does not wait for ever. */
import { ignoreRejection } from '../base/deferred.ts'
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
