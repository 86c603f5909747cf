/** What a parent says about a child that failed, and what comes of it. */
import {
  type ActorLike,
  type ActorRef,
  asActor,
  behavior,
  type Decision,
  type RestartPolicy,
  type TypedRef,
} from 'pulsing'
import { describe, expect, test } from 'vitest'
import { type Lab, obedient, outcomeOf, startLab } from './supervision-lab.ts'
import { gate, stateOf } from './systems.ts'

const atOnce: RestartPolicy = { policy: 'on-failure', minBackoffMs: 0 }

interface Family {
  readonly parent: ActorRef
  readonly kid: ActorRef
  /** What the kid, and all that comes of it, write; the parent's own lines begin with `parent`. */
  readonly log: string[]
}

/** A parent that decides as told, and its child, an {@link obedient} actor with that policy. */
async function family(
  lab: Lab,
  onChildFailure: ActorLike['onChildFailure'],
  kidRestart?: RestartPolicy,
  parentRestart?: RestartPolicy,
): Promise<Family> {
  const kidOptions = kidRestart ? { restart: kidRestart } : {}
  const make = (): ActorLike => ({
    onStart: async (ctx) => {
      await ctx.spawn(obedient(lab.log), 'kid', kidOptions)
    },
    receive: () => 'parent here',
    onStop: (_ctx, reason) => void lab.log.push(`parent stops ${reason}`),
    ...(onChildFailure ? { onChildFailure } : {}),
  })
  const parent = await lab.system.spawn(make, 'parent', parentRestart ? { restart: parentRestart } : {})
  lab.take()
  return { parent, kid: (await lab.system.find('kid'))!, log: lab.log }
}

async function failing(lab: Lab, ref: ActorRef): Promise<void> {
  expect(await outcomeOf(ref.ask('fail'))).toBe('error system_error')
  await lab.clock.settle()
}

const failed = ['1 fail', 'failed kid: broken']
const restarted = ['stop 1 failed', 'make 2', 'start 2', 'restarted kid #1: broken']
const stopped = ['stop 1 failed', 'stopped kid: failed']

