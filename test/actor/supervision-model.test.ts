/**
 * An actor and its child that are told, asked, made to fail, stopped and spawned again in any order, while time passes:
 * whatever happens, each message has one fate, each instance one life, and nothing is left in the end.
 */
import fc from 'fast-check'
import {
  type ActorContext,
  type ActorLike,
  type ActorRef,
  type ActorSystem,
  createActorSystem,
  type Decision,
  Message,
  type RestartPolicy,
  type StopReason,
  SystemConfig,
} from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { expect, test } from 'vitest'
import { outcomeOf } from './supervision-lab.ts'
import { quiet, turn } from './systems.ts'

/** What a message makes its handler do. */
const deeds = [
  'answer',
  'answer later',
  'fail',
  'fail later',
  'wait for ever',
  'stash',
  'unstash',
  'stash and fail',
  'unstash and fail',
  'stop',
  'stop twice',
  'stop as failed',
  'become',
  'schedule',
  'schedule for good',
  'stream',
  'let the child answer',
  'let the child fail',
  'let the child stop',
] as const
type Deed = (typeof deeds)[number]

type Step =
  | { readonly do: 'ask'; readonly deed: Deed; readonly timeout: number }
  | { readonly do: 'tell'; readonly deed: Deed }
  | { readonly do: 'stop' | 'spawn' | 'turn' }
  | { readonly do: 'advance'; readonly ms: number }

const deed = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<Deed>('answer', 'answer later') },
  { weight: 2, arbitrary: fc.constantFrom<Deed>('fail', 'fail later') },
  { weight: 2, arbitrary: fc.constantFrom<Deed>('let the child answer', 'let the child fail', 'let the child fail') },
  { weight: 4, arbitrary: fc.constantFrom<Deed>(...deeds) },
)
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('ask' as const),
        deed,
        timeout: fc.constantFrom(40, 1_000, 30_000, Infinity),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('tell' as const), deed }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('advance' as const),
        ms: fc.oneof(fc.constantFrom(0, 10, 100), fc.integer({ min: 1, max: 40_000 })),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('spawn' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const) }) },
  ),
  { minLength: 5, maxLength: 60, size: 'max' },
)

/** What the hooks of an actor's instances do, in turn; over and over. */
type Hook = 'nothing' | 'wait' | 'throw' | 'throw later'
interface Character {
  readonly restart: RestartPolicy
  readonly isReentrant: boolean
  readonly makes: readonly ('well' | 'throws')[]
  readonly starts: readonly Hook[]
  readonly stops: readonly Hook[]
}

const restarts: fc.Arbitrary<RestartPolicy> = fc.record({
  policy: fc.constantFrom('never', 'on-failure', 'on-failure', 'on-failure', 'always', 'always', 'always'),
  maxRestarts: fc.constantFrom(0, 2, 5, Infinity, Infinity),
  withinMs: fc.constantFrom(1_000, 60_000, Infinity),
  minBackoffMs: fc.constantFrom(0, 0, 50, 2_000),
  maxBackoffMs: fc.constant(20_000),
})
const hooks = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant('nothing' as const) },
    { weight: 1, arbitrary: fc.constantFrom<Hook>('wait', 'throw', 'throw later') },
  ),
  { minLength: 1, maxLength: 4 },
)
const characters: fc.Arbitrary<Character> = fc.record({
  restart: restarts,
  isReentrant: fc.boolean(),
  makes: fc.array(fc.constantFrom('well', 'well', 'well', 'well', 'well', 'throws'), { minLength: 1, maxLength: 4 }),
  starts: hooks,
  stops: hooks,
})
const decisions = fc.array(
  fc.constantFrom<Decision | 'throw' | undefined>(
    'resume',
    'restart',
    'stop',
    'escalate',
    'throw',
    undefined,
    undefined,
  ),
  { minLength: 1, maxLength: 4 },
)

/** An actor's hook and its child's together are shorter than the grace of hooks: none is given up. */
const HOOK_MS = 12_000
const LATER_MS = 300

interface Fate {
  begun: number
  stashed: number
  dead: number
}

/** Who lives and what became of every message; says what is not as promised. */
class Witness {
  readonly violations: string[] = []
  readonly fates = new Map<string, Fate>()
  /** By actor, the instance that lives: made, and neither failed to start nor stopped. */
  readonly #alive = new Map<string, number>()
  readonly #running = new Map<string, number>()
  readonly #first: number[] = []

  fate(type: string): Fate {
    let fate = this.fates.get(type)
    if (!fate) this.fates.set(type, (fate = { begun: 0, stashed: 0, dead: 0 }))
    return fate
  }

