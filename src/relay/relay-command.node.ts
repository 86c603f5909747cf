/** `pulsing relay`: a relay that runs until it is told to end. */
import { INSPECTION_RULES, type InspectionRule } from '../cluster/inspection-rule.ts'
import { DEFAULT_MAX_CONNECTIONS } from '../transport/websocket/listener.node.ts'
import { readCount, readOptions, readToken, UsageError } from './command-line.node.ts'
import { DEFAULT_RELAY_HOST, DEFAULT_RELAY_PORT, startRelay } from './relay.node.ts'

const USAGE = `Usage: pulsing relay [options]

Starts a relay and prints its address. Ends on SIGINT or SIGTERM, after what was sent has left.

Options:
  --host <address>   Address to bind; 0.0.0.0 for all. Default ${DEFAULT_RELAY_HOST}.
  --port <number>    Port to bind; 0 for any free one. Default ${DEFAULT_RELAY_PORT}.
  --advertise <addr> Where other relays find this one, if not where it listens:
                     host:port, or wss://host behind a TLS proxy. With
                     --host 0.0.0.0, relays are not linked without it.
  --seed <address>   Another relay to join, ws://host:port. May be repeated.
  --origin <origin>  A web origin whose pages may connect, or '*'. May be repeated.
                     Default: pages of this machine only.
  --max-connections <number>
                     Most connections at a time. Default ${DEFAULT_MAX_CONNECTIONS}.
  --inspect <who>    Who is told about the cluster through this relay: ${INSPECTION_RULES.join(', ')}.
                     Default this-machine.
  --management       Lets them stop actors too.
  --authority        Grants exclusive names: on one relay of a cluster.
  -h, --help         Show this text.

Environment:
  PULSING_TOKEN      A token every neighbour must show.
`

export async function runRelay(args: string[]): Promise<void> {
  const values = readOptions(args, {
    host: { type: 'string' },
    port: { type: 'string' },
    advertise: { type: 'string' },
    seed: { type: 'string', multiple: true },
    origin: { type: 'string', multiple: true },
    'max-connections': { type: 'string' },
    inspect: { type: 'string' },
    management: { type: 'boolean' },
    authority: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  const token = readToken()
  const inspect = readRule(values.inspect)
  const maxConnections = readCount('--max-connections', values['max-connections'])
  const running = await startRelay({
    host: values.host ?? DEFAULT_RELAY_HOST,
    port: readPort(values.port),
    ...(values.advertise === undefined ? {} : { advertise: values.advertise }),
    ...(values.seed ? { seeds: values.seed } : {}),
    ...(values.origin ? { origins: values.origin.includes('*') ? '*' : values.origin } : {}),
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(inspect ? { inspect } : {}),
    management: values.management === true,
    authority: values.authority === true,
    ...(token ? { auth: { token } } : {}),
  })
  process.stdout.write(`relay listening on ${running.url}\n`)
  if (values.advertise !== undefined) {
    const { addr } = running.system.members().find(({ isSelf }) => isSelf)!
    process.stdout.write(`others are told ${addr}\n`)
  }
  const end = (signal: string): void => {
    process.stdout.write(`${signal}: closing\n`)
    void running.close().then(() => process.stdout.write('closed\n'))
  }
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
}

function readPort(text: string | undefined): number {
  if (text === undefined) return DEFAULT_RELAY_PORT
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw new UsageError(`expected --port as a number from 0 to 65535, got '${text}'`)
  return port
}

function readRule(text: string | undefined): InspectionRule | undefined {
  const rule = INSPECTION_RULES.find((each) => each === text)
  if (text !== undefined && !rule)
    throw new UsageError(`expected --inspect as one of ${INSPECTION_RULES.join(', ')}, got '${text}'`)
  return rule
}
