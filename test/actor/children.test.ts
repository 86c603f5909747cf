/** Actors that other actors spawned: which there are, and that none outlives its parent, nor the instance that spawned it. */
import type { ActorContext, ActorLike, ActorRef, RestartPolicy, StopReason } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { STOP_GRACE_MS } from '../../src/actor/actor-cell.ts'
import { type Lab, obedient, outcomeOf, startLab } from './supervision-lab.ts'
import { gate, stateOf } from './systems.ts'

const atOnce: RestartPolicy = { policy: 'on-failure', minBackoffMs: 0 }

/** An actor whose children are those it was asked for by name; `names` answers who they are. */
function family(
  log: string[],
  child: (name: string) => ActorLike = () => ({ receive: () => 'here' }),
): () => ActorLike {
  return obedient(log, {
    handle: (text, ctx) => (text === 'names' ? ctx.children.map(({ name }) => name) : ctx.spawn(child(text), text)),
  })
}

async function parentWith(lab: Lab, names: readonly string[], restart?: RestartPolicy): Promise<ActorRef> {
  const child = (name: string): ActorLike => ({
    receive: () => 'here',
    onStop: (_ctx, reason) => void lab.log.push(`${name} ${reason}`),
  })
  const parent = await lab.system.spawn(family(lab.log, child), 'parent', restart ? { restart } : {})
  for (const name of names) await parent.ask(name)
  lab.take()
  return parent
}

describe('ctx.children', () => {
  test('are those that live, in the order they were spawned', async () => {
    const lab = await startLab()
    const parent = await parentWith(lab, ['c', 'a', 'b'])
    expect(await parent.ask('names')).toEqual(['c', 'a', 'b'])
    await lab.system.stop('a')
    await parent.ask('d')
    expect(await parent.ask('names')).toEqual(['c', 'b', 'd'])
  })

  test('are none of an actor that spawned none, of its grandchildren, or of others', async () => {
    const lab = await startLab()
    const parent = await parentWith(lab, [])
    await lab.system.spawn({ receive: () => undefined }, 'stranger')
    expect(await parent.ask('names')).toEqual([])
    const elder = await lab.system.spawn(
      family(lab.log, () => family(lab.log)()),
      'elder',
    )
    const middle = await elder.ask<ActorRef>('middle')
    await middle.ask('young')
    expect(await elder.ask('names')).toEqual(['middle'])
    expect(await middle.ask('names')).toEqual(['young'])
  })

  test('include one that is being restarted, and one that is still starting', async () => {
    const lab = await startLab()
    const hold = gate()
    const parent = await lab.system.spawn(
      obedient(lab.log, {
        handle: (text, ctx) => {
          if (text === 'names') return ctx.children.map(({ name }) => name)
          const restart: RestartPolicy = { policy: 'on-failure', minBackoffMs: 1_000 }
          if (text === 'weak') return ctx.spawn(obedient(lab.log), text, { restart })
          void ctx.spawn({ receive: () => undefined, onStart: () => hold.opened }, text)
          return undefined
        },
      }),
      'parent',
    )
    const weak = await parent.ask<ActorRef>('weak')
    await parent.ask('slow')
    await outcomeOf(weak.ask('fail'))
    expect(await parent.ask('names')).toEqual(['weak', 'slow'])
    hold.open()
  })

  test('do not include one whose onStart threw', async () => {
    const lab = await startLab()
    const names: unknown[] = []
    await lab.system.spawn({
      receive: () => undefined,
      onStart: async (ctx) => {
        const failing = (): ActorLike => ({
          receive: () => undefined,
          onStart: () => {
            throw new Error('no')
          },
        })
        await ctx.spawn(failing, 'kid').catch((error: Error) => names.push(error.message))
        names.push(ctx.children.length)
      },
    })
    expect(names).toEqual(['no', 0])
  })

  test('are in onStop none: they have stopped', async () => {
    const lab = await startLab()
    let left: number | undefined
    await lab.system.spawn(
      {
        receive: () => undefined,
        onStart: (ctx) => ctx.spawn({ receive: () => undefined }, 'kid').then(() => undefined),
        onStop: (ctx) => void (left = ctx.children.length),
      },
      'parent',
    )
    await lab.system.stop('parent')
    expect(left).toBe(0)
  })
})

