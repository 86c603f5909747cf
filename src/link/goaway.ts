/** What a goodbye means for whoever waits: nothing where the neighbour ends the link in order, else why the link is over. */
import type { PulsingError } from '../base/errors.ts'
import { AuthError, describe, ProtocolError, UnreachableError } from '../base/errors.ts'
import { GOAWAY } from '../wire/frame.ts'

export function goawayError(code: number, reason: string): PulsingError | undefined {
  switch (code) {
    case GOAWAY.leaving:
    case GOAWAY.duplicate:
    case GOAWAY.closing:
      return undefined
    case GOAWAY.auth:
      return new AuthError(`the neighbour refused this node: ${reason}`)
    case GOAWAY.unsupported:
    case GOAWAY.protocol:
      return new ProtocolError(`the neighbour refused this node: ${reason}`)
    default:
      return new UnreachableError(`the neighbour ended the link: ${describe(reason)}`)
  }
}
