/** `pulsing bench`: how fast this package is on this machine. */
import { VERSION } from '../base/version.ts'
import { benchmark, type Figure, serveBenchmark } from './benchmark.node.ts'
import { readNumber, readOptions, readToken, UsageError } from './command-line.node.ts'
import { type Column, table } from './table.ts'

const DEFAULT_SECONDS = 5

const USAGE = `Usage: pulsing bench [options]

Measures asks, tells and streams: in one process, and over a WebSocket on loopback to another. For figures of this
machine only: run nothing else beside it.

Options:
  --seconds <n>      How long it takes, about. Default ${DEFAULT_SECONDS}.
  --json             Print one JSON document instead of a table.
  -h, --help         Show this text.
`

const COLUMNS: readonly Column<Figure>[] = [
  { title: 'WHAT', cell: ({ what }) => what },
  { title: 'WHERE', cell: ({ where }) => where },
  { title: 'RATE', cell: ({ rate }) => rate },
  { title: 'UNIT', cell: ({ unit }) => unit },
]

export async function bench(args: string[]): Promise<void> {
  const values = readOptions(args, {
    seconds: { type: 'string' },
    json: { type: 'boolean' },
    // How it starts itself as the other process: not for people.
    'far-end': { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  const seconds = readNumber('--seconds', values.seconds, DEFAULT_SECONDS, 0.01)
  if (values['far-end']) {
    const token = readToken()
    if (!process.send || token === undefined) throw new UsageError('expected --far-end from pulsing bench itself')
    await serveBenchmark(token, (addr) => process.send!(addr))
    return
  }
  const figures = await benchmark(seconds * 1000)
  const platform = `${process.platform} ${process.arch}`
  if (values.json) {
    const document = { pulsing: VERSION, node: process.versions.node, platform, seconds, figures }
    process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`)
    return
  }
  process.stdout.write(`pulsing ${VERSION}, Node.js ${process.versions.node}, ${platform}\n`)
  process.stdout.write(table(COLUMNS, figures, 'nothing measured'))
}
