/** What the commands share in reading their arguments: wrong use of any of them ends in a `UsageError`. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { MAX_TOKEN_LENGTH } from '../link/auth-setting.ts'

/** Wrong use of the command: what was expected, and what was got. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>

/** The values of a command that takes options only. @throws UsageError for anything else */
export function readOptions<O extends Options>(
  args: string[],
  options: O,
): ReturnType<typeof parseArgs<{ options: O }>>['values'] {
  try {
    return parseArgs({ args, options }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** The address to ask, from `--addr`. @throws UsageError */
export function readAddress(text: string | undefined): string {
  if (text === undefined) throw new UsageError('expected --addr with the address of a relay, got none')
  const address = text.includes('://') ? text : `ws://${text}`
  const url = URL.canParse(address) ? new URL(address) : undefined
  const isDialable = url && /^wss?:$/.test(url.protocol) && url.hostname !== '' && url.username === '' && !url.hash
  if (!isDialable || url.port === '0')
    throw new UsageError(`expected --addr as ws://host:port or wss://host:port, got '${text}'`)
  return address
}

/** A number of at least `min`, with `scale` for each. @throws UsageError */
export function readNumber(option: string, text: string | undefined, standard: number, min: number): number {
  if (text === undefined) return standard
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= min && number <= MAX_SECONDS))
    throw new UsageError(`expected ${option} as a number from ${min} to ${MAX_SECONDS}, got '${text}'`)
  return number
}

/** A whole number from 1. @throws UsageError */
export function readCount(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`expected ${option} as a whole number from 1, got '${text}'`)
  return Number(text)
}

/** The token to show, from the environment; empty is none. @throws UsageError for one that cannot be shown */
export function readToken(): string | undefined {
  const token = process.env['PULSING_TOKEN']
  if (token === undefined || token === '') return undefined
  if (token.length > MAX_TOKEN_LENGTH || /[^ -~]/.test(token))
    throw new UsageError(`expected PULSING_TOKEN of at most ${MAX_TOKEN_LENGTH} printable ASCII characters`)
  return token
}

/** A day: more than that waits for nothing. */
const MAX_SECONDS = 86_400
