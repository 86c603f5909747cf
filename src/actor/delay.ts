/** How long to wait, as given by a program. */
import { ConfigError, describe } from '../base/errors.ts'

/** @throws ConfigError when `ms` is no number of milliseconds, or less than `least` */
export function checkDelay(what: string, ms: unknown, least: number): void {
  if (typeof ms !== 'number' || !(ms >= least))
    throw new ConfigError(`expected ${what} as a number of milliseconds, got ${describe(ms)}`)
}
