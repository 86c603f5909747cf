/** Addresses as people and errors write them: `actor://<node>/<id>`, `actor:///<name>`. */

/** The URI of one actor. */
export function actorUri(nodeId: string, actorId: string): string {
  return `actor://${nodeId}/${actorId}`
}

/** The URI of a name, on whatever nodes it lives. */
export function nameUri(name: string): string {
  return `actor:///${name}`
}

/** Characters a name may have; the longest one. */
export const MAX_NAME_LENGTH = 200
const NAME_PATTERN = /^[\p{L}\p{N}_][\p{L}\p{N}_\-.:/@ ]*$/u

/** What is wrong with `name` as an actor name, or undefined. */
export function nameProblem(name: unknown): string | undefined {
  if (typeof name !== 'string') return `expected an actor name as string, got ${typeof name}`
  if (name.length === 0 || name.length > MAX_NAME_LENGTH)
    return `expected an actor name of 1 to ${MAX_NAME_LENGTH} characters, got ${name.length}`
  if (!NAME_PATTERN.test(name))
    return `expected an actor name of letters, digits, "_", "-", ".", ":", "/", "@" and spaces, got ${JSON.stringify(name)}`
  if (name === 'system' || name.startsWith('system/'))
    return `expected an actor name outside "system/", which is reserved, got ${JSON.stringify(name)}`
  return undefined
}
