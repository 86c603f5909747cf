import type { ActorClass } from 'pulsing'

declare class PlainCounter {
  add(step: number): number
  watch(): ReadableStream<number>
}

export type Counter = PlainCounter
export declare const Counter: typeof PlainCounter & ActorClass<typeof PlainCounter>
