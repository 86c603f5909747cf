/** What the tables of the command show of nodes and actors. Ids are cut: enough to tell them apart, and to ask again. */
import type { ListedActor, MemberView, NodeMetricsView } from './cluster-view.node.ts'
import { type Column, duration } from './table.ts'

/** Characters of a node's id in a table. */
const SHOWN_NODE_ID_LENGTH = 8

export function shortNodeId(nodeId: string): string {
  return nodeId.slice(0, SHOWN_NODE_ID_LENGTH)
}

export const MEMBER_COLUMNS: readonly Column<MemberView>[] = [
  { title: 'NODE', cell: ({ nodeId }) => shortNodeId(nodeId) },
  { title: 'KIND', cell: ({ kind }) => kind },
  { title: 'STATUS', cell: ({ status }) => status },
  { title: 'ADDRESS', cell: ({ addr }) => addr },
  { title: 'VERSION', cell: ({ version }) => version },
  { title: 'UPTIME', cell: ({ uptimeMs }) => (uptimeMs === undefined ? undefined : duration(uptimeMs)) },
  { title: 'HOSTS', cell: ({ classes }) => classes?.join(' ') },
]

export const ACTOR_COLUMNS: readonly Column<ListedActor>[] = [
  { title: 'NODE', cell: ({ nodeId }) => shortNodeId(nodeId) },
  { title: 'ID', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'PUBLIC', cell: ({ isPublic }) => (isPublic ? 'yes' : 'no') },
  { title: 'MAILBOX', cell: ({ mailbox }) => mailbox },
  {
    title: 'METADATA',
    cell: ({ metadata }) =>
      Object.entries(metadata)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
  },
]

export const METRICS_COLUMNS: readonly Column<NodeMetricsView>[] = [
  { title: 'NODE', cell: ({ nodeId }) => shortNodeId(nodeId) },
  { title: 'ACTORS', cell: ({ actors }) => actors },
  { title: 'MESSAGES', cell: ({ messages }) => messages },
  { title: 'CREATED', cell: ({ created }) => created },
  { title: 'STOPPED', cell: ({ stopped }) => stopped },
  { title: 'RESTARTED', cell: ({ restarted }) => restarted },
  { title: 'DEAD LETTERS', cell: ({ deadLetters }) => deadLetters },
  { title: 'ASKS', cell: ({ asks }) => asks },
  { title: 'STREAMS', cell: ({ streams }) => streams },
  { title: 'MEMBERS', cell: ({ members }) => members },
  { title: 'UPTIME', cell: ({ uptimeMs }) => duration(uptimeMs) },
]
