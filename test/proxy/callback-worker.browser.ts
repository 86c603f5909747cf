/** The worker of the tests of callbacks in a page: a node with one actor that calls what it is given. */
import { asActor, type Callback, createActorSystem } from 'pulsing'

type Held = Callback<(...args: unknown[]) => unknown>

export class Caller {
  #held: Held | undefined
  /** Calls it with 1, 2, … `count`; the results. */
  async callEach(callback: Callback<(n: number) => number>, count: number): Promise<number[]> {
    const results: number[] = []
    for (let n = 1; n <= count; n++) results.push(await callback(n))
    return results
  }
  async withOptions(options: { readonly onText: (text: string) => unknown }): Promise<unknown> {
    return options.onText('from the worker')
  }
  hold(callback: Held): void {
    this.#held = callback
  }
  callHeld(...args: unknown[]): Promise<unknown> {
    return this.#held!(...args)
  }
  release(): void {
    this.#held![Symbol.dispose]()
  }
  drop(): void {
    this.#held = undefined
  }
  adder(n: number): (m: number) => number {
    return (m) => n + m
  }
  async text(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<[boolean, string]> {
    return [stream instanceof ReadableStream, await new Response(stream).text()]
  }
  async *count(from: AsyncIterable<number>): AsyncGenerator<number> {
    for await (const n of from) yield n * 2
  }
}

/** Only where it is started as a worker: tests import its types. */
export async function start(): Promise<void> {
  const system = await createActorSystem()
  await asActor({ type: 'Caller' })(Caller).options({ name: 'caller', public: true }).local(system)
  await system.connect(self)
}

if (typeof document === 'undefined') void start()
