/** What a node is told at birth. Immutable: every `with…` returns a new configuration. */
import { DEFAULT_MAILBOX_CAPACITY, MAX_MAILBOX_CAPACITY, MIN_MAILBOX_CAPACITY } from './actor/mailbox.ts'
import type { Logger } from './actor/system-events.ts'
import type { Clock } from './base/clock.ts'
import { systemClock } from './base/clock.ts'
import { ConfigError, describe } from './base/errors.ts'
import type { Random } from './base/random.ts'
import { systemRandom } from './base/random.ts'
import type { InspectionRule } from './cluster/inspection-rule.ts'
import { INSPECTION_RULES } from './cluster/inspection-rule.ts'
import { DEFAULT_LEASE_MS } from './cluster/lease-table.ts'
import { hasWildcardHost } from './cluster/wildcard.ts'
import type { Auth } from './link/auth-setting.ts'
import { authProblem, sealed } from './link/auth-setting.ts'
import type { Transport } from './link/connection.ts'
import { typeNameOf } from './proxy/as-actor.ts'

/** Bounds that protect a node, for {@link SystemConfig.withLimits}. */
export interface Limits {
  /**
   * Largest message to or from another node, in bytes, the same on all nodes. Default
   * {@link DEFAULT_MAX_MESSAGE_BYTES}, at most {@link MAX_MESSAGE_BYTES}.
   */
  readonly maxMessageBytes: number
  /**
   * How long `createActorSystem` waits to join its seeds, in milliseconds, before it rejects with PulsingTimeoutError.
   * Default Infinity.
   */
  readonly joinTimeoutMs: number
  /**
   * How long a node that cannot be reached stays a member, and what is pending with it waits for a way there, in
   * milliseconds, before it fails. Default {@link DEFAULT_SESSION_GRACE_MS}.
   */
  readonly sessionGraceMs: number
  /**
   * The same for a page that was hidden when it was last heard of, in milliseconds: browsers put hidden pages to sleep.
   * Default {@link DEFAULT_HIDDEN_GRACE_MS}; not less than `sessionGraceMs` counts.
   */
  readonly hiddenGraceMs: number
  /**
   * Which nodes, apart from itself, this node tells about itself and its actors: `this-machine`, relays, and neighbours
   * whose link comes from this machine; `relays`; `all`, every node of the cluster; or `none`. Default {@link DEFAULT_INSPECT}.
   */
  readonly inspect: InspectionRule
  /** Whether those nodes may also stop actors of this one. Default false: only itself may, and relays where `withAuth` is set. */
  readonly management: boolean
}

/** Whom a node tells about itself unless `withLimits` says otherwise. */
export const DEFAULT_INSPECT = 'this-machine'

/** Largest message in bytes unless `withLimits` says otherwise: 16 MiB. */
export const DEFAULT_MAX_MESSAGE_BYTES: number = 16 * 1024 * 1024
/** The largest it can be set to: 1 GiB. */
export const MAX_MESSAGE_BYTES: number = 1024 * 1024 * 1024

/** How long a session waits for a way to its peer unless `withLimits` says otherwise, in milliseconds. */
export const DEFAULT_SESSION_GRACE_MS = 60_000

/** How long a hidden page may be away unless `withLimits` says otherwise, in milliseconds: 5 minutes. */
export const DEFAULT_HIDDEN_GRACE_MS = 300_000

/** This node's part in exclusive names, for {@link SystemConfig.withExclusiveNames}. */
export interface ExclusiveNamesOptions {
  /** Whether this node grants them. Default false. Only one node of a cluster may. */
  readonly authority?: boolean
  /**
   * How long one is granted for, in milliseconds, {@link MIN_LEASE_MS} to {@link MAX_LEASE_MS}: as long as a name stays
   * taken whose node is gone, and as an authority grants nothing after its start. Default {@link DEFAULT_LEASE_MS}. Only
   * the authority's counts. Shorten it only where no authority has run for one lease of the old length.
   */
  readonly leaseMs?: number
}

/** The shortest lease of an exclusive name, in milliseconds. */
export const MIN_LEASE_MS = 1_000
/** The longest, in milliseconds. */
export const MAX_LEASE_MS = 600_000

/** All that a configuration holds. */
export interface Settings {
  readonly addr: string | undefined
  /** With scheme and port; port 0 is the bound one. */
  readonly advertisedAddr: string | undefined
  readonly seeds: readonly string[]
  readonly transports: readonly Transport[]
  readonly classes: readonly object[]
  readonly auth: Auth | undefined
  readonly mailboxCapacity: number
  readonly limits: Limits
  readonly exclusiveNames: Required<ExclusiveNamesOptions>
  readonly logger: Logger
  readonly clock: Clock
  readonly random: Random
}

