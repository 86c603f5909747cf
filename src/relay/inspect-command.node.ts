/** `pulsing inspect`: a whole cluster through one of its relays, once or for as long as it takes. */
import { ACTOR_COLUMNS, MEMBER_COLUMNS, METRICS_COLUMNS } from './columns.node.ts'
import { readCount, readNumber, readOptions, UsageError } from './command-line.node.ts'
import { OBSERVING_OPTIONS, OBSERVING_USAGE, observing, print } from './observing.node.ts'
import { DEFAULT_INTERVAL_SECONDS, watch } from './watching.node.ts'

const USAGE = `Usage: pulsing inspect <what> --addr <address> [options]

What:
  cluster            The members.
  actors             The actors of all members, those with the most waiting messages first.
  metrics            What every member counts.
  watch              One line for every node and actor that comes (+), changes (~) or goes (-), first for all that is there.

Options:
  --all              actors, watch: also actors of the framework, and those whose names begin with '_'.
  --interval <s>     watch: seconds between two looks. Default ${DEFAULT_INTERVAL_SECONDS}.
  --max-rounds <n>   watch: ends after so many looks. Default: only by a signal. With --json, one JSON document a line.
${OBSERVING_USAGE}`

const OPTIONS = {
  ...OBSERVING_OPTIONS,
  all: { type: 'boolean' },
  interval: { type: 'string' },
  'max-rounds': { type: 'string' },
} as const

export async function inspect(args: string[]): Promise<void> {
  const [what, ...rest] = args
  if (what === undefined || what === '-h' || what === '--help') {
    process.stdout.write(USAGE)
    return
  }
  if (!['cluster', 'actors', 'metrics', 'watch'].includes(what))
    throw new UsageError(`expected pulsing inspect cluster, actors, metrics or watch, got '${what}'`)
  const values = readOptions(rest, OPTIONS)
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  const all = values.all === true
  const intervalMs = readNumber('--interval', values.interval, DEFAULT_INTERVAL_SECONDS, 0.01) * 1000
  const maxRounds = readCount('--max-rounds', values['max-rounds'])
  await observing(values, async (view) => {
    switch (what) {
      case 'cluster':
        print(await view.cluster(), MEMBER_COLUMNS, { ...values, empty: 'no members' })
        break
      case 'metrics':
        print(await view.metrics(), METRICS_COLUMNS, { ...values, empty: 'no members' })
        break
      case 'actors': {
        const { rows, failures } = await view.actors(all)
        const byWaiting = [...rows].sort((a, b) => b.mailbox - a.mailbox)
        print({ rows: byWaiting, failures }, ACTOR_COLUMNS, { ...values, empty: 'no actors' })
        break
      }
      default:
        await watch(view, { all, intervalMs, maxRounds, json: values.json === true, filter: values.filter })
    }
  })
}
