/** The `pulsing` command. */
import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'
import { isPulsingError } from '../base/errors.ts'
import { DEFAULT_RELAY_HOST, DEFAULT_RELAY_PORT, startRelay } from './relay.node.ts'

const USAGE = `Usage: pulsing <command> [options]

Commands:
  relay    Start a relay: tabs, workers and processes reach each other through it.

Options:
  -h, --help     Show this text, or that of a command.
  -v, --version  Show the version.
`

const RELAY_USAGE = `Usage: pulsing relay [options]

Starts a relay and prints its address. Ends on SIGINT or SIGTERM, after what was sent has left.

Options:
  --host <address>   Address to bind; 0.0.0.0 for all. Default ${DEFAULT_RELAY_HOST}.
  --port <number>    Port to bind; 0 for any free one. Default ${DEFAULT_RELAY_PORT}.
  --seed <address>   Another relay to join, ws://host:port. May be repeated.
  --origin <origin>  A web origin whose pages may connect, or '*'. May be repeated.
                     Default: pages of this machine only.
  -h, --help         Show this text.

Environment:
  PULSING_TOKEN      A token every neighbour must show.
`

/** Wrong use of the command: what was expected, and what was got. */
class UsageError extends Error {}

main(process.argv.slice(2)).catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`pulsing: ${message}\n`)
  if (error instanceof UsageError) process.stderr.write(`Try 'pulsing --help'.\n`)
  else if (!isPulsingError(error)) process.stderr.write(`${error instanceof Error ? error.stack : ''}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
})

async function main(args: string[]): Promise<void> {
  const [command, ...rest] = args
  switch (command) {
    case 'relay':
      return relay(rest)
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
      throw new UsageError(`expected the command relay, got '${command}'`)
  }
}

function version(): string {
  const manifest: unknown = createRequire(import.meta.url)('../../package.json')
  return (manifest as { version: string }).version
}

async function relay(args: string[]): Promise<void> {
  const { values } = parse(args)
  if (values.help) {
    process.stdout.write(RELAY_USAGE)
    return
  }
  const token = process.env['PULSING_TOKEN']
  const running = await startRelay({
    host: values.host ?? DEFAULT_RELAY_HOST,
    port: readPort(values.port),
    ...(values.seed ? { seeds: values.seed } : {}),
    ...(values.origin ? { origins: values.origin.includes('*') ? '*' : values.origin } : {}),
    ...(token ? { auth: { token } } : {}),
  })
  process.stdout.write(`relay listening on ${running.url}\n`)
  const end = (signal: string): void => {
    process.stdout.write(`${signal}: closing\n`)
    void running.close().then(() => process.stdout.write('closed\n'))
  }
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
}

function parse(args: string[]): {
  values: { host?: string; port?: string; seed?: string[]; origin?: string[]; help?: boolean }
} {
  try {
    return parseArgs({
      args,
      options: {
        host: { type: 'string' },
        port: { type: 'string' },
        seed: { type: 'string', multiple: true },
        origin: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function readPort(text: string | undefined): number {
  if (text === undefined) return DEFAULT_RELAY_PORT
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw new UsageError(`expected --port as a number from 0 to 65535, got '${text}'`)
  return port
}
