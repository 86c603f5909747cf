/** `pulsing actors`: the actors of one node. */
import { ACTOR_COLUMNS } from './columns.node.ts'
import { readOptions, UsageError } from './command-line.node.ts'
import { OBSERVING_OPTIONS, OBSERVING_USAGE, observing, print } from './observing.node.ts'

const USAGE = `Usage: pulsing actors --addr <address> [options]

Lists the actors of a node. \`pulsing inspect actors\` lists those of all nodes.

Options:
  --node=<id>        The node, by the beginning of its id. Default: the one at the address.
  --all              Also actors of the framework, and those whose names begin with '_'.
${OBSERVING_USAGE}`

export async function listActors(args: string[]): Promise<void> {
  const values = readOptions(args, {
    ...OBSERVING_OPTIONS,
    all: { type: 'boolean' },
    node: { type: 'string' },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  await observing(values, async (view, relay) => {
    const nodeId = values.node === undefined ? relay : (await view.member(values.node))?.nodeId
    if (nodeId === undefined)
      throw new UsageError(`expected --node as the beginning of one member's id, got '${values.node}'`)
    const rows = await view.actorsOf(nodeId, values.all === true)
    print({ rows, failures: [] }, ACTOR_COLUMNS, { ...values, empty: 'no actors' })
  })
}
