/** `pulsing inspect watch`: looks again and again, and prints what is different. Ends after its rounds, or by a signal. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Change, Changes, changeLine, type Sighting } from './changes.ts'
import type { ClusterView } from './cluster-view.node.ts'
import { shortNodeId } from './columns.node.ts'
import { warn } from './observing.node.ts'

/** Seconds between two looks unless told otherwise. */
export const DEFAULT_INTERVAL_SECONDS = 1

export interface WatchOptions {
  readonly all: boolean
  readonly intervalMs: number
  /** Undefined: until a signal. */
  readonly maxRounds: number | undefined
  readonly json: boolean
  readonly filter: string | undefined
}

/** Settles after the last look; SIGINT and SIGTERM make the current one the last. */
export async function watch(view: ClusterView, options: WatchOptions): Promise<void> {
  const { intervalMs, maxRounds = Infinity } = options
  const changes = new Changes()
  const ended = new AbortController()
  const end = (): void => ended.abort()
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  let silent: ReadonlySet<string> = new Set()
  try {
    for (let round = 1; ; round++) {
      silent = await look(view, changes, silent, options)
      if (round >= maxRounds || ended.signal.aborted) return
      await pause(intervalMs, undefined, { signal: ended.signal }).catch(() => undefined)
      if (ended.signal.aborted) return
    }
  } finally {
    process.off('SIGINT', end)
    process.off('SIGTERM', end)
  }
}

/** One look; the nodes that did not answer, each of which is told of once. */
async function look(
  view: ClusterView,
  changes: Changes,
  wereSilent: ReadonlySet<string>,
  { all, json, filter }: WatchOptions,
): Promise<ReadonlySet<string>> {
  const members = await view.members()
  const { rows, failures } = await view.actors(all)
  for (const { nodeId, error } of failures) if (!wereSilent.has(nodeId)) warn(nodeId, error)
  const nodes = members.map(({ nodeId, kind, status, addr }): Sighting => {
    const value = { nodeId, kind, status, ...(addr === undefined ? {} : { addr }) }
    const text = `${shortNodeId(nodeId)} ${kind} ${status}${addr === undefined ? '' : ` ${addr}`}`
    return { what: 'node', key: nodeId, nodeId, text, value }
  })
  const actors = rows.map(({ mailbox: _, ...actor }): Sighting => {
    const { nodeId, id, name, isPublic } = actor
    const text = `${shortNodeId(nodeId)} ${id}${name === undefined ? '' : ` ${name}`}${isPublic ? ' public' : ''}`
    return { what: 'actor', key: `${nodeId}/${id}`, nodeId, text, value: actor }
  })
  const silent = new Set(failures.map(({ nodeId }) => nodeId))
  for (const change of changes.look([...nodes, ...actors], silent))
    if (filter === undefined || change.text.toLowerCase().includes(filter.toLowerCase())) write(change, json)
  return silent
}

function write(change: Change, json: boolean): void {
  const { what, value } = change
  const line = json ? JSON.stringify({ change: change.change, [what]: value }) : changeLine(change)
  process.stdout.write(`${line}\n`)
}
