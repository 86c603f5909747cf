/** Which worker of a pool gets a message. Pure, but for chance, which is passed in, and the turn it remembers. */
import { ConfigError, describe, PulsingBusinessError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { Message } from '../message/message.ts'
import { parseCall } from '../proxy/call.ts'
import { rendezvous } from './rendezvous.ts'

/**
 * Which worker gets a message. `round-robin`: each in turn. `least-loaded`: the one that was given the fewest messages it
 * has not answered, or finished where nobody waits for an answer. `random`: any. `{ by }`: always the same one for the same key, which is what the function returns
 * for a message, or with `'argument'` the first argument of a method call. When a worker goes, only its keys move, and
 * they come back to the one that replaces it.
 */
export type PoolStrategy =
  | 'round-robin'
  | 'least-loaded'
  | 'random'
  | { readonly by: 'argument' | ((msg: Message) => string) }

/** A worker, as a strategy sees it. */
export interface Candidate {
  /** Its place in the pool, from 0; whoever replaces it has the same. */
  readonly slot: number
  /** Messages it was given that are not over: asks nobody waits for any more are. */
  readonly load: number
}

/** Picks one of `workers`, which is not empty. @throws what a caller should be told of a message without a key */
export type Choose = <T extends Candidate>(workers: readonly T[], msg: Message) => T

export function chooser(strategy: PoolStrategy, random: Random): Choose {
  let turn = -1
  switch (strategy) {
    case 'round-robin':
      return (workers) => workers[(turn = (turn + 1) % workers.length)]!
    case 'random':
      return (workers) => workers[Math.floor(random.float() * workers.length)]!
    case 'least-loaded':
      return (workers) => {
        // Among equals each has its turn.
        turn = (turn + 1) % workers.length
        let best = workers[turn]!
        for (let i = 1; i < workers.length; i++) {
          const candidate = workers[(turn + i) % workers.length]!
          if (candidate.load < best.load) best = candidate
        }
        return best
      }
    default: {
      const keyOf = strategy.by === 'argument' ? firstArgument : checked(strategy.by)
      return (workers, msg) => rendezvous(keyOf(msg), workers)
    }
  }
}

function checked(by: (msg: Message) => string): (msg: Message) => string {
  return (msg) => {
    const key: unknown = by(msg)
    if (typeof key === 'string') return key
    throw new ConfigError(`expected the pool's strategy.by to return a text, got ${describe(key)}`)
  }
}

function firstArgument(msg: Message): string {
  const call = parseCall(msg)
  const key = call?.[1][0]
  if (typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint') return String(key)
  const got = call ? `${call[0]}(${describe(key)})` : `a message of type ${describe(msg.msgType)}`
  throw new PulsingBusinessError(`expected a call whose first argument, the key, is a text or a number, got ${got}`)
}