const DEFAULTS: Settings = {
  addr: undefined,
  advertisedAddr: undefined,
  seeds: [],
  transports: [],
  classes: [],
  auth: undefined,
  mailboxCapacity: DEFAULT_MAILBOX_CAPACITY,
  limits: {
    maxMessageBytes: DEFAULT_MAX_MESSAGE_BYTES,
    joinTimeoutMs: Infinity,
    sessionGraceMs: DEFAULT_SESSION_GRACE_MS,
    hiddenGraceMs: DEFAULT_HIDDEN_GRACE_MS,
    inspect: DEFAULT_INSPECT,
    management: false,
  },
  exclusiveNames: { authority: false, leaseMs: DEFAULT_LEASE_MS },
  logger: {
    debug: () => undefined,
    info: () => undefined,
    warn: (message, ...details) => console.warn(`pulsing: ${message}`, ...details),
    error: (message, ...details) => console.error(`pulsing: ${message}`, ...details),
  },
  clock: systemClock,
  random: systemRandom,
}

/**
 * Configuration of one node. Immutable: every `with…` returns a new one, and throws ConfigError at once for what is
 * wrong.
 *
 * @example
 * ```ts
 * import { createActorSystem, SystemConfig } from 'pulsing'
 *
 * const config = SystemConfig.withAddr('ws://127.0.0.1:0')
 *   .withMailboxCapacity(1_000)
 *   .withLimits({ maxMessageBytes: 1024 * 1024 })
 *   .withAuth({ token: 'secret' })
 * const system = await createActorSystem(config)
 * await system.shutdown()
 * ```
 */
export class SystemConfig {
  /** @internal */
  readonly settings: Settings

  private constructor(settings: Settings) {
    this.settings = settings
  }

  /** No listener, no seeds: a node that talks to others only after `ActorSystem.connect`. */
  static standalone(): SystemConfig {
    return new SystemConfig(DEFAULTS)
  }

  /**
   * Listens at `ws://host:port` or `host:port`; port 0 is any free port. Node.js only. Only `ws://` can be listened on,
   * and `createActorSystem` refuses `wss://` with ConfigError: for TLS use `startRelay({ server })` with an HTTPS
   * server.
   *
   * @throws ConfigError when the address has another form
   */
  static withAddr(addr: string): SystemConfig {
    return SystemConfig.standalone().withAddr(addr)
  }

  /** {@link SystemConfig.withSeeds} on a node that does not listen. */
  static withSeeds(seeds: readonly string[]): SystemConfig {
    return SystemConfig.standalone().withSeeds(seeds)
  }

  /** {@inheritDoc SystemConfig.withAddr} */
  withAddr(addr: string): SystemConfig {
    const problems: string[] = []
    const checked = checkedAddress(addr, 'bind address', problems)
    if (problems.length > 0) throw new ConfigError(problems)
    return this.#with({ addr: checked })
  }

  /**
   * What others are told to dial instead of the bound address: for a node bound to `0.0.0.0`, in a container, or behind
   * a TLS proxy. `members()` shows it as `addr`, and a seed equal to it is this node itself; `ActorSystem.addr` stays
   * the bound address. Default: the bound address.
   *
   * Nobody dials a node that is bound to `0.0.0.0` and advertises nothing, except as a seed: two such relays are never
   * linked. One that has seeds warns (`address-not-dialable`) when it starts.
   *
   * `host:port` or `host` is `ws://`, at the bound port if there is none; a URL without a port is at that of its scheme,
   * 80 or 443. Port 0 is always the bound port.
   *
   * @throws ConfigError when the address has another form or a host nobody can dial, as `0.0.0.0`, and when there is no
   * `withAddr` before
   *
   * @example
   * ```ts
   * import { SystemConfig } from 'pulsing'
   *
   * SystemConfig.withAddr('ws://0.0.0.0:8000').withAdvertisedAddr('10.0.0.7') // ws://10.0.0.7:8000
   * SystemConfig.withAddr('ws://0.0.0.0:8000').withAdvertisedAddr('wss://relay.example.org') // …:443
   * ```
   */
  withAdvertisedAddr(addr: string): SystemConfig {
    const problems = this.settings.addr === undefined ? ['expected withAddr before withAdvertisedAddr, got none'] : []
    const checked = checkedAddress(addr, 'advertised address', problems, true)
    if (problems.length > 0) throw new ConfigError(problems)
    return this.#with({ advertisedAddr: checked })
  }

