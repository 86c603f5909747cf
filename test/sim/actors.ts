/**
 * The actors every simulated node has: an inbox that takes numbered tells, and a server for everything else. They write
 * into the books what they see, which is what the checks compare with what was sent.
 */
import {
  type ActorContext,
  type ActorLike,
  type ActorRef,
  type ActorSystem,
  Message,
  StreamMessage,
  type StreamReader,
} from 'pulsing'
import { dispose } from '../../src/base/disposal.ts'
import type { Books, WatchRecord } from './books.ts'
import type { SimClock } from './sim-clock.ts'

type Lent = ((n: number) => Promise<number>) & { [dispose](): void }

/** What a server can be asked for; the first item says which. */
export type Request =
  | readonly ['work', id: number, delayMs: number, reply: unknown]
  | readonly ['wait', id: number]
  | readonly ['items', id: number, count: number, pauseMs: number, pad: Uint8Array | undefined]
  | readonly ['tell', to: ActorRef, lane: string, count: number]
  | readonly ['read', id: number, reader: StreamReader<[number]>]
  | readonly ['call', id: number, times: number, callback: Lent]
  | readonly ['target', id: number, lastsMs: number, lastAt: number, report: ActorRef]

/** What actors of one node share. */
export interface Surroundings {
  readonly books: Books
  readonly clock: SimClock
  readonly held: unknown[]
  readonly index: number
  readonly slowMs: number
}

export function inbox({ books, clock, slowMs }: Surroundings): ActorLike {
  return {
    receive: (msg) => {
      const [lane, n] = msg.toObject<[string, number]>()
      books.tellHandled(lane, n)
      return slowMs > 0 ? clock.sleep((n * 7) % slowMs) : undefined
    },
  }
}

export class Server implements ActorLike {
  readonly #around: Surroundings

  constructor(around: Surroundings) {
    this.#around = around
  }

  receive(msg: Message, ctx: ActorContext): unknown {
    if (msg.isStream) return this.#read(msg)
    const request = msg.toObject<Request>()
    const { books, held } = this.#around
    switch (request[0]) {
      case 'work':
        return this.#work(request, ctx)
      case 'wait':
        return this.#wait(request[1], ctx)
      case 'items':
        return this.#produce(request)
      case 'tell':
        for (let i = 0; i < request[3]; i++) void books.tell(request[1], request[2], this.#around.index, undefined, ctx)
        return undefined
      case 'read':
        held.push(request[2])
        return books.read(request[2], books.stream(request[1]))
      case 'call':
        return this.#call(request)
      default:
        return this.#target(request, ctx.system)
    }
  }

  async #work(
    [, id, delayMs, reply]: Extract<Request, readonly ['work', ...unknown[]]>,
    ctx: ActorContext,
  ): Promise<unknown> {
    const { books, clock } = this.#around
    books.askHandled(id)
    if (delayMs > 0) {
      books.handlersAlive++
      await Promise.race([clock.sleep(delayMs), aborted(ctx.signal)])
      books.handlersAlive--
    }
    return reply
  }

  async #wait(id: number, ctx: ActorContext): Promise<void> {
    const { books } = this.#around
    books.askHandled(id)
    books.waiting.set(id, this.#around.index)
    await aborted(ctx.signal)
    books.waiting.delete(id)
  }

  async *#produce([, id, count, pauseMs, pad]: Extract<Request, readonly ['items', ...unknown[]]>): AsyncGenerator {
    const { books, clock } = this.#around
    const stream = books.stream(id)
    stream.producing++
    try {
      for (let i = 1; i <= count; i++) {
        books.produced(stream)
        yield pad ? [i, pad] : [i]
        if (pauseMs > 0) await clock.sleep(pauseMs)
      }
      stream.isComplete = true
    } finally {
      stream.producing--
    }
  }

  /** A stream that came: read, and answered with how many items there were, or item by item. */
  #read(msg: Message): unknown {
    const { books, held } = this.#around
    const [kind, text] = msg.msgType.split(' ')
    const reader = msg.streamReader<[number]>()
    held.push(msg, reader)
    const stream = books.stream(Number(text))
    if (kind === 'up') return books.read(reader, stream)
    const [reply, writer] = StreamMessage.create('down', stream.echoWindow)
    held.push(reply, writer)
    const echo = books.stream(stream.echo!)
    echo.producing++
    void books.echo(reader, stream, writer, echo).finally(() => echo.producing--)
    return reply
  }

  async #call([, id, times, callback]: Extract<Request, readonly ['call', ...unknown[]]>): Promise<number> {
    const { books, held } = this.#around
    held.push(callback)
    books.askHandled(id)
    let made = 0
    try {
      for (let n = 1; n <= times; n++) {
        if ((await callback(n)) !== n) books.violate(`callback: expected ${n} back`)
        made++
      }
    } catch (error) {
      books.failed('callback', error)
    } finally {
      callback[dispose]()
    }
    return made
  }

  /** An actor to send to for a while, and one that watches it; it reports to that one, and to another elsewhere. */
  async #target(
    [, id, lastsMs, lastAt, report]: Extract<Request, readonly ['target', ...unknown[]]>,
    system: ActorSystem,
  ): Promise<ActorRef> {
    const { books, clock } = this.#around
    const [near, far] = [books.watch(id), books.watch(-id)]
    let watching: ActorRef | undefined
    const target = await system.spawn({
      receive: (msg, ctx) => {
        const [lane, n] = msg.toObject<[string, number]>()
        books.tellHandled(lane, n)
        near.forwarded++
        far.forwarded++
        void ctx.tell(watching!, n)
        ctx.tell(report, n).catch((error: unknown) => books.failed('a report', error))
        if (n === lastAt) ctx.stop()
      },
    })
    watching = await system.spawn(watcher(books, near, target))
    clock.setTimer(() => void system.stop(target), lastsMs)
    return target
  }
}

/** Watches an actor, at once or when it is sent its ref. */
export function watcher(books: Books, watch: WatchRecord, target?: ActorRef): ActorLike {
  const begin = (ctx: ActorContext, ref: ActorRef): void => {
    watch.isBegun = true
    ctx.watch(ref)
  }
  return {
    onStart: (ctx) => {
      if (target) begin(ctx, target)
    },
    receive: (msg, ctx) => {
      if (msg.msgType === 'watch') begin(ctx, msg.toObject<ActorRef>())
      else if (msg.msgType === 'end') ctx.stop()
      else if (msg.msgType !== 'Terminated') books.reported(watch)
      else {
        books.terminated(watch, msg.toObject<{ reason: string }>().reason)
        ctx.schedule(1_000, Message.fromObject('end', undefined))
      }
    },
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