  made(actor: string, instance: number): void {
    const other = this.#alive.get(actor)
    if (other !== undefined) this.#says(`${actor} ${instance} was made while ${other} lived`)
    if (this.#running.get(actor)) this.#says(`${actor} ${instance} was made while a handler ran`)
    this.#noChildren(actor, `when ${instance} was made`)
    this.#alive.set(actor, instance)
  }

  over(actor: string, instance: number): void {
    if (this.#alive.get(actor) !== instance) this.#says(`${actor} ${instance} ended twice, or beside another`)
    this.#alive.delete(actor)
  }

  stopping(actor: string, instance: number): void {
    if (this.#alive.get(actor) !== instance) this.#says(`${actor} ${instance} was stopped though it did not live`)
    if (this.#running.get(actor)) this.#says(`${actor} ${instance} was stopped while a handler ran`)
    this.#noChildren(actor, `when ${instance} was stopped`)
  }

  begins(actor: string, instance: number, type: string, isReentrant: boolean): void {
    if (this.#alive.get(actor) !== instance) this.#says(`${actor} ${instance} handled ${type} though it did not live`)
    const running = this.#running.get(actor) ?? 0
    if (running > 0 && !isReentrant) this.#says(`${actor} handled two messages at once`)
    this.#running.set(actor, running + 1)
    const number = /^m(\d+)$/.exec(type)
    if (!number) return
    const fate = this.fate(type)
    if (fate.begun++ === 0) this.#first.push(Number(number[1]))
    if (fate.begun > fate.stashed + 1) this.#says(`${type} was handled again`)
  }

  ends(actor: string): void {
    this.#running.set(actor, this.#running.get(actor)! - 1)
  }

  atTheEnd(): void {
    for (const [actor, instance] of this.#alive) this.#says(`${actor} ${instance} never stopped`)
    for (const [type, { begun, stashed, dead }] of this.fates) {
      if (dead > 1) this.#says(`${type} was a dead letter ${dead} times`)
      if (dead === 1 && begun > stashed) this.#says(`${type} was handled, and a dead letter`)
      if (dead === 0 && begun === 0) this.#says(`${type} was neither handled nor a dead letter`)
    }
    if (this.#first.some((number, i) => i > 0 && number < this.#first[i - 1]!))
      this.#says(`messages were handled out of order: ${this.#first.join()}`)
  }

  #noChildren(actor: string, when: string): void {
    for (const other of this.#alive.keys())
      if (other.startsWith(`${actor}/`)) this.#says(`${other} lived ${when} of its parent`)
  }

  #says(violation: string): void {
    this.violations.push(violation)
  }
}

/** Waits `ms`, or until `signal` aborts; `over` runs at that very moment. */
function pause(clock: ManualClock, ms: number, signal?: AbortSignal, over?: () => void): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer?.cancel()
      signal?.removeEventListener('abort', end)
      over?.()
      resolve()
    }
    const timer = ms === Infinity ? undefined : clock.setTimer(end, ms)
    if (signal?.aborted) end()
    else signal?.addEventListener('abort', end)
  })
}

interface World {
  readonly system: ActorSystem
  readonly clock: ManualClock
  readonly witness: Witness
  readonly child: Character
  readonly decisions: readonly (Decision | 'throw' | undefined)[]
}

/** A function that makes instances of `actor`; those of one that is no child have a child each. */
function lives(world: World, actor: string, character: Character): () => ActorLike {
  const { clock, witness } = world
  const isParent = !actor.includes('/')
  const at = <T>(list: readonly T[], instance: number): T => list[(instance - 1) % list.length]!
  let made = 0
  let decided = 0
  const perform = async (hook: Hook): Promise<void> => {
    if (hook !== 'nothing' && hook !== 'throw') await pause(clock, HOOK_MS)
    if (hook !== 'nothing' && hook !== 'wait') throw new Error(hook)
  }
  return () => {
    const instance = ++made
    witness.made(actor, instance)
    if (at(character.makes, instance) === 'throws') {
      witness.over(actor, instance)
      throw new Error('cannot be made')
    }
    let child: ActorRef | undefined
    const receive = (msg: Message, ctx: ActorContext): unknown => {
      witness.begins(actor, instance, msg.msgType, character.isReentrant)
      let isOver = false
      const over = (): void => {
        if (!isOver) witness.ends(actor)
        isOver = true
      }
      const act = async (): Promise<unknown> => {
        const later = (ms: number): Promise<void> => pause(clock, ms, ctx.signal, over)
        const stash = (): void => {
          witness.fate(msg.msgType).stashed++
          ctx.stash()
        }
        switch (msg.toObject<Deed>()) {
          case 'answer later':
            await later(LATER_MS)
            return instance
          case 'fail':
          case 'stash and fail':
            throw new Error('failed')
          case 'fail later':
            await later(LATER_MS)
            throw new Error('failed later')
          case 'wait for ever':
            return later(Infinity)
          case 'stash':
            // Once: it would be stashed for ever.
            if (witness.fate(msg.msgType).stashed === 0) stash()
            return instance
          case 'unstash':
            return ctx.unstashAll()
          case 'unstash and fail':
            ctx.unstashAll()
            throw new Error('failed')
          case 'stop':
            return ctx.stop()
          case 'stop twice':
            ctx.stop()
            return ctx.stop()
          case 'stop as failed':
            return ctx.stop('failed')
          case 'become':
            return ctx.become(receive)
          case 'schedule':
            return void ctx.schedule(500, Message.fromObject('tick', 'answer'), { everyMs: 500 })
          case 'schedule for good':
            return void ctx.schedule(700, Message.fromObject('tick', 'answer'), { survivesRestart: true })
          case 'stream':
            return (async function* () {
              for (let i = 0; ; i++) yield i
            })()
          case 'let the child answer':
            return child && outcomeOf(child.ask('answer', { timeout: 100 }))
          case 'let the child fail':
            return child && outcomeOf(child.ask('fail', { timeout: 100 }))
          case 'let the child stop':
            return child && outcomeOf(child.ask('stop', { timeout: 100 }))
          default:
            return instance
        }
      }
      // What fails, or ends, at once does so without a promise.
      if (/^(stash and )?fail$/.test(msg.toObject<Deed>())) {
        if (msg.toObject<Deed>() !== 'fail') {
          witness.fate(msg.msgType).stashed++
          ctx.stash()
        }
        over()
        throw new Error('failed at once')
      }
      return act().finally(over)
    }
    return {
      receive,
      onStart: async (ctx) => {
        try {
          await perform(at(character.starts, instance))
          if (isParent)
            child = await ctx
              .spawn(lives(world, `${actor}/${instance}`, world.child), {
                restart: world.child.restart,
                reentrant: world.child.isReentrant,
              })
              .catch(() => undefined)
        } catch (error) {
          // What it had spawned is stopped after it.
          witness.over(actor, instance)
          throw error
        }
      },
      onStop: async (_ctx, reason: StopReason) => {
        if (!['normal', 'failed', 'killed', 'shutdown'].includes(reason)) witness.violations.push(`reason ${reason}`)
        witness.stopping(actor, instance)
        try {
          await perform(at(character.stops, instance))
        } finally {
          witness.over(actor, instance)
        }
      },
      ...(isParent
        ? {
            onChildFailure: () => {
              const decision = at(world.decisions, ++decided)
              if (decision === 'throw') throw new Error('undecided')
              return decision
            },
          }
        : {}),
    }
  }
}

test('in any order of events each message has one fate, each instance one life, and nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(characters, characters, decisions, steps, async (character, child, childDecisions, sequence) => {
      const clock = new ManualClock()
      const witness = new Witness()
      const config = SystemConfig.standalone()
        .withClock(clock)
        .withRandom({ float: () => 0.5 })
        .withLogger({ ...quiet, error: (message, error) => witness.violations.push(`${message}: ${String(error)}`) })
      const system = await createActorSystem(config)
      const ends = new Map<string, number>()
      const unlisten = [
        system.on('deadLetter', ({ msgType }) => void (msgType.startsWith('m') && witness.fate(msgType).dead++)),
        system.on('actorStopped', ({ ref }) => void ends.set(ref.id, (ends.get(ref.id) ?? 0) + 1)),
      ]
      const world: World = { system, clock, witness, child, decisions: childDecisions }
      const asked: Promise<unknown>[] = []
      const settled: number[] = []
      let spawned = 0
      let sent = 0
      const waiting: Promise<unknown>[] = []
      let ref: ActorRef | undefined
      const spawn = (): void => {
        const actor = `a${++spawned}`
        const options = { restart: character.restart, reentrant: character.isReentrant, mailbox: { capacity: 16 } }
        const spawning = system.spawn(lives(world, actor, character), 'a', options)
        waiting.push(
          spawning.then(
            (started) => (ref = started),
            () => undefined,
          ),
        )
      }
      const send = (step: Step & { do: 'ask' | 'tell' }): void => {
        if (!ref) return
        const type = `m${sent++}`
        witness.fate(type)
        const message = Message.fromObject(type, step.deed)
        if (step.do === 'tell') waiting.push(ref.tell(message))
        else {
          const index = asked.length
          settled[index] = 0
          const count = (): void => void settled[index]!++
          const ask = ref.ask(message, { timeout: step.timeout })
          ask.then(count, count)
          asked.push(
            ask.then(
              (reply) => (reply.isStream ? reply.streamReader().cancel() : undefined),
              () => undefined,
            ),
          )
        }
      }
      spawn()
      await clock.settle()
      for (const step of sequence) {
        if (step.do === 'ask' || step.do === 'tell') send(step)
        else if (step.do === 'spawn') spawn()
        else if (step.do === 'stop') waiting.push(system.stop('a'))
        else if (step.do === 'advance') await clock.advanceAsync(step.ms)
        else await turn()
      }
      let isShut = false
      void system.shutdown().then(() => (isShut = true))
      await clock.advanceAsync(600_000)
      expect(isShut).toBe(true)
      // All of these settle, or the test does not end.
      await Promise.all([...asked, ...waiting])
      for (const end of unlisten) end()
      witness.atTheEnd()
      expect(witness.violations).toEqual([])
      expect(settled.filter((count) => count !== 1)).toEqual([])
      expect([...ends.values()].filter((count) => count !== 1)).toEqual([])
      expect(system.census()).toEqual({ actors: 0, asks: 0, timers: 0, streams: 0, listeners: 0 })
      expect(clock.pending).toBe(0)
    }),
    { numRuns: 300 },
  )
}, 60_000)
