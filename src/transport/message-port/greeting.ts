/**
 * What two sides say to each other besides batches. Greetings may pass among the user's own messages, so each carries a
 * mark; everything without it is not ours.
 */
import type { PortLike } from './endpoint.ts'
import type { LifeToken } from './life-lock.ts'

/** The mark, with the version of this exchange. */
const MARK = 'pulsing.port/1'

export interface Hello {
  readonly kind: 'hello'
  readonly name: string
  readonly from: string
  /** Whether the speaker is at a bare port, which can be the connection itself. */
  readonly hasOwnPort: boolean
  /** The Web Lock the speaker holds for as long as it lives. */
  readonly life?: LifeToken | undefined
}

export type Greeting =
  /** "I listen." Answered once for every new `from`, since whoever spoke first may not have been heard. */
  | Hello
  /** "Let us talk over this port." Follows a hello of the same `from`. */
  | { readonly kind: 'offer'; readonly from: string; readonly to: string; readonly port: PortLike }
  /** The first message on an offered port: "I use it." */
  | { readonly kind: 'accept' }
  /** The last message on a port. A reason means abort, none means a clean close. */
  | { readonly kind: 'bye'; readonly reason?: string }

/** A greeting as it is posted. */
export function marked(greeting: Greeting): object {
  return { pulsing: MARK, ...greeting }
}

/** The greeting in a message, or undefined when the message is not ours. */
export function greetingIn(message: unknown): Greeting | undefined {
  if (typeof message !== 'object' || message === null || !Object.hasOwn(message, 'pulsing')) return undefined
  if ((message as { readonly pulsing: unknown }).pulsing !== MARK) return undefined
  const greeting = message as Greeting
  // The two fields that are used and not only compared.
  if (greeting.kind === 'offer' && typeof greeting.port?.postMessage !== 'function') return undefined
  if (greeting.kind === 'hello' && greeting.life === null) return undefined
  return greeting
}
