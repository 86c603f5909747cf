/** Restarts: what brings one about, what it keeps, and what the actor's own code sees of it. */
import {
  Actor,
  type ActorContext,
  type ActorRef,
  asActor,
  type Behavior,
  behavior,
  type Message,
  type RestartPolicy,
  type StreamReader,
} from 'pulsing'
import { describe, expect, test } from 'vitest'
import { type Lab, obedient, outcomeOf, startLab } from './supervision-lab.ts'
import { gate, stateOf } from './systems.ts'

const onFailure: RestartPolicy = { policy: 'on-failure' }
const always: RestartPolicy = { policy: 'always' }
const never: RestartPolicy = { policy: 'never' }

/** Long enough for the first wait of every policy here. */
const FIRST_WAIT_MS = 100

/** An {@link obedient} actor, named `a`. */
async function obey(lab: Lab, restart?: RestartPolicy, parts?: Parameters<typeof obedient>[1]): Promise<ActorRef> {
  const ref = await lab.system.spawn(obedient(lab.log, parts), 'a', restart ? { restart } : {})
  lab.take()
  return ref
}

describe('what brings a restart about', () => {
  test.each([
    ['without a policy', undefined],
    ['under never', never],
  ])(
    '%s an actor that throws goes on as it is, after the caller and whoever listens were told',
    async (_how, policy) => {
      const lab = await startLab()
      const ref = await obey(lab, policy)
      await expect(ref.ask('fail')).rejects.toMatchObject({ code: 'system_error', message: 'broken' })
      expect(await ref.ask('still there?')).toBe('1 still there?')
      await lab.clock.advanceAsync(60_000)
      expect(lab.log).toEqual(['1 fail', 'failed a: broken', '1 still there?'])
    },
  )

  test.each([
    ['on-failure', onFailure],
    ['always', always],
  ])('under %s an actor that throws is made anew, after its caller was told', async (_name, policy) => {
    const lab = await startLab()
    const ref = await obey(lab, policy)
    await expect(ref.ask('fail')).rejects.toMatchObject({ code: 'system_error', message: 'broken' })
    const next = ref.ask('there?')
    expect(await stateOf(next)).toBe('pending')
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(await next).toBe('2 there?')
  })

  test.each<[string, (msg: Message) => unknown]>([
    [
      'throws an error',
      () => {
        throw new Error('broken')
      },
    ],
    [
      'throws what is no error',
      () => {
        throw 'a text'
      },
    ],
    ['returns a promise that rejects', () => Promise.reject(new TypeError('rejected'))],
    // biome-ignore lint/suspicious/noThenProperty: the point of the test
    ['returns a thenable of its own that rejects', () => ({ then: (_: unknown, no: (e: unknown) => void) => no(7) })],
  ])('a handler that %s fails, asked or told', async (_how, receive) => {
    const lab = await startLab()
    let made = 0
    const ref = await lab.system.spawn(
      () => {
        made++
        return { receive }
      },
      { restart: { ...onFailure, minBackoffMs: 0 } },
    )
    await expect(ref.ask('go')).rejects.toMatchObject({ code: expect.stringMatching(/_error$/) })
    await lab.clock.settle()
    expect(made).toBe(2)
    await ref.tell('go')
    await lab.clock.settle()
    expect(made).toBe(3)
  })

  test('what a function given to become throws is a failure too', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure, {
      handle: (_text, ctx) =>
        ctx.become(() => {
          throw new Error('became worse')
        }),
    })
    await ref.ask('become')
    expect(await outcomeOf(ref.ask('x'))).toBe('error system_error')
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(lab.log).toContain('restarted a #1: became worse')
  })

  test('so is a failure to handle the end of a watched actor', async () => {
    const lab = await startLab()
    const watched = await lab.system.spawn({ receive: () => undefined })
    let made = 0
    await lab.system.spawn(
      () => {
        made++
        return {
          onStart: (ctx) => {
            if (made === 1) ctx.watch(watched)
          },
          receive: () => {
            throw new Error('cannot bear it')
          },
        }
      },
      { restart: { ...onFailure, minBackoffMs: 0 } },
    )
    await lab.system.stop(watched)
    await lab.clock.settle()
    expect(made).toBe(2)
  })

  test('a generator that throws ends its stream with the error, and is no failure of its actor', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure, {
      handle: async function* () {
        yield 'first'
        throw new Error('ran dry')
      },
    })
    const reader = await ref.ask<StreamReader<string>>('stream')
    expect(await reader.next()).toEqual({ done: false, value: 'first' })
    await expect(reader.next()).rejects.toMatchObject({ message: 'ran dry' })
    await lab.clock.advanceAsync(60_000)
    expect(lab.log).toEqual(['1 stream'])
  })

  test('a caller that gives up is no failure where the handler ends well', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure, {
      handle: (_text, ctx) => new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve())),
    })
    const asked = outcomeOf(ref.ask('wait', { timeout: 50 }))
    await lab.clock.advanceAsync(60_000)
    expect(await asked).toBe('error timeout')
    expect(lab.log).toEqual(['1 wait'])
  })

  test('a handler that throws because its caller gave up is no failure either', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure, {
      handle: (_text, ctx) =>
        new Promise<void>((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))),
    })
    const asked = outcomeOf(ref.ask('wait', { timeout: 50 }))
    await lab.clock.advanceAsync(60_000)
    expect(await asked).toBe('error timeout')
    expect(lab.log).toEqual(['1 wait', 'failed a: ask took longer than 50 ms'])
  })

  test('messages refused by a full mailbox are no failure', async () => {
    const lab = await startLab()
    const release = gate()
    const ref = await lab.system.spawn(obedient(lab.log, { handle: () => release.opened }), 'a', {
      restart: onFailure,
      mailbox: { capacity: 16, overflow: 'fail' },
    })
    lab.take()
    const asked = Array.from({ length: 20 }, (_, i) => outcomeOf(ref.ask(String(i))))
    await lab.clock.settle()
    release.open()
    expect(
      (await Promise.all(asked)).filter((outcome) => outcome === 'error actor_mailbox_full').length,
    ).toBeGreaterThan(0)
    await lab.clock.advanceAsync(60_000)
    expect(lab.log.filter((line) => !/^1 \d+$/.test(line))).toEqual([])
  })

  test('ctx.stop() begins anew under always, and ends the actor under on-failure and never', async () => {
    for (const [policy, ends] of [
      [always, ['stop 1 normal', 'make 2', 'start 2', 'restarted a #1: no error']],
      [onFailure, ['stop 1 normal', 'stopped a: normal']],
      [never, ['stop 1 normal', 'stopped a: normal']],
    ] as const) {
      const lab = await startLab()
      const ref = await obey(lab, policy)
      await ref.ask('stop')
      await lab.clock.advanceAsync(FIRST_WAIT_MS)
      expect(lab.log, policy.policy).toEqual(['1 stop', ...ends])
    }
  })

  test('ctx.stop(‘failed’) begins anew under on-failure too, and tells onStop so', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure, { handle: (_text, ctx) => ctx.stop('failed') })
    await ref.ask('give up')
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(lab.log).toEqual(['1 give up', 'stop 1 failed', 'make 2', 'start 2', 'restarted a #1: no error'])
  })

  test.each(['killed', 'shutdown'] as const)('ctx.stop(‘%s’) ends the actor under every policy', async (reason) => {
    const lab = await startLab()
    const ref = await obey(lab, always, { handle: (_text, ctx) => ctx.stop(reason) })
    await ref.ask('end')
    await lab.clock.advanceAsync(60_000)
    expect(lab.log).toEqual(['1 end', `stop 1 ${reason}`, `stopped a: ${reason}`])
  })

  test('ctx.stop() said twice under always is one restart', async () => {
    const lab = await startLab()
    const ref = await obey(lab, always, {
      handle: (_text, ctx) => {
        ctx.stop()
        ctx.stop()
      },
    })
    await ref.ask('stop it')
    await lab.clock.advanceAsync(60_000)
    expect(lab.log).toEqual(['1 stop it', 'stop 1 normal', 'make 2', 'start 2', 'restarted a #1: no error'])
  })

  test('ctx.stop() in the onStop of an instance that is being replaced changes nothing under always', async () => {
    const lab = await startLab()
    const ref = await obey(lab, always, { stop: (ctx, reason) => void (reason === 'failed' && ctx.stop()) })
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(60_000)
    expect(lab.log.slice(-2)).toEqual(['start 2', 'restarted a #1: broken'])
  })

  test('a handler that says ctx.stop() and then throws is restarted once', async () => {
    for (const policy of [always, onFailure]) {
      const lab = await startLab()
      const ref = await obey(lab, policy, {
        handle: (_text, ctx) => {
          ctx.stop()
          throw new Error('on the way out')
        },
      })
      expect(await outcomeOf(ref.ask('x'))).toBe('error system_error')
      await lab.clock.advanceAsync(60_000)
      const restarts = lab.log.filter((line) => line.startsWith('restarted')).length
      expect([policy.policy, restarts]).toEqual([policy.policy, policy === always ? 1 : 0])
    }
  })

  test('somebody else’s stop ends the actor under every policy', async () => {
    const lab = await startLab()
    await obey(lab, always)
    await lab.system.stop('a')
    await lab.clock.advanceAsync(60_000)
    expect(lab.log).toEqual(['stop 1 killed', 'stopped a: killed'])
  })

  test('a first onStart that throws fails spawn under every policy, and nothing is tried again', async () => {
    const lab = await startLab()
    const spawned = lab.system.spawn(
      obedient(lab.log, {
        start: () => {
          throw new Error('no')
        },
      }),
      'a',
      { restart: always },
    )
    await expect(spawned).rejects.toMatchObject({ message: 'no' })
    await lab.clock.advanceAsync(60_000)
    expect(lab.log.filter((line) => !line.startsWith('stopped'))).toEqual(['make 1', 'start 1'])
    expect(lab.system.census().actors).toBe(0)
  })
})