describe('a parent’s decision', () => {
  test.each<[Decision | undefined, RestartPolicy | undefined, string[]]>([
    ['resume', undefined, []],
    ['resume', atOnce, []],
    ['restart', undefined, []],
    ['restart', { policy: 'never', minBackoffMs: 0 }, restarted],
    ['restart', atOnce, restarted],
    ['stop', undefined, stopped],
    ['stop', atOnce, stopped],
    [undefined, undefined, []],
    [undefined, { policy: 'never' }, []],
    [undefined, atOnce, restarted],
  ])('of %s for a child with policy %j leads to %j', async (decision, policy, written) => {
    const lab = await startLab()
    const { parent, kid, log } = await family(lab, () => decision, policy)
    await failing(lab, kid)
    // Without a policy the child waits as long as any would before it is restarted.
    if (decision === 'restart' && policy === undefined) {
      expect(log).toEqual([...failed, 'stop 1 failed'])
      await lab.clock.advanceAsync(100)
      expect(log).toEqual([...failed, ...restarted])
    } else {
      expect(log).toEqual([...failed, ...written])
      await lab.clock.advanceAsync(60_000)
      expect(log).toEqual([...failed, ...written])
    }
    expect(await parent.ask('there?')).toBe('parent here')
  })

  test('is not asked for of an actor without a parent', async () => {
    const lab = await startLab()
    let asked = 0
    const ref = await lab.system.spawn({
      receive: () => {
        throw new Error('broken')
      },
      onChildFailure: () => {
        asked++
        return 'stop'
      },
    })
    await outcomeOf(ref.ask('x'))
    expect(asked).toBe(0)
  })

  test('is made with the child’s ref, its error as the caller got it, and a context of the parent', async () => {
    const lab = await startLab()
    const seen: unknown[][] = []
    const { parent, kid } = await family(lab, (child, error, ctx) => {
      seen.push([child.id, error.code, error.message, (error.cause as Error).message, ctx.self.id, ctx.children.length])
      return undefined
    })
    await failing(lab, kid)
    expect(seen).toEqual([[kid.id, 'system_error', 'broken', 'broken', parent.id, 1]])
  })

  test('resume keeps the child’s state, behaviour and stash', async () => {
    const lab = await startLab()
    const { kid } = await family(lab, () => 'resume', atOnce)
    expect(await kid.ask('a')).toBe('1 a')
    await failing(lab, kid)
    expect(await kid.ask('b')).toBe('1 b')
  })

  test('restart is within the limits of the child’s policy: past them it stops as failed, and nobody is asked again', async () => {
    const lab = await startLab()
    let asked = 0
    const { kid, log } = await family(
      lab,
      () => {
        asked++
        return 'restart'
      },
      { policy: 'never', maxRestarts: 2, minBackoffMs: 0 },
    )
    for (let i = 0; i < 3; i++) await failing(lab, kid)
    expect(log.slice(-3)).toEqual(['failed kid: broken', 'stop 3 failed', 'stopped kid: failed'])
    expect(asked).toBe(3)
  })

  test('restart of a child that is an instance is a ConfigError, and stops the child as failed', async () => {
    const lab = await startLab()
    const errors: unknown[] = []
    lab.system.on('actorFailed', ({ ref, error }) => errors.push([ref.name, error.name, error.cause]))
    const parent = await lab.system.spawn({
      receive: (_msg, ctx) => ctx.spawn(obedient(lab.log)(), 'kid'),
      onChildFailure: () => 'restart',
    })
    const kid = await parent.ask<ActorRef>('spawn')
    lab.take()
    await failing(lab, kid)
    expect(lab.log).toEqual([
      ...failed,
      expect.stringContaining('failed kid: expected a function or class to restart the actor with, got an instance'),
      ...stopped,
    ])
    expect(errors).toEqual([
      ['kid', 'PulsingSystemError', expect.any(Error)],
      ['kid', 'ConfigError', expect.objectContaining({ message: 'broken' })],
    ])
  })

  test('stop rejects what the child has queued, and tells those who watch it that it failed', async () => {
    const lab = await startLab()
    const { kid } = await family(lab, () => 'stop', atOnce)
    const ends: unknown[] = []
    await lab.system.spawn({
      onStart: (ctx) => ctx.watch(kid),
      receive: (msg) => void ends.push(msg.toObject<{ reason: string }>().reason),
    })
    const asked = [outcomeOf(kid.ask('fail')), outcomeOf(kid.ask('queued'))]
    expect(await Promise.all(asked)).toEqual(['error system_error', 'error actor_stopped'])
    await lab.clock.settle()
    expect(ends).toEqual(['failed'])
  })

  test('may differ by child and by error', async () => {
    const lab = await startLab()
    const parent = await lab.system.spawn({
      receive: (msg, ctx) => ctx.spawn(obedient(lab.log), msg.toObject<string>(), { restart: atOnce }),
      onChildFailure: (child, error) =>
        child.name === 'dear' ? 'resume' : error.message === 'broken' ? 'stop' : undefined,
    })
    const dear = await parent.ask<ActorRef>('dear')
    const other = await parent.ask<ActorRef>('other')
    lab.take()
    await failing(lab, dear)
    await failing(lab, other)
    expect(lab.log.filter((line) => line.startsWith('stop'))).toEqual(['stop 1 failed', 'stopped other: failed'])
  })

  test('is made at once, also while the parent handles a message of its own', async () => {
    const lab = await startLab()
    const hold = gate()
    const parent = await lab.system.spawn({
      onStart: async (ctx) => {
        await ctx.spawn(obedient(lab.log), 'kid')
      },
      receive: () => hold.opened,
      onChildFailure: () => 'stop',
    })
    const kid = (await lab.system.find('kid'))!
    const asked = parent.ask('wait')
    await lab.clock.settle()
    await failing(lab, kid)
    expect(await stateOf(asked)).toBe('pending')
    expect(lab.log.slice(-1)).toEqual(['stopped kid: failed'])
    hold.open()
    await asked
  })

  test('is made by behaviors and classes as well', async () => {
    const lab = await startLab()
    const deciders: [string, (child: () => ActorLike) => Promise<TypedRef<never, unknown>>][] = [
      [
        'a behavior',
        (child) =>
          lab.system.spawn(
            behavior<string>(() => undefined, {
              onStart: async (ctx) => void (await ctx.spawn(child, 'kid')),
              onChildFailure: () => 'stop',
            }),
          ),
      ],
      [
        'a class',
        async (child) => {
          const Parent = asActor(
            class {
              async onStart(ctx: Parameters<NonNullable<ActorLike['onStart']>>[0]): Promise<void> {
                await ctx.spawn(child, 'kid')
              }
              onChildFailure(): Decision {
                return 'stop'
              }
              greet(): string {
                return 'hello'
              }
            },
          )
          return (await Parent.local(lab.system)).ref
        },
      ],
    ]
    for (const [kind, spawn] of deciders) {
      const parent = await spawn(obedient(lab.log))
      lab.take()
      await failing(lab, (await lab.system.find('kid'))!)
      expect([kind, ...lab.log]).toEqual([kind, ...failed, ...stopped])
      await lab.system.stop(parent)
    }
  })

  test('cannot be called from outside through a proxy', async () => {
    const lab = await startLab()
    const Parent = asActor(
      class {
        onChildFailure(): Decision {
          return 'stop'
        }
      },
    )
    const parent = await Parent.local(lab.system)
    await expect(parent.ref.ask(['onChildFailure', []])).rejects.toMatchObject({ code: 'no_such_method' })
    expect(() => (parent.ref.asAny() as Record<string, unknown>)['onChildFailure']).toThrow(/public method/)
  })

  test('is not asked for what a class’s method throws, unless methodErrors is failure', async () => {
    for (const methodErrors of ['reply', 'failure'] as const) {
      const lab = await startLab()
      let asked = 0
      const Kid = asActor(
        class {
          fail(): void {
            throw new Error('broken')
          }
        },
      )
      await lab.system.spawn({
        onStart: async (ctx) => {
          await ctx.spawn(() => new Kid(), 'kid', { restart: { policy: 'never', methodErrors } })
        },
        receive: () => undefined,
        onChildFailure: () => {
          asked++
          return 'resume'
        },
      })
      const kid = await Kid.resolve(lab.system, 'kid')
      await outcomeOf(kid.fail())
      expect([methodErrors, asked]).toEqual([methodErrors, methodErrors === 'failure' ? 1 : 0])
    }
  })
})

