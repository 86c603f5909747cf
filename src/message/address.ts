/**
 * Addresses as people and errors write them: `actor:///<name>` for a name on whatever nodes it lives,
 * `actor:///<name>@<node>` for the one of a node, `actor://<node>/<id>` for one actor. In the place of a node's id,
 * `localhost`, or `0`, is the node that reads it. What is `@`, `%` or a space in a name is written `%40`, `%25` and `%20`,
 * so that every name has an address, and every address means one thing.
 */
import { ConfigError, describe } from '../base/errors.ts'
import { isId } from '../base/ids.ts'

/** What every URI begins with, and no name. */
export const ACTOR_SCHEME = 'actor://'
/** The node that reads the address. */
export const LOCALHOST = 'localhost'

/** A name, of any node or of one. */
export interface NameAddress {
  readonly name: string
  /** A node's id, or {@link LOCALHOST}. */
  readonly node?: string
}

/** One actor, wherever its node is. */
export interface ActorAddress {
  /** A node's id, or {@link LOCALHOST}. */
  readonly node: string
  readonly actorId: string
}

/** The URI of one actor. */
export function actorUri(nodeId: string, actorId: string): string {
  return `${ACTOR_SCHEME}${nodeId}/${actorId}`
}

/** The URI of a name, on whatever nodes it lives, or on one. */
export function nameUri(name: string, node?: string): string {
  const path = name.replace(/[%@ ]/g, (character) => ESCAPES[character]!)
  return `${ACTOR_SCHEME}/${path}${node === undefined ? '' : `@${node}`}`
}

const ESCAPES: Readonly<Record<string, string>> = { '%': '%25', '@': '%40', ' ': '%20' }

/** Whether `text` is to be read as a URI: everything else is a name. */
export function isActorUri(text: unknown): text is string {
  return typeof text === 'string' && text.startsWith(ACTOR_SCHEME)
}

/** What an `actor://` URI means. @throws ConfigError naming the first thing that is wrong */
export function parseActorUri(uri: string): NameAddress | ActorAddress {
  const refuse = (expected: string): never => {
    throw new ConfigError(`expected ${expected}, got ${describe(uri)}`)
  }
  if (!isActorUri(uri)) return refuse(`a URI that begins with ${ACTOR_SCHEME}`)
  const rest = uri.slice(ACTOR_SCHEME.length)
  const slash = rest.indexOf('/')
  if (slash < 0) return refuse('a path behind the node of the URI')
  const authority = nodeOf(rest.slice(0, slash))
  const path = rest.slice(slash + 1)
  if (path === '') return refuse(authority === '' ? 'a name in the URI' : 'an actor id in the URI')
  if (authority !== '') {
    if (!isNode(authority)) return refuse(`a node id or "${LOCALHOST}" behind ${ACTOR_SCHEME}`)
    if (!isActorId(path)) return refuse(`an actor id behind the node (a name is written ${ACTOR_SCHEME}/<name>@<node>)`)
    return { node: authority, actorId: path }
  }
  const [encoded = '', on, ...more] = path.split('@')
  const node = on === undefined ? undefined : nodeOf(on)
  if (more.length > 0) return refuse('at most one "@" in the URI (in a name it is written %40)')
  if (node !== undefined && !isNode(node))
    return refuse(`a node id or "${LOCALHOST}" behind the "@" of the URI (in a name it is written %40)`)
  const name = decoded(encoded)
  if (name === undefined) return refuse('escapes like %40 behind every "%" of the URI')
  const problem = textProblem(name)
  if (problem) throw new ConfigError(`${problem}, in ${describe(uri)}`)
  return node === undefined ? { name } : { name, node }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** As Pulsing writes it, `0` is the node that reads the address. */
function nodeOf(text: string): string {
  return text === '0' ? LOCALHOST : text
}

function isNode(text: string): boolean {
  return text === LOCALHOST || isId(text)
}

/** Actors of the framework have their name as their id. */
function isActorId(text: string): boolean {
  return isId(text) || (isReservedName(text) && textProblem(text) === undefined)
}

/** Whether the framework keeps a name to itself. */
export function isReservedName(name: string): boolean {
  return name === 'system' || name.startsWith('system/')
}

/** Characters a name may have; the longest one. */
export const MAX_NAME_LENGTH = 200
const NAME_PATTERN = /^[\p{L}\p{N}_][\p{L}\p{N}_\-.:/@ ]*$/u

/** What is wrong with `name` as an actor name, or undefined. */
export function nameProblem(name: unknown): string | undefined {
  if (typeof name !== 'string') return `expected an actor name as string, got ${typeof name}`
  if (isActorUri(name))
    return `expected an actor name that does not begin with ${ACTOR_SCHEME}, as URIs do, got ${JSON.stringify(name)}`
  const problem = textProblem(name)
  if (problem) return problem
  if (isReservedName(name))
    return `expected an actor name outside "system/", which is reserved, got ${JSON.stringify(name)}`
  return undefined
}

function textProblem(name: string): string | undefined {
  if (name.length === 0 || name.length > MAX_NAME_LENGTH)
    return `expected an actor name of 1 to ${MAX_NAME_LENGTH} characters, got ${name.length}`
  if (!NAME_PATTERN.test(name))
    return `expected an actor name of letters, digits, "_", "-", ".", ":", "/", "@" and spaces, got ${JSON.stringify(name)}`
  if (/\/(\/|$)/.test(name))
    return `expected an actor name with something before and behind every "/", got ${JSON.stringify(name)}`
  return undefined
}