describe('classes as actors', () => {
  const Account = asActor(
    class Account {
      balance = 0
      deposit(n: number): number {
        if (n <= 0) throw new RangeError('expected a positive amount')
        return (this.balance += n)
      }
      async withdraw(n: number): Promise<number> {
        await Promise.resolve()
        throw new Error(`cannot withdraw ${n}`)
      }
    },
  )

  test('what a method throws is its caller’s alone: the state stays, under every policy', async () => {
    for (const policy of [never, onFailure, always]) {
      const lab = await startLab()
      const account = await Account.options({ restart: policy }).local(lab.system)
      await account.deposit(5)
      await expect(account.deposit(0)).rejects.toMatchObject({ code: 'business_error' })
      await expect(account.withdraw(1)).rejects.toMatchObject({ code: 'system_error' })
      await lab.clock.advanceAsync(60_000)
      expect([policy.policy, await account.deposit(1)]).toEqual([policy.policy, 6])
    }
  })

  test('where nobody waits for the answer too', async () => {
    const lab = await startLab()
    const account = await Account.options({ name: 'a', restart: always }).local(lab.system)
    await account.deposit(5)
    await account.tell('deposit', 0)
    await lab.clock.advanceAsync(60_000)
    expect(await account.deposit(1)).toBe(6)
    expect(lab.log).toEqual(['failed a: expected a positive amount'])
  })

  test('with methodErrors ‘failure’ it is a failure as well: state begins anew, from the same arguments', async () => {
    const lab = await startLab()
    const Counter = asActor(
      class {
        value: number
        constructor(value: number) {
          this.value = value
        }
        add(n: number): number {
          if (n === 0) throw new Error('nothing to add')
          return (this.value += n)
        }
      },
    )
    const restart: RestartPolicy = { ...onFailure, methodErrors: 'failure' }
    const counter = await Counter.options({ name: 'a', restart }).local(lab.system, 100)
    expect(await counter.add(1)).toBe(101)
    await expect(counter.add(0)).rejects.toMatchObject({ message: 'nothing to add' })
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(await counter.add(1)).toBe(101)
    expect(lab.log).toEqual(['failed a: nothing to add', 'restarted a #1: nothing to add'])
  })

  test('a call of something that is no method is the caller’s mistake, never a failure', async () => {
    const lab = await startLab()
    const account = await Account.options({ name: 'a', restart: { ...onFailure, methodErrors: 'failure' } }).local(
      lab.system,
    )
    await account.deposit(5)
    await expect(account.ref.asAny()['close']!()).rejects.toMatchObject({ code: 'no_such_method' })
    await expect(account.ref.ask('not a call')).rejects.toMatchObject({ code: 'no_such_method' })
    await lab.clock.advanceAsync(60_000)
    expect(lab.log.filter((line) => line.startsWith('restarted'))).toEqual([])
    expect(await account.deposit(1)).toBe(6)
  })

  test('onStart and onStop of the class run with every instance, and methods with their context', async () => {
    const lab = await startLab()
    const { log } = lab
    let made = 0
    const Hooked = asActor(
      class {
        readonly number = ++made
        onStart(): void {
          log.push(`start ${this.number}`)
        }
        onStop(_ctx: unknown, reason: string): void {
          log.push(`stop ${this.number} ${reason}`)
        }
        fail(): void {
          throw new Error('broken')
        }
      },
    )
    const hooked = await Hooked.options({ name: 'a', restart: { ...onFailure, methodErrors: 'failure' } }).local(
      lab.system,
    )
    await outcomeOf(hooked.fail())
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(log).toEqual(['start 1', 'failed a: broken', 'stop 1 failed', 'start 2', 'restarted a #1: broken'])
  })

  test('a delayed call of somebody else’s survives the restart of the actor it is for', async () => {
    const lab = await startLab()
    const account = await Account.options({ restart: { ...onFailure, methodErrors: 'failure' } }).local(lab.system)
    account.delayed(5_000).deposit(7)
    await outcomeOf(account.withdraw(1))
    await lab.clock.advanceAsync(5_000)
    expect(await account.deposit(1)).toBe(8)
  })
})

