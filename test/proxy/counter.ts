/** The class most tests of proxies use. */
import { asActor, contextOf } from 'pulsing'

export const Counter = asActor(
  class Counter {
    label = 'field'
    constructor(public value = 0) {}
    get(): number {
      return this.value
    }
    increment(n = 1): number {
      return (this.value += n)
    }
    async later(n: number): Promise<number> {
      await Promise.resolve()
      return this.increment(n)
    }
    async *count(to: number): AsyncGenerator<number> {
      for (let i = 0; i < to; i++) yield i
    }
    *letters(text: string): Generator<string> {
      yield* text
    }
    web(): ReadableStream<number> {
      return new ReadableStream<number>({
        start: (controller) => {
          controller.enqueue(1)
          controller.close()
        },
      })
    }
    fail(message: string): never {
      throw new TypeError(message)
    }
    changeAndFail(): never {
      this.value = 99
      throw new Error('after the change')
    }
    whoami(): string | undefined {
      return contextOf(this).self.name
    }
    inspect(): string {
      return 'mine'
    }
    get double(): number {
      return this.value * 2
    }
    _hidden(): string {
      return 'secret'
    }
    onStart(): void {
      this.label = 'started'
    }
    onStop(): void {}
    metadata(): Record<string, string> {
      return { colour: 'blue' }
    }
    // biome-ignore lint/suspicious/noThenProperty: a proxy has to hide it
    then(): string {
      return 'not a promise'
    }
    toJSON(): string {
      return 'not this'
    }
    started(): string {
      return this.label
    }
  },
)
