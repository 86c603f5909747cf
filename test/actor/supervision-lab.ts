/**
 * What the tests of supervision share: a system on a clock in the test's hands whose waits are exact, a log of what
 * happened, and actors that do as they are told and write down which instance of theirs did it.
 */
import {
  type ActorContext,
  type ActorLike,
  type ActorSystem,
  createActorSystem,
  type StopReason,
  SystemConfig,
} from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { expect, onTestFinished } from 'vitest'
import { quiet } from './systems.ts'

/** Longer than any actor of these tests may take to end: the grace of a few generations. */
const END_MS = 300_000

export interface Lab {
  readonly system: ActorSystem
  readonly clock: ManualClock
  /** What happened, in order: events as `failed`, `restarted`, `stopped`, and whatever the test's actors add. */
  readonly log: string[]
  /** Reasons of the dead letters so far. */
  readonly dead: string[]
  /** The log so far; it begins anew. */
  take(): string[]
}

/**
 * A system on a {@link ManualClock}, shut down when the test is over. Jitter is nothing at all, so that waits are exact.
 * What the system logs as an error, as it does with what should not happen, fails the test.
 */
export async function startLab(): Promise<Lab> {
  const clock = new ManualClock()
  const errors: unknown[] = []
  const config = SystemConfig.standalone()
    .withClock(clock)
    .withRandom({ float: () => 0.5 })
    .withLogger({ ...quiet, error: (message, ...details) => errors.push([message, ...details]) })
  const system = await createActorSystem(config)
  onTestFinished(async () => {
    const end = system.shutdown()
    await clock.advanceAsync(END_MS)
    await end
    expect(errors).toEqual([])
  })
  const log: string[] = []
  const dead: string[] = []
  const label = (ref: { readonly name?: string | undefined }): string => ref.name ?? 'anonymous'
  system.on('actorFailed', ({ ref, error }) => log.push(`failed ${label(ref)}: ${error.message}`))
  system.on('actorRestarted', ({ ref, error, restarts }) =>
    log.push(`restarted ${label(ref)} #${restarts}: ${error?.message ?? 'no error'}`),
  )
  system.on('actorStopped', ({ ref, reason }) => log.push(`stopped ${label(ref)}: ${reason}`))
  system.on('deadLetter', ({ reason }) => dead.push(reason))
  return { system, clock, log, dead, take: () => log.splice(0) }
}

/** What an {@link obedient} actor does with its messages, beside what every one of them can. */
export interface Parts {
  /** Handles what is not `fail` (throws `broken`) or `stop` (`ctx.stop()`). Default: answers with instance and message. */
  readonly handle?: (text: string, ctx: ActorContext, instance: number) => unknown
  /** Called with the number of the instance being made. */
  readonly construct?: (instance: number) => void
  readonly start?: (ctx: ActorContext, instance: number) => void | Promise<void>
  readonly stop?: (ctx: ActorContext, reason: StopReason, instance: number) => void | Promise<void>
  readonly onChildFailure?: ActorLike['onChildFailure']
}

/** A function that makes actors, the first of them being instance 1; each writes into `log` what it does. */
export function obedient(log: string[], parts: Parts = {}): () => ActorLike {
  let made = 0
  return () => {
    const instance = ++made
    log.push(`make ${instance}`)
    parts.construct?.(instance)
    return {
      onStart: (ctx) => {
        log.push(`start ${instance}`)
        return parts.start?.(ctx, instance)
      },
      receive: (msg, ctx) => {
        const text = msg.toObject<string>()
        log.push(`${instance} ${text}`)
        if (text === 'fail') throw new Error('broken')
        if (text === 'stop') return ctx.stop()
        return parts.handle ? parts.handle(text, ctx, instance) : `${instance} ${text}`
      },
      onStop: (ctx, reason) => {
        log.push(`stop ${instance} ${reason}`)
        return parts.stop?.(ctx, reason, instance)
      },
      ...(parts.onChildFailure ? { onChildFailure: parts.onChildFailure } : {}),
    }
  }
}

/** The outcome of a promise once it has settled: its value, or the code of its error. */
export function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => `error ${(error as { code?: string }).code ?? String(error)}`)
}