describe('a decision that is none', () => {
  test.each<[string, () => unknown, RegExp]>([
    [
      'a throw',
      () => {
        throw new Error('undecided')
      },
      /^undecided$/,
    ],
    [
      'an unknown word',
      () => 'explode',
      /expected onChildFailure to return one of resume, restart, stop, escalate, got "explode"/,
    ],
    ['null', () => null, /got null/],
    ['a promise', () => Promise.resolve('stop'), /got a Promise/],
    ['a promise that rejects', () => Promise.reject(new Error('later')), /got a Promise/],
  ])(
    '(%s) is reported as a failure of the parent, and the child’s own policy counts',
    async (_what, decide, message) => {
      for (const policy of [undefined, atOnce]) {
        const lab = await startLab()
        const { kid, parent, log } = await family(lab, decide as never, policy)
        await failing(lab, kid)
        expect(log[2]).toMatch(/^failed parent: /)
        expect(log[2]!.slice('failed parent: '.length)).toMatch(message)
        expect(log.toSpliced(2, 1)).toEqual([...failed, ...(policy ? restarted : [])])
        expect(await parent.ask('there?')).toBe('parent here')
      }
    },
  )

  test('does not restart the parent, whatever its policy', async () => {
    const lab = await startLab()
    const { parent, kid } = await family(lab, () => 'explode' as never, undefined, atOnce)
    await failing(lab, kid)
    await lab.clock.advanceAsync(60_000)
    expect(lab.log.filter((line) => line.startsWith('restarted'))).toEqual([])
    expect(await parent.ask('there?')).toBe('parent here')
  })
})