  /**
   * Joins the cluster of any of these nodes, `ws://host:port`, `wss://host:port` or `host:port`; tried with backoff for
   * as long as the system lives. Replaces earlier seeds.
   *
   * @throws ConfigError naming every address that has another form, or port 0
   */
  withSeeds(seeds: readonly string[]): SystemConfig {
    if (!Array.isArray(seeds)) throw new ConfigError(`expected seeds as a list of addresses, got ${describe(seeds)}`)
    const problems: string[] = []
    const checked = seeds.map((seed, index) => {
      const what = `seed address at index ${index}`
      const address = checkedAddress(seed, what, problems)
      if (/:0(\/|$)/.test(address)) problems.push(`Invalid ${what}: expected a port from 1 to 65535, got 0`)
      return address
    })
    if (problems.length > 0) throw new ConfigError(problems)
    return this.#with({ seeds: checked })
  }

  /**
   * Adds transports beside WebSocket and MessagePort, which are always there; a transport of the same name replaces
   * them.
   *
   * @throws ConfigError for something that is no transport
   */
  withTransports(...transports: Transport[]): SystemConfig {
    const problems = transports.flatMap((transport, index) =>
      typeof transport === 'object' &&
      transport !== null &&
      typeof transport.name === 'string' &&
      typeof transport.handles === 'function'
        ? []
        : [`expected a Transport at index ${index}, got ${describe(transport)}`],
    )
    if (problems.length > 0) throw new ConfigError(problems)
    return this.#with({ transports: [...this.settings.transports, ...transports] })
  }

  /**
   * Lets other members create actors of these `asActor` classes here. Without it, none.
   *
   * @throws ConfigError for something that is no `asActor` class, or one without a type name
   */
  withActors(...classes: object[]): SystemConfig {
    const problems = classes.flatMap((Class, index) =>
      typeNameOf(Class) ? [] : [`expected an asActor class with a type name at index ${index}, got ${describe(Class)}`],
    )
    if (problems.length > 0) throw new ConfigError(problems)
    return this.#with({ classes: [...this.settings.classes, ...classes] })
  }

  /**
   * Shows a token to neighbours, and lets in only those that show one this node accepts. Default: everybody is let in.
   *
   * @throws ConfigError when there is neither a token nor `verify`, or one of them cannot be used
   */
  withAuth(auth: Auth): SystemConfig {
    const problem = authProblem(auth)
    if (problem) throw new ConfigError(problem)
    return this.#with({ auth: sealed(auth) })
  }

  /**
   * Messages a mailbox holds unless `spawn` says otherwise. Default {@link DEFAULT_MAILBOX_CAPACITY}.
   *
   * @throws ConfigError outside {@link MIN_MAILBOX_CAPACITY} to {@link MAX_MAILBOX_CAPACITY}
   */
  withMailboxCapacity(capacity: number): SystemConfig {
    if (!Number.isInteger(capacity) || capacity < MIN_MAILBOX_CAPACITY || capacity > MAX_MAILBOX_CAPACITY) {
      const size = Number.isInteger(capacity)
        ? `, which is too ${capacity < MIN_MAILBOX_CAPACITY ? 'small' : 'large'}`
        : ''
      throw new ConfigError(
        `expected mailbox capacity as an integer from ${MIN_MAILBOX_CAPACITY} to ${MAX_MAILBOX_CAPACITY}, got ${describe(capacity)}${size}`,
      )
    }
    return this.#with({ mailboxCapacity: capacity })
  }

  /**
   * Sets some of the {@link Limits}; the others stay.
   *
   * @throws ConfigError naming every unknown limit, and every value that is none of those it may have
   */
  withLimits(limits: Partial<Limits>): SystemConfig {
    if (typeof limits !== 'object' || limits === null)
      throw new ConfigError(`expected limits as an object, got ${describe(limits)}`)
    const problems = Object.entries(limits).flatMap(([name, value]) => {
      if (!Object.hasOwn(DEFAULTS.limits, name))
        return [`expected one of the limits ${Object.keys(DEFAULTS.limits).join(', ')}, got ${describe(name)}`]
      const problem = limitProblem(name, value)
      return problem ? [`expected limit ${name} as ${problem}, got ${describe(value)}`] : []
    })
    if ((limits.maxMessageBytes ?? 0) > MAX_MESSAGE_BYTES)
      problems.push(`expected maxMessageBytes of at most ${MAX_MESSAGE_BYTES}, got ${limits.maxMessageBytes}`)
    if (problems.length > 0) throw new ConfigError(problems)
    return this.#with({ limits: { ...this.settings.limits, ...limits } })
  }