describe('the end of a parent', () => {
  test('stops all children at once, each with its own last message, before its onStop', async () => {
    const lab = await startLab()
    const holds = [gate(), gate()]
    const parent = await lab.system.spawn(
      obedient(lab.log, {
        handle: (text, ctx) =>
          ctx.spawn({ receive: () => holds[Number(text)]!.opened.then(() => `${text} answered`) }, text),
      }),
      'parent',
    )
    const kids = [await parent.ask<ActorRef>('0'), await parent.ask<ActorRef>('1')]
    const asked = kids.map((kid) => kid.ask('go'))
    await lab.clock.settle()
    lab.take()
    const stopped = lab.system.stop('parent')
    holds[1]!.open()
    await lab.clock.settle()
    expect(lab.log).toEqual(['stopped 1: killed'])
    expect(await stateOf(stopped)).toBe('pending')
    holds[0]!.open()
    await stopped
    expect(await Promise.all(asked)).toEqual(['0 answered', '1 answered'])
    expect(lab.log).toEqual(['stopped 1: killed', 'stopped 0: killed', 'stop 1 killed', 'stopped parent: killed'])
  })

  test.each<[string, (lab: Lab) => Promise<unknown>, StopReason]>([
    ['a shutdown', (lab) => lab.system.shutdown(), 'shutdown'],
    ['a stop', (lab) => lab.system.stop('parent'), 'killed'],
  ])('by %s tells children so', async (_how, end, reason) => {
    const lab = await startLab()
    await parentWith(lab, ['a', 'b'])
    await end(lab)
    expect(lab.log.filter((line) => /^[ab] /.test(line)).sort()).toEqual([`a ${reason}`, `b ${reason}`])
  })

  test('by itself, or by a failure, kills its children', async () => {
    for (const text of ['stop', 'fail']) {
      const lab = await startLab()
      const parent = await parentWith(lab, ['a'], { policy: 'on-failure', maxRestarts: 0 })
      await outcomeOf(parent.ask(text))
      await lab.clock.settle()
      expect(lab.log.slice(-3)).toEqual([
        'stopped a: killed',
        `stop 1 ${text === 'stop' ? 'normal' : 'failed'}`,
        `stopped parent: ${text === 'stop' ? 'normal' : 'failed'}`,
      ])
    }
  })

  test('in its onStart, by a throw, stops the children it had spawned, and frees their names', async () => {
    const lab = await startLab()
    const spawned = lab.system.spawn({
      receive: () => undefined,
      onStart: async (ctx) => {
        await ctx.spawn({ receive: () => undefined }, 'kid')
        throw new Error('no')
      },
    })
    await expect(spawned).rejects.toMatchObject({ message: 'no' })
    expect(lab.system.census().actors).toBe(0)
    await lab.system.spawn({ receive: () => undefined }, 'kid')
  })

  test('waits for a child that hangs no longer than that child’s own 30 seconds', async () => {
    const lab = await startLab()
    const parent = await lab.system.spawn(
      obedient(lab.log, { handle: (_text, ctx) => ctx.spawn({ receive: () => new Promise(() => undefined) }, 'kid') }),
      'parent',
    )
    const kid = await parent.ask<ActorRef>('spawn')
    const asked = outcomeOf(kid.ask('hang', { timeout: Infinity }))
    await lab.clock.settle()
    const stopped = lab.system.stop('parent')
    await lab.clock.advanceAsync(STOP_GRACE_MS - 1)
    expect(await stateOf(stopped)).toBe('pending')
    await lab.clock.advanceAsync(1)
    expect(await stateOf(stopped)).toBe('fulfilled')
    expect(await asked).toBe('error actor_stopped')
  })
})

describe('spawning children', () => {
  test('rejects with ActorStoppedError from what goes on after its actor ended', async () => {
    const lab = await startLab()
    let context: ActorContext | undefined
    await lab.system.spawn({ receive: () => undefined, onStart: (ctx) => void (context = ctx) }, 'parent')
    await lab.system.stop('parent')
    await expect(context!.spawn({ receive: () => undefined }, 'kid')).rejects.toMatchObject({ code: 'actor_stopped' })
    expect(await lab.system.hasActor('kid')).toBe(false)
  })

  test('rejects in onStop: nobody would stop them', async () => {
    const lab = await startLab()
    const outcomes: unknown[] = []
    await lab.system.spawn(
      {
        receive: () => undefined,
        onStop: async (ctx) => void outcomes.push(await outcomeOf(ctx.spawn({ receive: () => undefined }, 'kid'))),
      },
      'parent',
    )
    await lab.system.stop('parent')
    expect(outcomes).toEqual(['error actor_stopped'])
    expect(lab.system.census().actors).toBe(0)
  })

  test('rejects while the parent waits to be restarted, and works again in the next instance', async () => {
    const lab = await startLab()
    const contexts: ActorContext[] = []
    const ref = await lab.system.spawn(obedient(lab.log, { start: (ctx) => void contexts.push(ctx) }), 'parent', {
      restart: { policy: 'on-failure' },
    })
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    const kid = { receive: () => undefined }
    await expect(contexts[0]!.spawn(kid, 'kid')).rejects.toMatchObject({ code: 'actor_stopped' })
    await lab.clock.advanceAsync(100)
    await contexts[1]!.spawn(kid, 'kid')
    expect(await lab.system.hasActor('kid')).toBe(true)
  })

  test('by a handler that runs on while its actor stops is allowed; they are stopped with it', async () => {
    const lab = await startLab()
    const hold = gate()
    const ref = await lab.system.spawn(
      obedient(lab.log, {
        handle: (_text, ctx) => hold.opened.then(() => ctx.spawn({ receive: () => 'here' }, 'kid')),
      }),
      'parent',
    )
    const asked = ref.ask<ActorRef>('spawn')
    await lab.clock.settle()
    const stopped = lab.system.stop('parent')
    hold.open()
    const kid = await asked
    await stopped
    await expect(kid.ask('there?')).rejects.toMatchObject({ code: 'actor_stopped' })
    expect(lab.log.slice(-3)).toEqual(['stopped kid: killed', 'stop 1 killed', 'stopped parent: killed'])
  })

  test('is called off by the parent’s end while they start: spawn rejects, and their onStop runs', async () => {
    const lab = await startLab()
    const hold = gate()
    const ref = await lab.system.spawn(
      obedient(lab.log, {
        handle: (_text, ctx) => {
          const kid: ActorLike = {
            receive: () => undefined,
            onStart: () => hold.opened,
            onStop: (_c, reason) => void lab.log.push(`kid ${reason}`),
          }
          void ctx.spawn(kid, 'kid').catch((error: { code: string }) => lab.log.push(`spawn ${error.code}`))
        },
      }),
      'parent',
    )
    await ref.ask('spawn')
    lab.take()
    const stopped = lab.system.stop('parent')
    await lab.clock.settle()
    expect(lab.log).toEqual([])
    hold.open()
    await stopped
    expect(lab.log.filter((line) => !line.startsWith('spawn'))).toEqual([
      'kid killed',
      'stopped kid: killed',
      'stop 1 killed',
      'stopped parent: killed',
    ])
    expect(lab.log).toContain('spawn actor_stopped')
  })
})