describe('a decision that takes the matter into its own hands', () => {
  test.each(['resume', 'restart', 'stop', 'escalate', undefined] as const)(
    'by stopping the child, and then says %s: the child ends once, as killed',
    async (decision) => {
      const lab = await startLab()
      const { kid, log } = await family(
        lab,
        (child, _error, ctx) => {
          void ctx.system.stop(child)
          return decision
        },
        atOnce,
      )
      await failing(lab, kid)
      await lab.clock.advanceAsync(60_000)
      expect(log.filter((line) => !line.includes('parent'))).toEqual([
        ...failed,
        'stop 1 killed',
        'stopped kid: killed',
      ])
    },
  )

  test.each(['resume', 'restart', 'stop', 'escalate', undefined] as const)(
    'by stopping the parent, and then says %s: both end once',
    async (decision) => {
      const lab = await startLab()
      const { kid, log } = await family(
        lab,
        (_child, _error, ctx) => {
          ctx.stop()
          return decision
        },
        atOnce,
      )
      await failing(lab, kid)
      await lab.clock.advanceAsync(60_000)
      expect(log).toEqual([
        ...failed,
        'stop 1 killed',
        'stopped kid: killed',
        'parent stops normal',
        'stopped parent: normal',
      ])
      expect(lab.system.census().actors).toBe(0)
    },
  )
})

