import { Actor, type Message } from 'pulsing'

/** What was counted so far, or with `done` in all. */
export interface Counts {
  readonly bytes: number
  readonly lines: number
  readonly words: number
  readonly done: boolean
}

export declare const REPLY_BUFFER: number

export declare class Tally {
  add(chunk: Uint8Array): void
  end(): void
  counts(done: boolean): Counts
}

export declare class WordCount extends Actor {
  receive(message: Message): Message
}
