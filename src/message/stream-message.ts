/** Messages that carry a stream, made by whoever will write it. */
import { ConfigError, describe } from '../base/errors.ts'
import { DEFAULT_BUFFER_SIZE, StreamChannel } from '../stream/stream-channel.ts'
import { StreamWriter } from '../stream/stream-writer.ts'
import { Message } from './message.ts'

/** The largest `bufferSize`, in items. */
export const MAX_BUFFER_SIZE = 65_536

/** Factory of stream messages, as request, reply or both. */
export const StreamMessage: {
  /**
   * A message whose content is written bit by bit.
   *
   * @param msgType type of the message, and of items that bring none; default empty
   * @param bufferSize items the writer may be ahead of the consumer; 1 … {@link MAX_BUFFER_SIZE}, default
   * {@link DEFAULT_BUFFER_SIZE}
   * @returns the message to send, and the writer of its items
   * @throws ConfigError when `bufferSize` is out of range
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
  create<T = unknown>(msgType?: string, bufferSize?: number): [Message, StreamWriter<T>]
} = {
  create<T = unknown>(msgType = '', bufferSize: number = DEFAULT_BUFFER_SIZE): [Message, StreamWriter<T>] {
    if (!Number.isInteger(bufferSize) || bufferSize < 1 || bufferSize > MAX_BUFFER_SIZE) {
      throw new ConfigError(
        `expected bufferSize as an integer from 1 to ${MAX_BUFFER_SIZE}, got ${describe(bufferSize)}`,
      )
    }
    const channel = new StreamChannel<T>(bufferSize)
    return [Message.stream(msgType, channel), new StreamWriter(channel)]
  },
}
