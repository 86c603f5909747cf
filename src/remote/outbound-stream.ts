/**
 * The producer's end of a stream that goes to another node: takes items from their source as long as the consumer has
 * room, in items and in bytes. What the consumer has consumed is acknowledged to the source, so that whoever writes there
 * feels the far end and nothing in between.
 */
import { ignoreRejection } from '../base/deferred.ts'
import type { StreamSource } from '../stream/stream-source.ts'

/**
 * Bytes a producer may be ahead of its consumer; one item more may be on its way. As much as is on its way between two
 * processes of one machine, which hear of each other only when the system gives them their turn.
 */
export const STREAM_WINDOW_BYTES: number = 512 * 1024

/** What the stream needs of its association. */
export interface ProducerLine {
  /** Sends one item; its size in bytes. Throws when the item cannot travel. */
  sendItem(stream: OutboundStream, item: unknown): number
  /** Ends the stream: cleanly, or with an error. The stream is over. */
  sendEnd(stream: OutboundStream, error: unknown): void
  /** Settles when the link has room; undefined when it has room now. */
  whenWritable(): Promise<void> | undefined
}

export class OutboundStream {
  readonly id: number
  readonly #line: ProducerLine
  #source: StreamSource | undefined
  #window: number
  #sentItems = 0
  #sentBytes = 0
  #consumedItems = 0
  #consumedBytes = 0
  #isPumping = false
  #isOver = false

  constructor(id: number, source: StreamSource | Promise<StreamSource>, window: number, line: ProducerLine) {
    this.id = id
    this.#line = line
    this.#window = window
    if (source instanceof Promise)
      source.then(
        (opened) => this.#open(opened),
        (error: unknown) => this.#end(error),
      )
    else this.#source = source
  }

  /** Begins to send. Called after the message that names the stream was sent. */
  start(): void {
    if (this.#source) ignoreRejection(this.#pump())
  }

  /** The consumer's totals. Totals that went back, or beyond what was sent, are ignored. */
  consumed(items: number, bytes: number): void {
    if (items <= this.#consumedItems || items > this.#sentItems || bytes > this.#sentBytes) return
    const count = items - this.#consumedItems
    this.#consumedItems = items
    this.#consumedBytes = bytes
    this.#source?.acknowledge(count)
    ignoreRejection(this.#pump())
  }

  /** The consumer is gone, or cannot be reached. */
  cancel(reason: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#source?.cancel(reason)
  }

  #open(source: StreamSource): void {
    if (this.#isOver) {
      source.cancel()
      return
    }
    this.#source = source
    ignoreRejection(this.#pump())
  }

  get #hasRoom(): boolean {
    return (
      this.#sentItems - this.#consumedItems < this.#window &&
      this.#sentBytes - this.#consumedBytes < STREAM_WINDOW_BYTES
    )
  }

  async #pump(): Promise<void> {
    if (this.#isPumping) return
    this.#isPumping = true
    try {
      while (!this.#isOver && this.#hasRoom) {
        const writable = this.#line.whenWritable()
        if (writable) {
          await writable
          continue
        }
        const taken = this.#source!.take()
        const result = taken instanceof Promise ? await taken : taken
        if (this.#isOver) return
        if (result.done) {
          this.#end(undefined)
          return
        }
        this.#sentBytes += this.#line.sendItem(this, result.value)
        this.#sentItems++
      }
    } catch (error) {
      this.#source!.cancel(error)
      this.#end(error)
    } finally {
      this.#isPumping = false
    }
  }

  #end(error: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#line.sendEnd(this, error)
  }
}
