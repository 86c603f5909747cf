/** Messages that carry a stream, made by whoever will write it. */
import { ConfigError, describe } from '../base/errors.ts'
import { DEFAULT_BUFFER_SIZE, StreamChannel } from '../stream/stream-channel.ts'
import { StreamWriter } from '../stream/stream-writer.ts'
import { Message } from './message.ts'

/** The largest `bufferSize`, in items. */
export const MAX_BUFFER_SIZE = 65_536

/** How far, beside the number of items, a writer may be ahead of its reader. */
export interface StreamOptions {
  /** Bytes of unread items that are bytes, above 0. Default Infinity: only their number counts. */
  readonly bufferBytes?: number
}

/** Factory of stream messages, as request, reply or both. */
export const StreamMessage: {
  /**
   * A message whose content is written bit by bit.
   *
   * @param msgType type of the message, and of items that bring none; default empty
   * @param bufferSize items the writer may be ahead of the consumer; 1 … {@link MAX_BUFFER_SIZE}, default
   * {@link DEFAULT_BUFFER_SIZE}
   * @param options `bufferBytes`: bytes, of items that are bytes, the writer may be ahead as well, one item more at most
   * @returns the message to send, and the writer of its items
   * @throws ConfigError when `bufferSize` is out of range, or `bufferBytes` not above 0
   *
   * @example
   * ```ts
   * import { StreamMessage } from 'pulsing'
   *
   * const [message, writer] = StreamMessage.create<number>('numbers', 2)
   * await writer.write(1)
   * await writer.write(2) // a third would wait for the reader
   * void writer.close()
   * for await (const item of message.streamReader<number>()) console.debug(item) // 1, 2
   * ```
   */
  create<T = unknown>(msgType?: string, bufferSize?: number, options?: StreamOptions): [Message, StreamWriter<T>]
} = {
  create<T = unknown>(
    msgType = '',
    bufferSize: number = DEFAULT_BUFFER_SIZE,
    { bufferBytes = Infinity }: StreamOptions = {},
  ): [Message, StreamWriter<T>] {
    if (!Number.isInteger(bufferSize) || bufferSize < 1 || bufferSize > MAX_BUFFER_SIZE) {
      throw new ConfigError(
        `expected bufferSize as an integer from 1 to ${MAX_BUFFER_SIZE}, got ${describe(bufferSize)}`,
      )
    }
    if (typeof bufferBytes !== 'number' || !(bufferBytes > 0))
      throw new ConfigError(`expected bufferBytes as a number above 0, got ${describe(bufferBytes)}`)
    const channel = new StreamChannel<T>(bufferSize, bufferBytes)
    return [Message.stream(msgType, channel), new StreamWriter(channel)]
  },
}
