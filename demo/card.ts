/**
 * What a node of the demo says of itself. The cluster knows ids and addresses; that one node is "the worker in tab ab12"
 * is the demo's own business, so every node has a public actor named `card` that answers with one of these.
 */
import type { ActorRef, ActorSystem } from 'pulsing'

/** The name of that actor, the same on every node. */
export const CARD_NAME = 'card'

export interface Card {
  readonly role: 'relay' | 'node' | 'tab' | 'worker'
  /** Four hexadecimal digits: the tab a page or worker belongs to. */
  readonly tab?: string
  /** The name of its actor that counts words, if it has one. */
  readonly wordCount?: string
}

/** Lets all others ask what this node is. */
export function introduce(system: ActorSystem, card: Card): Promise<ActorRef> {
  return system.spawn({ receive: () => card }, CARD_NAME, { public: true })
}

/** Asks a node what it is; undefined where the answer is no card. */
export async function askForCard(system: ActorSystem, nodeId: string): Promise<Card | undefined> {
  const ref = await system.resolve(CARD_NAME, { node: nodeId })
  return readCard(await ref.ask('who are you?'))
}

const ROLES: ReadonlySet<string> = new Set(['relay', 'node', 'tab', 'worker'])

/** Others may be of any make: nothing is taken on trust. */
function readCard(value: unknown): Card | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { role, tab, wordCount } = value as Record<string, unknown>
  if (typeof role !== 'string' || !ROLES.has(role)) return undefined
  return {
    role: role as Card['role'],
    ...(typeof tab === 'string' && /^[0-9a-f]{4}$/.test(tab) ? { tab } : {}),
    ...(typeof wordCount === 'string' ? { wordCount } : {}),
  }
}