describe('a restart of the parent', () => {
  test('stops the children before the old onStop; the next instance begins without any, their names free', async () => {
    const lab = await startLab()
    const parent = await parentWith(lab, ['a', 'b'], atOnce)
    const failing = outcomeOf(parent.ask('fail'))
    const again = parent.ask('names')
    await failing
    expect(await again).toEqual([])
    expect(lab.log).toEqual([
      '1 fail',
      'failed parent: broken',
      'a killed',
      'b killed',
      'stopped a: killed',
      'stopped b: killed',
      'stop 1 failed',
      'make 2',
      'start 2',
      'restarted parent #1: broken',
      '2 names',
    ])
    await parent.ask('a')
    expect(await parent.ask('names')).toEqual(['a'])
  })

  test('lets onStart spawn its children of the same names again', async () => {
    const lab = await startLab()
    const parent = await lab.system.spawn(
      obedient(lab.log, {
        start: (ctx, instance) => ctx.spawn({ receive: () => `of ${instance}` }, 'kid').then(() => undefined),
      }),
      'parent',
      { restart: atOnce },
    )
    // By its URI: a ref of the name would go on to the next kid.
    const first = (await lab.system.find(String(await lab.system.find('kid'))))!
    await outcomeOf(parent.ask('fail'))
    await lab.clock.settle()
    expect(await (await lab.system.resolve('kid')).ask('whose?')).toBe('of 2')
    await expect(first.ask('whose?')).rejects.toMatchObject({ code: 'actor_stopped' })
    expect(lab.system.census().actors).toBe(2)
  })

  test('is held up by a child that ends its work, not by one that waits to be restarted', async () => {
    const lab = await startLab()
    const hold = gate<string>()
    const parent = await lab.system.spawn(
      obedient(lab.log, {
        handle: (text, ctx) =>
          ctx.spawn(obedient([], { handle: () => hold.opened }), text, {
            restart: { policy: 'on-failure', minBackoffMs: 20_000 },
          }),
      }),
      'parent',
      { restart: atOnce },
    )
    const weak = await parent.ask<ActorRef>('weak')
    const busy = await parent.ask<ActorRef>('busy')
    await outcomeOf(weak.ask('fail'))
    const asked = busy.ask('work')
    await lab.clock.settle()
    lab.take()
    await outcomeOf(parent.ask('fail'))
    await lab.clock.settle()
    expect(lab.take()).toEqual(['1 fail', 'failed parent: broken', 'stopped weak: killed'])
    hold.open('done')
    expect(await asked).toBe('done')
    await lab.clock.settle()
    expect(lab.log.slice(-1)).toEqual(['restarted parent #1: broken'])
  })

  test('tells a parent that watched its children, and now is another instance, that they are gone', async () => {
    const lab = await startLab()
    const ends: unknown[] = []
    let made = 0
    const parent = await lab.system.spawn(
      () => {
        const instance = ++made
        return {
          onStart: async (ctx) => {
            if (instance === 1) ctx.watch(await ctx.spawn({ receive: () => undefined }, 'kid'))
          },
          receive: (msg) => {
            if (msg.msgType !== 'Terminated') throw new Error('broken')
            ends.push([instance, msg.toObject<{ ref: ActorRef; reason: string }>().reason])
          },
        }
      },
      'parent',
      { restart: atOnce },
    )
    await outcomeOf(parent.ask('fail'))
    await lab.clock.settle()
    expect(ends).toEqual([[2, 'killed']])
  })
})