describe('escalate', () => {
  test('stops the child, and the parent fails with the same error: without a policy it stops too', async () => {
    const lab = await startLab()
    const { kid, log } = await family(lab, () => 'escalate', atOnce)
    await failing(lab, kid)
    expect(log).toEqual([
      ...failed,
      'stop 1 failed',
      'failed parent: broken',
      'stopped kid: failed',
      'parent stops failed',
      'stopped parent: failed',
    ])
    expect(lab.system.census().actors).toBe(0)
  })

  test('restarts a parent whose policy is to be restarted, with its children', async () => {
    const lab = await startLab()
    const { parent, kid, log } = await family(lab, () => 'escalate', undefined, atOnce)
    await failing(lab, kid)
    expect(log).toEqual([
      ...failed,
      'stop 1 failed',
      'failed parent: broken',
      'stopped kid: failed',
      'parent stops failed',
      'make 1',
      'start 1',
      'restarted parent #1: broken',
    ])
    expect(await parent.ask('there?')).toBe('parent here')
    expect(await (await lab.system.resolve('kid')).ask('x')).toBe('1 x')
  })

  test('counts against the parent’s own limits', async () => {
    const lab = await startLab()
    const { log } = await family(lab, () => 'escalate', undefined, { ...atOnce, maxRestarts: 1 })
    await failing(lab, (await lab.system.find('kid'))!)
    await failing(lab, (await lab.system.find('kid'))!)
    expect(log.filter((line) => /^(restarted|stopped parent)/.test(line))).toEqual([
      'restarted parent #1: broken',
      'stopped parent: failed',
    ])
  })

  test('waits for what the parent is doing; its caller has the answer', async () => {
    const lab = await startLab()
    const hold = gate<string>()
    const parent = await lab.system.spawn(
      () => ({
        onStart: async (ctx) => {
          await ctx.spawn(obedient(lab.log), 'kid')
        },
        receive: () => hold.opened,
        onChildFailure: () => 'escalate',
      }),
      'parent',
      { restart: atOnce },
    )
    const asked = parent.ask('wait')
    await lab.clock.settle()
    await failing(lab, (await lab.system.find('kid'))!)
    expect(lab.log).not.toContain('restarted parent #1: broken')
    hold.open('done')
    expect(await asked).toBe('done')
    await lab.clock.settle()
    expect(lab.log).toContain('restarted parent #1: broken')
  })

  /** A chain of actors, each the parent of the next, the last one obedient; who says what about its child. */
  async function chain(
    lab: Lab,
    says: Record<string, Decision | undefined>,
    restart: Record<string, RestartPolicy> = {},
  ) {
    const asked: string[] = []
    const generations = ['top', 'middle', 'low'] as const
    const make = (at: number): (() => ActorLike) => {
      const name = generations[at]
      if (name === undefined) return obedient(lab.log)
      return () => ({
        onStart: async (ctx) => {
          const child = generations[at + 1] ?? 'kid'
          const policy = restart[child]
          await ctx.spawn(make(at + 1), child, policy ? { restart: policy } : {})
        },
        receive: () => `${name} here`,
        onChildFailure: (child, error) => {
          asked.push(`${name} about ${child.name}: ${error.message}`)
          return says[name]
        },
      })
    }
    await lab.system.spawn(make(0), 'top', restart['top'] ? { restart: restart['top'] } : {})
    lab.take()
    return asked
  }

  const isLife = (line: string): boolean => /^(stopped|restarted)/.test(line)

  test('over two levels ends at the first parent that decides otherwise, with the first error', async () => {
    const lab = await startLab()
    const asked = await chain(lab, { low: 'escalate', middle: 'escalate', top: 'stop' })
    await failing(lab, (await lab.system.find('kid'))!)
    expect(asked).toEqual(['low about kid: broken', 'middle about low: broken', 'top about middle: broken'])
    expect(lab.log.filter((line) => line.startsWith('failed'))).toEqual([
      'failed kid: broken',
      'failed low: broken',
      'failed middle: broken',
    ])
    expect(lab.log.filter(isLife)).toEqual(['stopped kid: failed', 'stopped low: failed', 'stopped middle: failed'])
    expect(await (await lab.system.resolve('top')).ask('there?')).toBe('top here')
  })

  test('over two levels may restart the parent above, which makes the generations below anew', async () => {
    const lab = await startLab()
    const asked = await chain(lab, { low: 'escalate', middle: 'escalate', top: 'restart' }, { middle: atOnce })
    await failing(lab, (await lab.system.find('kid'))!)
    expect(asked).toHaveLength(3)
    expect(lab.log.filter(isLife)).toEqual([
      'stopped kid: failed',
      'stopped low: failed',
      'restarted middle #1: broken',
    ])
    expect(await (await lab.system.resolve('kid')).ask('x')).toBe('1 x')
    expect(lab.system.census().actors).toBe(4)
  })

  test('may be resumed one level up: the child is gone, its parent goes on', async () => {
    const lab = await startLab()
    await chain(lab, { low: 'escalate', middle: 'resume' })
    await failing(lab, (await lab.system.find('kid'))!)
    expect(lab.log.filter(isLife)).toEqual(['stopped kid: failed'])
    expect(await (await lab.system.resolve('low')).ask('there?')).toBe('low here')
  })

  test('past the last parent stops the whole tree', async () => {
    const lab = await startLab()
    await chain(lab, { low: 'escalate', middle: 'escalate', top: 'escalate' })
    await failing(lab, (await lab.system.find('kid'))!)
    expect(lab.log.filter(isLife)).toEqual([
      'stopped kid: failed',
      'stopped low: failed',
      'stopped middle: failed',
      'stopped top: failed',
    ])
    expect(lab.system.census().actors).toBe(0)
  })

  test('to a parent for which nobody decides stops it, also one whose policy is never', async () => {
    const lab = await startLab()
    await chain(lab, { low: 'escalate' }, { low: { policy: 'never' } })
    await failing(lab, (await lab.system.find('kid'))!)
    expect(lab.log.filter(isLife)).toEqual(['stopped kid: failed', 'stopped low: failed'])
  })

  test('to a parent that is ending already changes nothing about that', async () => {
    const lab = await startLab()
    const hold = gate()
    const parent = await lab.system.spawn(
      {
        onStart: async (ctx) => {
          await ctx.spawn(obedient(lab.log), 'kid')
        },
        receive: () => hold.opened,
        onChildFailure: () => 'escalate',
      },
      'parent',
    )
    const asked = parent.ask('wait')
    await lab.clock.settle()
    const end = lab.system.stop(parent)
    await failing(lab, (await lab.system.find('kid'))!)
    hold.open()
    await asked
    await end
    expect(lab.log.filter((line) => !/^(make|start) /.test(line))).toEqual([
      ...failed,
      ...stopped,
      'stopped parent: killed',
    ])
  })

  test('while a listener of actorFailed stops the parent: it ends once, as killed', async () => {
    const lab = await startLab()
    const { kid, log } = await family(lab, () => 'escalate', undefined, atOnce)
    lab.system.on('actorFailed', ({ ref }) => {
      if (ref.name === 'parent') void lab.system.stop(ref)
    })
    await failing(lab, kid)
    await lab.clock.advanceAsync(60_000)
    expect(log.filter((line) => line.includes('parent'))).toEqual([
      'failed parent: broken',
      'parent stops killed',
      'stopped parent: killed',
    ])
  })
})
