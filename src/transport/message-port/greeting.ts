/**
 * What two sides say to each other besides batches. Greetings may pass among the user's own messages, so each carries a
 * mark; everything without it is not ours.
 */
import type { PortLike } from './endpoint.ts'

/** The mark, with the version of this exchange. */
const MARK = 'pulsing.port/1'

export type Greeting =
  /** "I listen." Answered once for every new `from`, since whoever spoke first may not have been heard. */
  | { readonly kind: 'hello'; readonly name: string; readonly from: string; readonly hasOwnPort: boolean }
  /** "Let us talk over this port." */
  | {
      readonly kind: 'offer'
      readonly name: string
      readonly from: string
      readonly to: string
      readonly port: PortLike
    }
  /** The first message on an offered port: "I use it." */
  | { readonly kind: 'accept' }
  /** The last message on a port. A reason means abort, none means a clean close. */
  | { readonly kind: 'bye'; readonly reason?: string }
  /** "I hold this Web Lock for as long as I live." */
  | { readonly kind: 'alive'; readonly lock: string; readonly origin: string }

/** A greeting as it is posted. */
export function marked(greeting: Greeting): object {
  return { pulsing: MARK, ...greeting }
}

/** The greeting in a message, or undefined when the message is not ours. */
export function greetingIn(message: unknown): Greeting | undefined {
  if (typeof message !== 'object' || message === null || !Object.hasOwn(message, 'pulsing')) return undefined
  return (message as { readonly pulsing: unknown }).pulsing === MARK ? (message as Greeting) : undefined
}
