/**
 * Two sides of a worker, a frame or a port find each other, whoever comes first, and agree on a port of their own.
 *
 * Each side listens, then says `hello`. Messages before the other side listens may be lost, so a `hello` from somebody
 * new is answered by another: whoever hears one knows that the other side listens. Two bare ports then already are the
 * connection. Otherwise the side with the greater id offers one end of a new channel, and its first message from there
 * (`accept`) tells that the other side has taken it. Attempts that were given up leave nothing behind: their offers are
 * withdrawn with `bye`.
 */
import { UnreachableError } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import type { MeetingPoint, PortEvent, PortLike } from './endpoint.ts'
import type { Greeting, Hello } from './greeting.ts'
import { greetingIn, marked } from './greeting.ts'
import type { LifeToken } from './life-lock.ts'

export interface RendezvousOptions {
  /** Attempts of different names do not see each other. */
  readonly name: string
  readonly signal: AbortSignal
  /** What tells the other side of our life, already held. */
  readonly life: LifeToken | undefined
}

/** What two sides have agreed on. */
export interface Agreement {
  readonly port: PortLike
  /** What tells of the other side's life. */
  readonly theirLife: LifeToken | undefined
}

/** Calls `take` once, in the very turn in which the port is agreed on, so that it misses no message; resolves with what it returns. */
export function rendezvous<T>(
  point: MeetingPoint,
  options: RendezvousOptions,
  take: (agreement: Agreement) => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    options.signal.throwIfAborted()
    const attempt = new Attempt(point, options, {
      agreed: (agreement) => resolve(take(agreement)),
      failed: reject,
    })
    attempt.start()
  })
}

interface Outcome {
  agreed(agreement: Agreement): void
  failed(error: unknown): void
}

class Attempt {
  readonly #id = newId()
  readonly #point: MeetingPoint
  readonly #options: RendezvousOptions
  readonly #outcome: Outcome
  /** Everybody heard so far, by id. */
  readonly #known = new Map<string, LifeToken | undefined>()
  /** Ends of channels whose other end was offered, each with what stops listening to it. */
  readonly #offers = new Map<PortLike, () => void>()
  #stopListening: (() => void) | undefined
  #isOver = false

  constructor(point: MeetingPoint, options: RendezvousOptions, outcome: Outcome) {
    this.#point = point
    this.#options = options
    this.#outcome = outcome
  }

  start(): void {
    this.#options.signal.addEventListener('abort', this.#giveUp, { once: true })
    this.#stopListening = this.#point.listen(
      (message) => this.#heard(message),
      (reason) =>
        this.#fail(
          new UnreachableError(`expected the other side of the endpoint to answer, but ${reason}`, {
            outcome: 'not-sent',
          }),
        ),
    )
    this.#hello()
  }

  #heard(message: unknown): void {
    const greeting = greetingIn(message)
    if (greeting === undefined || this.#isOver) return
    if (greeting.kind === 'hello' && greeting.name === this.#options.name) this.#heardHello(greeting)
    else if (greeting.kind === 'offer' && greeting.to === this.#id) {
      greeting.port.postMessage(marked({ kind: 'accept' }), [])
      this.#agree(greeting.port, greeting.from)
    }
  }

  #heardHello({ from, hasOwnPort, life }: Hello): void {
    if (from === this.#id || this.#known.has(from)) return
    this.#known.set(from, life)
    // What is posted on a bare port waits there, so the first hello of both sides is enough.
    if (hasOwnPort && this.#point.port !== undefined) this.#agree(this.#point.port, from)
    else {
      this.#hello()
      if (this.#id > from) this.#offer(from)
    }
  }

  #hello(): void {
    const { name, life } = this.#options
    this.#post({ kind: 'hello', name, from: this.#id, hasOwnPort: this.#point.port !== undefined, life }, [])
  }

  #offer(to: string): void {
    const { port1, port2 } = new MessageChannel() as unknown as { readonly port1: PortLike; readonly port2: PortLike }
    const onMessage = (event: PortEvent): void => {
      if (greetingIn(event.data)?.kind === 'accept') this.#agree(port1, to)
    }
    port1.addEventListener('message', onMessage)
    port1.start()
    this.#offers.set(port1, () => port1.removeEventListener('message', onMessage))
    this.#post({ kind: 'offer', from: this.#id, to, port: port2 }, [port2])
  }

  #post(greeting: Greeting, transfer: readonly object[]): void {
    try {
      this.#point.post(marked(greeting), transfer)
    } catch (error) {
      this.#fail(
        new UnreachableError('expected an endpoint that takes messages and ports, got an error from it', {
          outcome: 'not-sent',
          cause: error,
        }),
      )
    }
  }

  #agree(port: PortLike, withWhom: string): void {
    this.#end(port)
    this.#outcome.agreed({ port, theirLife: this.#known.get(withWhom) })
  }

  readonly #giveUp = (): void => {
    // A bare port holds our hello for whoever opens it later: tell them that nobody is here any more.
    if (this.#point.port !== undefined) this.#post({ kind: 'bye', reason: 'gave up waiting' }, [])
    this.#fail(this.#options.signal.reason)
  }

  #fail(error: unknown): void {
    if (this.#isOver) return
    this.#end(undefined)
    this.#outcome.failed(error)
  }

  #end(agreed: PortLike | undefined): void {
    this.#isOver = true
    this.#options.signal.removeEventListener('abort', this.#giveUp)
    this.#stopListening?.()
    for (const [port, stop] of this.#offers) {
      stop()
      if (port === agreed) continue
      port.postMessage(marked({ kind: 'bye', reason: 'gave up waiting' }), [])
      port.close()
    }
  }
}
