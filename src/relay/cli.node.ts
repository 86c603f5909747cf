/** The `pulsing` command: which of its commands is meant, and how errors end it. */
import { createRequire } from 'node:module'
import { isPulsingError } from '../base/errors.ts'
import { listActors } from './actors-command.node.ts'
import { UsageError } from './command-line.node.ts'
import { inspect } from './inspect-command.node.ts'
import { runRelay } from './relay-command.node.ts'

const USAGE = `Usage: pulsing <command> [options]

Commands:
  relay    Start a relay: tabs, workers and processes reach each other through it.
  actors   List the actors of a node.
  inspect  Show members, actors and metrics of a whole cluster, or watch it.
  bench    Measure asks, tells and streams on this machine.

Options:
  -h, --help     Show this text, or that of a command.
  -v, --version  Show the version.
`

for (const output of [process.stdout, process.stderr])
  output.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read it, as `head` does, wants no more. A relay is there for others, and goes on.
    if (error.code !== 'EPIPE') throw error
    if (process.argv[2] !== 'relay') process.exit()
  })

main(process.argv.slice(2)).catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`pulsing: ${message}\n`)
  if (error instanceof UsageError) process.stderr.write(`Try 'pulsing --help'.\n`)
  else if (!isPulsingError(error)) process.stderr.write(`${error instanceof Error ? error.stack : ''}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
  // At once: a connection to somebody who hangs would be waited for.
  process.stderr.write('', () => process.exit())
})

async function main(args: string[]): Promise<void> {
  const [command, ...rest] = args
  switch (command) {
    case 'relay':
      return runRelay(rest)
    case 'actors':
      return listActors(rest)
    case 'inspect':
      return inspect(rest)
    case 'bench':
      return (await import('./bench-command.node.ts')).bench(rest)
    case undefined:
    case '-h':
    case '--help':
    case 'help':
      process.stdout.write(USAGE)
      return
    case '-v':
    case '--version':
      process.stdout.write(`${version()}\n`)
      return
    default:
      throw new UsageError(`expected one of the commands relay, actors, inspect, bench, got '${command}'`)
  }
}

function version(): string {
  const manifest: unknown = createRequire(import.meta.url)('../../package.json')
  return (manifest as { version: string }).version
}
