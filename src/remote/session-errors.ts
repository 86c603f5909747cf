/** What sessions say when they cannot do what was asked. */
import { UnreachableError } from '../base/errors.ts'

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
