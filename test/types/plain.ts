/** A class with every kind of member, for tests of what a proxy's type makes of them. */
import { StreamMessage, type StreamReader } from 'pulsing'

export class Plain {
  value = 0
  readonly callback: () => number = () => 1
  constructor(
    start: number,
    readonly label = 'x',
  ) {
    this.value = start
  }
  // biome-ignore lint/suspicious/noExplicitAny: what a user may have written
  whatever: any
  maybeCallback?: () => number
  get double(): number {
    return this.value * 2
  }
  get(): number {
    return this.value
  }
  async later(text: string, times?: number): Promise<string> {
    return text.repeat(times ?? 1)
  }
  nothing(): void {}
  maybe(): number | undefined {
    return undefined
  }
  generic<T>(value: T): T {
    return value
  }
  list(): number[] {
    return []
  }
  text(): string {
    return ''
  }
  bytes(): Uint8Array {
    return new Uint8Array()
  }
  map(): Map<string, number> {
    return new Map()
  }
  async *count(to: number): AsyncGenerator<number> {
    yield to
  }
  *letters(): Generator<string, number, undefined> {
    yield 'a'
    return 1
  }
  async lateStream(): Promise<AsyncIterable<boolean>> {
    return this.flags()
  }
  async *flags(): AsyncGenerator<boolean> {
    yield true
  }
  web(): ReadableStream<Date> {
    return new ReadableStream()
  }
  reader(): StreamReader<bigint> {
    return StreamMessage.create<bigint>()[0].streamReader<bigint>()
  }
  anything(): unknown {
    return 1
  }
  unsafe() {
    // biome-ignore lint/suspicious/noExplicitAny: what a user may have written
    return 1 as any
  }
  many(...names: string[]): number {
    return names.length
  }
  onStart(): void {}
  onStop(): void {}
  onChildFailure(): undefined {}
  metadata(): Record<string, string> {
    return {}
  }
  toJSON(): string {
    return ''
  }
  // biome-ignore lint/suspicious/noThenProperty: a proxy must not offer it
  then(): void {}
  toString(): string {
    return ''
  }
  toLocaleString(): string {
    return ''
  }
  valueOf(): number {
    return 0
  }
  hasOwnProperty(): boolean {
    return false
  }
  isPrototypeOf(): boolean {
    return false
  }
  propertyIsEnumerable(): boolean {
    return false
  }
  _internal(): void {}
  protected guarded(): void {}
  // biome-ignore lint/correctness/noUnusedPrivateClassMembers: hidden is the point
  private hidden(): void {}
}
