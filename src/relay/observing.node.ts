/** What `pulsing actors` and `pulsing inspect` have in common: options, connecting, and printing a table or JSON. */
import { ClusterView, type View } from './cluster-view.node.ts'
import { shortNodeId } from './columns.node.ts'
import { readAddress, readNumber, readToken } from './command-line.node.ts'
import { DEFAULT_OBSERVE_TIMEOUT_MS, observe } from './observer.node.ts'
import { type Column, filtered, table } from './table.ts'

export const DEFAULT_TIMEOUT_SECONDS: number = DEFAULT_OBSERVE_TIMEOUT_MS / 1000

export const OBSERVING_OPTIONS = {
  addr: { type: 'string' },
  json: { type: 'boolean' },
  timeout: { type: 'string' },
  filter: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

export const OBSERVING_USAGE = `  --addr <address>   A relay, or any node that listens, ws://host:port. Required.
  --json             Print one JSON document instead of a table.
  --filter <text>    Only rows in which the text occurs, in any case.
  --timeout <s>      Seconds to wait for each answer. Default ${DEFAULT_TIMEOUT_SECONDS}.
  -h, --help         Show this text.

Environment:
  PULSING_TOKEN      A token to show, where the relay wants one.

The relay tells programs of its own machine; others only where it was started with --inspect all. Whoever looks is no
member of the cluster.
`

/** Connects, lets `look` look, and disconnects, whatever happens. */
export async function observing<T>(
  values: { readonly addr?: string | undefined; readonly timeout?: string | undefined },
  look: (view: ClusterView, nodeId: string) => Promise<T>,
): Promise<T> {
  const addr = readAddress(values.addr)
  const timeoutMs = readNumber('--timeout', values.timeout, DEFAULT_TIMEOUT_SECONDS, 0.001) * 1000
  const observer = await observe(addr, { token: readToken(), timeoutMs })
  try {
    return await look(new ClusterView(observer), observer.nodeId)
  } finally {
    await observer.close()
  }
}

/** Prints rows; members that did not answer are named on stderr, each in one line. */
export function print<Row>(
  { rows, failures }: View<Row>,
  columns: readonly Column<Row>[],
  { json, filter, empty }: { json?: boolean | undefined; filter?: string | undefined; empty: string },
): void {
  const shown = filter === undefined ? rows : filtered(columns, rows, filter)
  process.stdout.write(json ? `${JSON.stringify(shown, undefined, 2)}\n` : table(columns, shown, empty))
  for (const { nodeId, error } of failures) warn(nodeId, error)
}

export function warn(nodeId: string, error: Error): void {
  process.stderr.write(`pulsing: node ${shortNodeId(nodeId)} does not answer: ${error.message}\n`)
}
