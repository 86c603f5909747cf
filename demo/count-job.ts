/**
 * One text on its way to an actor that counts it: chunks go out as the stream of a request, running counts come back as
 * the stream of its reply. Knows nothing of the page.
 *
 * Pausing stops only the reading of counts. The actor then waits to write the next one, so it reads no more chunks, so
 * `write` here waits: the sender stands still, however many hops there are in between.
 */
import { type ActorRef, StreamMessage, type StreamReader, type StreamWriter } from 'pulsing'
import { type Counts, REPLY_BUFFER } from './actors/word-count.mjs'

export const CHUNK_BYTES: number = 64 * 1024
/** Chunks that may wait unread by the actor. */
export const REQUEST_BUFFER = 8
/** All that can be sent and not yet counted for us: waiting at the actor, in its hands, and counts waiting for us. */
export const MAX_ON_THE_WAY: number = REQUEST_BUFFER + 1 + REPLY_BUFFER

/** How long a slow reader looks at each count, in milliseconds: 4 MiB/s. */
const SLOW_READ_MS = 16

export type JobState = 'running' | 'paused' | 'done' | 'cancelled' | 'failed'

export class CountJob {
  state: JobState = 'running'
  /** Bytes the stream has accepted. */
  sent = 0
  /** The latest counts. */
  counts: Counts = { bytes: 0, lines: 0, words: 0, done: false }
  /** Why it failed, if it did. */
  error: unknown
  readsSlowly = false
  readonly startedAt: number = performance.now()

  readonly #text: Blob
  readonly #changed: () => void
  #reader: StreamReader<Counts> | undefined
  readonly #abort = new AbortController()
  /** What reading the text itself ran into. */
  #unreadable: unknown
  #pausedAt = 0
  #pausedMs = 0
  #resumed: (() => void) | undefined

  /** @param changed called after every step; draw at leisure */
  constructor(text: Blob, changed: () => void) {
    this.#text = text
    this.#changed = changed
  }

  get total(): number {
    return this.#text.size
  }

  get isOver(): boolean {
    return this.state !== 'running' && this.state !== 'paused'
  }

  /** Chunks sent whose counts have not been read. */
  get onTheWay(): number {
    // A count can be here before `write` has said that its chunk was taken.
    return Math.max(0, Math.ceil(this.sent / CHUNK_BYTES) - Math.ceil(this.counts.bytes / CHUNK_BYTES))
  }

  /** How long it stood still, in milliseconds. */
  get pausedMs(): number {
    return this.#pausedMs + (this.state === 'paused' ? performance.now() - this.#pausedAt : 0)
  }

  /** Runs to the end, whatever it is; never rejects. */
  async run(actor: Promise<ActorRef>): Promise<void> {
    const [request, chunks] = StreamMessage.create<Uint8Array>('text', REQUEST_BUFFER)
    const sending = this.#send(chunks)
    try {
      const counter = await actor
      const reply = await counter.ask(request, { signal: this.#abort.signal })
      this.#reader = reply.streamReader<Counts>()
      await this.#read(this.#reader)
      await sending
      this.#end(this.counts.done ? 'done' : 'cancelled')
    } catch (error) {
      void chunks.error('the reader is gone')
      this.#end('failed', this.#unreadable ?? error)
    }
  }

  pause(): void {
    if (this.state !== 'running') return
    this.#pausedAt = performance.now()
    this.#become('paused')
  }

  resume(): void {
    if (this.state !== 'paused') return
    this.#pausedMs += performance.now() - this.#pausedAt
    this.#become('running')
    this.#resumed?.()
  }

  /** The reader goes; the actor notices, and then the sender. */
  cancel(): void {
    if (this.isOver) return
    this.#become('cancelled')
    this.#resumed?.()
    this.#abort.abort()
    void this.#reader?.cancel()
  }

  async #send(chunks: StreamWriter<Uint8Array>): Promise<void> {
    try {
      for (let at = 0; at < this.#text.size && !this.isOver; at += CHUNK_BYTES) {
        const chunk = await this.#chunk(at)
        await chunks.write(chunk)
        this.sent += chunk.byteLength
        this.#changed()
      }
      await chunks.close()
    } catch (error) {
      // What became of a reader that is gone is for the reply to say. A file that cannot be read is told to the actor.
      await chunks.error(error instanceof Error ? error.message : String(error))
    }
  }

  async #chunk(at: number): Promise<Uint8Array> {
    try {
      return new Uint8Array(await this.#text.slice(at, at + CHUNK_BYTES).arrayBuffer())
    } catch (error) {
      this.#unreadable = error
      throw error
    }
  }

  async #read(counts: StreamReader<Counts>): Promise<void> {
    while (true) {
      if (this.state === 'paused') await new Promise<void>((resolve) => (this.#resumed = resolve))
      const { done, value } = await counts.next()
      if (done) return
      this.counts = value
      this.#changed()
      if (this.readsSlowly) await new Promise((resolve) => setTimeout(resolve, SLOW_READ_MS))
    }
  }

  #end(state: JobState, error?: unknown): void {
    if (this.isOver) return
    this.error = error
    this.#become(state)
  }

  #become(state: JobState): void {
    this.state = state
    this.#changed()
  }
}