describe('what a restart keeps', () => {
  test('the ref, its id and its name, and the place in the system', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure)
    const { id } = ref
    await outcomeOf(ref.ask('fail'))
    expect((await lab.system.find('a'))?.id).toBe(id)
    await expect(lab.system.spawn(obedient([]), 'a')).rejects.toMatchObject({ code: 'actor_already_exists' })
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect((await lab.system.find('a'))?.id).toBe(id)
    expect(await ref.ask('there?')).toBe('2 there?')
    expect(lab.system.census().actors).toBe(1)
  })

  test('messages that wait, in their order; the one that failed is not tried again', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure)
    const asked = ['a', 'fail', 'b', 'c'].map((text) => outcomeOf(ref.ask(text)))
    await ref.tell('told')
    await lab.clock.settle()
    const late = ref.ask('during backoff')
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(await Promise.all([...asked, late])).toEqual(['1 a', 'error system_error', '2 b', '2 c', '2 during backoff'])
    expect(lab.log.filter((line) => /^\d /.test(line))).toEqual([
      '1 a',
      '1 fail',
      '2 b',
      '2 c',
      '2 told',
      '2 during backoff',
    ])
    expect(lab.dead).toEqual([])
  })

  test('senders that wait for room in the mailbox', async () => {
    const lab = await startLab()
    const ref = await lab.system.spawn(obedient(lab.log), 'a', { restart: onFailure, mailbox: { capacity: 16 } })
    lab.take()
    const failing = outcomeOf(ref.ask('fail'))
    const told = Array.from({ length: 40 }, (_, i) => ref.tell(`m${i}`))
    await failing
    expect(await stateOf(told[39]!)).toBe('pending')
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    await Promise.all(told)
    await lab.clock.settle()
    expect(lab.log.filter((line) => /^2 m/.test(line))).toEqual(Array.from({ length: 40 }, (_, i) => `2 m${i}`))
  })

  test('stashed messages come back in front of all others, in the order they were stashed', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure, {
      handle: (text, ctx, instance) => (instance === 1 ? ctx.stash() : `${instance} ${text}`),
    })
    const stashed = ['s1', 's2', 's3'].map((text) => ref.ask(text))
    const failing = outcomeOf(ref.ask('fail'))
    const queued = ref.ask('queued')
    await failing
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(await Promise.all([...stashed, queued])).toEqual(['2 s1', '2 s2', '2 s3', '2 queued'])
    expect(lab.log.filter((line) => line.startsWith('2 '))).toEqual(['2 s1', '2 s2', '2 s3', '2 queued'])
  })

  test('a message that was stashed and then failed is not handled again, and its ask has the error', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure, {
      handle: (text, ctx, instance) => {
        if (text === 'both') {
          ctx.stash()
          throw new Error('stashed and thrown')
        }
        return `${instance} ${text}`
      },
    })
    const both = outcomeOf(ref.ask('both'))
    await ref.tell('both')
    await lab.clock.advanceAsync(60_000)
    expect(await both).toBe('error system_error')
    expect(lab.log.filter((line) => line.endsWith(' both'))).toEqual(['1 both', '2 both'])
    expect(await ref.ask('there?')).toBe('3 there?')
    await lab.system.stop('a')
  })

  test('a message that was stashed, unstashed and then failed is not handled again either', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure, {
      handle: (text, ctx, instance) => {
        if (text !== 'both') return `${instance} ${text}`
        ctx.stash()
        ctx.unstashAll()
        throw new Error('unstashed and thrown')
      },
    })
    const both = outcomeOf(ref.ask('both'))
    await lab.clock.advanceAsync(60_000)
    expect(await both).toBe('error system_error')
    expect(lab.log.filter((line) => line.endsWith(' both'))).toEqual(['1 both'])
    expect(await ref.ask('there?')).toBe('2 there?')
  })

  test('the context of a message that is over cannot bring it back', async () => {
    const lab = await startLab()
    const contexts: ActorContext[] = []
    const ref = await obey(lab, onFailure, { handle: (_text, ctx) => void contexts.push(ctx) })
    await ref.ask('once')
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    try {
      contexts[0]!.stash()
    } catch (error) {
      expect(error).toMatchObject({ code: 'unsupported' })
    }
    contexts[0]!.unstashAll()
    await ref.ask('twice')
    await lab.system.stop('a')
    expect(lab.log.filter((line) => /^\d /.test(line))).toEqual(['1 once', '1 fail', '2 twice'])
  })

  test('an ask that times out while the actor waits to be restarted is never handled, and a dead letter', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { ...onFailure, minBackoffMs: 1_000 })
    await outcomeOf(ref.ask('fail'))
    const asked = outcomeOf(ref.ask('in vain', { timeout: 500 }))
    await lab.clock.advanceAsync(1_000)
    expect(await asked).toBe('error timeout')
    expect(lab.log).not.toContain('2 in vain')
    expect(lab.dead).toEqual(['timeout'])
  })

  test('those who watch it are not told', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { ...onFailure, maxRestarts: 1 })
    const ends: unknown[] = []
    await lab.system.spawn({
      onStart: (ctx) => ctx.watch(ref),
      receive: (msg) => void ends.push(msg.toObject<{ reason: string }>().reason),
    })
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(60_000)
    expect(ends).toEqual([])
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    expect(ends).toEqual(['failed'])
  })

  test('whom it watches: the news reaches the instance that lives then', async () => {
    const lab = await startLab()
    const watched = await lab.system.spawn({ receive: () => undefined })
    let made = 0
    const seen: string[] = []
    const ref = await lab.system.spawn(
      () => {
        const instance = ++made
        return {
          receive: (msg, ctx) => {
            if (msg.msgType === 'Terminated') seen.push(`${instance} ${msg.toObject<{ reason: string }>().reason}`)
            else if (msg.toObject() === 'watch') ctx.watch(watched)
            else throw new Error('broken')
          },
        }
      },
      { restart: onFailure },
    )
    await ref.ask('watch')
    await outcomeOf(ref.ask('fail'))
    await lab.system.stop(watched)
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(seen).toEqual(['2 killed'])
  })
})