  /**
   * Makes this node the authority that grants exclusive names: the one every `spawn` with `exclusive: true` in the
   * cluster asks. Use exactly one node that lives long, a relay; two that cannot see each other would both grant a name.
   *
   * @throws ConfigError for an option that is not as it must be
   *
   * @example
   * ```ts
   * import { createActorSystem, SystemConfig } from 'pulsing'
   *
   * const config = SystemConfig.standalone().withExclusiveNames({ authority: true, leaseMs: 1_000 })
   * const system = await createActorSystem(config)
   * const leader = { receive: (_msg: unknown, ctx: import('pulsing').ActorContext) => ctx.fencingToken }
   * const ref = await system.spawn(leader, 'leader', { public: true, exclusive: true })
   * await ref.ask('token') // a positive integer
   * await system.shutdown()
   * ```
   */
  withExclusiveNames(options: ExclusiveNamesOptions): SystemConfig {
    if (typeof options !== 'object' || options === null)
      throw new ConfigError(`expected options as an object, got ${describe(options)}`)
    const { authority = false, leaseMs = DEFAULT_LEASE_MS } = options
    const problems: string[] = []
    if (typeof authority !== 'boolean') problems.push(`expected authority as true or false, got ${describe(authority)}`)
    if (!(typeof leaseMs === 'number' && leaseMs >= MIN_LEASE_MS && leaseMs <= MAX_LEASE_MS))
      problems.push(`expected leaseMs from ${MIN_LEASE_MS} to ${MAX_LEASE_MS} milliseconds, got ${describe(leaseMs)}`)
    if (problems.length > 0) throw new ConfigError(problems)
    return this.#with({ exclusiveNames: { authority, leaseMs } })
  }

  /**
   * Where log lines go. Default: the console, warnings and errors only.
   *
   * @throws ConfigError when one of the four methods is missing
   */
  withLogger(logger: Logger): SystemConfig {
    const missing = (['debug', 'info', 'warn', 'error'] as const).filter(
      (level) => typeof logger?.[level] !== 'function',
    )
    if (missing.length > 0)
      throw new ConfigError(
        `expected a logger with debug, info, warn and error, got ${describe(logger)} without ${missing.join(', ')}`,
      )
    return this.#with({ logger })
  }

  /**
   * Whose time it is: for tests, the testkit's ManualClock. Default: the platform's.
   *
   * @throws ConfigError for something that is no clock
   */
  withClock(clock: Clock): SystemConfig {
    if (typeof clock?.now !== 'function' || typeof clock.setTimer !== 'function')
      throw new ConfigError(`expected a clock with now and setTimer, got ${describe(clock)}`)
    return this.#with({ clock })
  }

  /**
   * Where chance comes from: jitter, and choices among equals; never ids. For tests, the testkit's `seededRandom`.
   * Default: `Math.random`.
   *
   * @throws ConfigError for something without `float`
   */
  withRandom(random: Random): SystemConfig {
    if (typeof random?.float !== 'function')
      throw new ConfigError(`expected a source of chance with float, got ${describe(random)}`)
    return this.#with({ random })
  }

  #with(changes: Partial<Settings>): SystemConfig {
    return new SystemConfig({ ...this.settings, ...changes })
  }
}

/** What a limit must be, where `value` is something else. */
function limitProblem(name: string, value: unknown): string | undefined {
  if (name === 'management') return typeof value === 'boolean' ? undefined : 'true or false'
  if (name === 'inspect')
    return INSPECTION_RULES.includes(value as InspectionRule) ? undefined : `one of ${INSPECTION_RULES.join(', ')}`
  return typeof value === 'number' && value > 0 ? undefined : 'a positive number'
}

const ADDRESS_PATTERN = /^(?:(wss?):\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s/:@?#[\]]+)(?::(\d{1,5}))?(\/[^\s?#]*)?$/

/** An address with its scheme and port; what is wrong with it becomes one of `problems`. */
function checkedAddress(address: unknown, what: string, problems: string[], isAdvertised = false): string {
  const [, scheme, host, given, path = ''] = (typeof address === 'string' && ADDRESS_PATTERN.exec(address)) || []
  const port = Number(given ?? (isAdvertised && host ? (scheme ? (scheme === 'ws' ? 80 : 443) : 0) : undefined))
  const url = `${scheme ?? 'ws'}://${host}:${port}${path === '/' ? '' : path}`
  if (!(port <= 65_535) || (isAdvertised && (!URL.canParse(url) || hasWildcardHost(url))))
    problems.push(
      `Invalid ${what}: expected 'host:port' or 'ws://host:port'${isAdvertised ? ' that others can dial' : ''}, got ${describe(address)}`,
    )
  return url
}
