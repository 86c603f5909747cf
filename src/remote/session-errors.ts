/** What sessions say when they cannot do what was asked. */
import type { PulsingError } from '../base/errors.ts'
import { SessionResetError, UnreachableError } from '../base/errors.ts'

/** The address of a node. */
export function nodeUri(nodeId: string): string {
  return `actor://${nodeId}`
}

/** Objects that change owner were to go with a message that has to wait. */
export function cannotWait(peer: string): UnreachableError {
  return new UnreachableError(`expected a way to node ${peer} now, for objects handed over, got none yet`, {
    outcome: 'not-sent',
    address: nodeUri(peer),
  })
}

/** The error of a lost session, as whoever waits for one message of it sees it. */
export function withOutcome(error: PulsingError, outcome: 'not-sent' | 'unknown'): PulsingError {
  if (!(error instanceof UnreachableError) || error.outcome === outcome) return error
  const { message, address, cause } = error
  const options = { address, outcome, ...(cause === undefined ? {} : { cause }) }
  return error instanceof SessionResetError
    ? new SessionResetError(message, options)
    : new UnreachableError(message, options)
}