describe('what a restart drops', () => {
  test('the state of the instance', async () => {
    const lab = await startLab()
    class Sum extends Actor {
      #sum = 0
      override receive(msg: Message): number {
        const n = msg.toObject<number>()
        if (n < 0) throw new Error('negative')
        return (this.#sum += n)
      }
    }
    const ref = await lab.system.spawn(Sum, { restart: onFailure })
    await ref.ask(5)
    await outcomeOf(ref.ask(-1))
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(await ref.ask(2)).toBe(2)
  })

  test('what become put in its place', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure, {
      handle: (text, ctx, instance) => {
        if (text !== 'become') return `${instance} ${text}`
        return ctx.become((msg) => {
          if (msg.toObject() === 'fail') throw new Error('broken')
          return 'became'
        })
      },
    })
    await ref.ask('become')
    expect(await ref.ask('x')).toBe('became')
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(await ref.ask('x')).toBe('2 x')
  })

  test('the behaviors a behavior has become: it begins with the first', async () => {
    const lab = await startLab()
    const counter = (count: number): Behavior<'add' | 'get' | 'fail', number> =>
      behavior<'add' | 'get' | 'fail', number>((msg) => {
        if (msg === 'fail') throw new Error('broken')
        return msg === 'get' ? count : counter(count + 1)
      })
    const ref = await lab.system.spawn(counter(10), { restart: onFailure })
    await ref.tell('add')
    await ref.tell('add')
    expect(await ref.ask('get')).toBe(12)
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(await ref.ask('get')).toBe(10)
  })

  test('a function makes the state of a behavior anew', async () => {
    const lab = await startLab()
    let made = 0
    const ref = await lab.system.spawn(
      () => {
        const seen = [`made ${++made}`]
        return behavior<string, string>((msg) => {
          if (msg === 'fail') throw new Error('broken')
          seen.push(msg)
          return seen.join()
        })
      },
      { restart: onFailure },
    )
    expect(await ref.ask('x')).toBe('made 1,x')
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(await ref.ask('y')).toBe('made 2,y')
  })
})

describe('hooks around a restart', () => {
  test('the old onStop is over, with reason failed, before the next instance is made and started', async () => {
    const lab = await startLab()
    const [stopping, starting] = [gate(), gate()]
    const ref = await obey(
      lab,
      { ...onFailure, minBackoffMs: 0 },
      {
        stop: (_ctx, _reason, instance) => (instance === 1 ? stopping.opened : undefined),
        start: (_ctx, instance) => (instance === 2 ? starting.opened : undefined),
      },
    )
    const failing = outcomeOf(ref.ask('fail'))
    const asked = ref.ask('x')
    await failing
    await lab.clock.settle()
    expect(lab.take()).toEqual(['1 fail', 'failed a: broken', 'stop 1 failed'])
    stopping.open()
    await lab.clock.settle()
    expect(lab.take()).toEqual(['make 2', 'start 2'])
    expect(await stateOf(asked)).toBe('pending')
    starting.open()
    expect(await asked).toBe('2 x')
    expect(lab.take()).toEqual(['restarted a #1: broken', '2 x'])
  })

  test('an onStop that throws is reported, and the restart goes on', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure, {
      stop: (_ctx, _reason, instance) => {
        if (instance === 1) throw new Error('cannot close')
      },
    })
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    expect(lab.log.slice(-5)).toEqual([
      'stop 1 failed',
      'failed a: cannot close',
      'make 2',
      'start 2',
      'restarted a #1: broken',
    ])
  })

  test('an onStop that hangs is waited for 30 seconds, then the next instance starts', async () => {
    const lab = await startLab()
    const ref = await obey(
      lab,
      { ...onFailure, minBackoffMs: 0 },
      {
        stop: (_ctx, _reason, instance) => (instance === 1 ? new Promise(() => undefined) : undefined),
      },
    )
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(29_999)
    expect(lab.log.slice(-1)).toEqual(['stop 1 failed'])
    await lab.clock.advanceAsync(1)
    expect(lab.log.slice(-3)).toEqual(['make 2', 'start 2', 'restarted a #1: broken'])
  })

  test('messages are handled only when the new onStart is over', async () => {
    const lab = await startLab()
    const release = gate()
    const ref = await obey(lab, onFailure, {
      start: (_ctx, instance) => (instance === 2 ? release.opened : undefined),
    })
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    const asked = ref.ask('x')
    expect(await stateOf(asked)).toBe('pending')
    release.open()
    expect(await asked).toBe('2 x')
  })

  test('the last instance’s onStop has the reason the actor ends with', async () => {
    const lab = await startLab()
    const ref = await obey(lab, onFailure)
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(FIRST_WAIT_MS)
    await lab.system.stop('a')
    expect(lab.log.filter((line) => line.startsWith('stop '))).toEqual(['stop 1 failed', 'stop 2 killed'])
  })
})
