/** Ending actors and systems: what still happens, in which order, and what becomes of those who wait. */
import { Actor, type ActorRef, type StopReason, StreamMessage } from 'pulsing'
import { expect, test } from 'vitest'
import { gate, manualTime, startSystem, stateOf, turn } from './systems.ts'

class Recorder extends Actor {
  readonly reasons: StopReason[] = []
  receive(): unknown {
    return 'ok'
  }
  override onStop(_ctx: unknown, reason: StopReason): void {
    this.reasons.push(reason)
  }
}

test('stopping an unknown name does nothing', async () => {
  const system = await startSystem()
  await expect(system.stop('nobody')).resolves.toBe(undefined)
})

test('stop by name and stop by ref end the actor, run onStop once with the reason, and free the name', async () => {
  const system = await startSystem()
  const [one, two] = [new Recorder(), new Recorder()]
  await system.spawn(one, 'one')
  const ref = await system.spawn(two, 'two')
  await system.stop('one')
  await system.stop(ref)
  await system.stop(ref)
  expect([one.reasons, two.reasons]).toEqual([['killed'], ['killed']])
  expect([await system.hasActor('one'), await system.hasActor('two')]).toEqual([false, false])
  await system.spawn(new Recorder(), 'one')
})

test('an actor stopped twice at once stops once, and both calls wait for it', async () => {
  const system = await startSystem()
  const release = gate()
  let stops = 0
  const onStop = (): Promise<void> => {
    stops++
    return release.opened
  }
  const ref = await system.spawn({ receive: () => undefined, onStop })
  const calls = [system.stop(ref), system.stop(ref)]
  expect(await stateOf(Promise.race(calls))).toBe('pending')
  release.open()
  await Promise.all(calls)
  expect(stops).toBe(1)
})

test('ctx.stop ends the actor after the current message with reason normal', async () => {
  const system = await startSystem()
  const stopped = gate<StopReason>()
  const ref = await system.spawn({
    receive: (_msg, ctx) => {
      ctx.stop()
      return 'last words'
    },
    onStop: (_ctx, reason) => stopped.open(reason),
  })
  expect(await ref.ask('go')).toBe('last words')
  expect(await stopped.opened).toBe('normal')
  await expect(ref.ask('again')).rejects.toMatchObject({ code: 'actor_stopped' })
})

test('the current message finishes and is answered; queued asks reject with ActorStoppedError; queued tells are dead letters', async () => {
  const system = await startSystem()
  const dead: string[] = []
  system.on('deadLetter', ({ reason }) => dead.push(reason))
  const started = gate()
  const release = gate()
  const handled: unknown[] = []
  const ref = await system.spawn({
    receive: async (msg) => {
      handled.push(msg.toObject())
      started.open()
      await release.opened
      return 'finished'
    },
  })
  const current = ref.ask('current')
  const queued = ref.ask('queued')
  await ref.tell('told')
  await started.opened
  const stopped = system.stop(ref)
  const late = ref.ask('late')
  const outcomes = Promise.all([
    expect(queued).rejects.toMatchObject({ name: 'ActorStoppedError', code: 'actor_stopped', address: String(ref) }),
    expect(late).rejects.toMatchObject({ code: 'actor_stopped' }),
  ])
  expect(await stateOf(stopped)).toBe('pending')
  release.open()
  expect(await current).toBe('finished')
  await stopped
  await outcomes
  expect(handled).toEqual(['current'])
  expect(dead.length).toBe(3)
})

test('being stopped aborts the signal of the message being handled', async () => {
  const system = await startSystem()
  const started = gate()
  const ref = await system.spawn({
    receive: async (_msg, ctx) => {
      started.open()
      await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
      return 'stopped early'
    },
  })
  const reply = ref.ask('go', { timeout: Infinity })
  await started.opened
  await system.stop(ref)
  expect(await reply).toBe('stopped early')
})

test('a message that does not finish is given up 30 seconds after the stop, and its ask rejects', async () => {
  const time = manualTime()
  const system = await startSystem()
  const started = gate()
  const ref = await system.spawn({
    receive: () => {
      started.open()
      return new Promise(() => undefined)
    },
  })
  const reply = ref.ask('go', { timeout: Infinity })
  const outcome = expect(reply).rejects.toMatchObject({ code: 'actor_stopped' })
  await started.opened
  const stopped = system.stop(ref)
  await time.advance(29_999)
  expect(await stateOf(stopped)).toBe('pending')
  await time.advance(1)
  await stopped
  await outcome
})

test('children stop before their parent’s onStop, the whole tree of them', async () => {
  const system = await startSystem()
  const log: string[] = []
  const node = (name: string, children: readonly string[] = []) => ({
    receive: () => undefined,
    onStart: async (ctx: { spawn(actor: Actor, name: string): Promise<ActorRef> }) => {
      for (const child of children) await ctx.spawn(node(child, child === 'b' ? ['c'] : []) as unknown as Actor, child)
    },
    onStop: async (_ctx: unknown, reason: StopReason) => {
      await turn()
      log.push(`${name} ${reason}`)
    },
  })
  await system.spawn(node('a', ['b']) as unknown as Actor, 'a')
  await system.stop('a')
  expect(log).toEqual(['c killed', 'b killed', 'a killed'])
  expect(await system.hasActor('c')).toBe(false)
})

test('a stop during onStart makes spawn reject, also while a child takes its time to stop', async () => {
  const system = await startSystem()
  const [ready, begin, release] = [gate(), gate(), gate()]
  const spawned = system.spawn(
    {
      receive: () => undefined,
      onStart: async (ctx) => {
        await ctx.spawn({ receive: () => undefined, onStop: () => release.opened })
        ready.open()
        await begin.opened
      },
    },
    'starting',
    { public: true },
  )
  const outcome = expect(spawned).rejects.toMatchObject({ code: 'actor_stopped' })
  await ready.opened
  const stopped = system.stop('starting')
  begin.open()
  await turn()
  release.open()
  await stopped
  await outcome
  expect(await system.hasActor('starting')).toBe(false)
})

test('what onStart set up is torn down by onStop when the actor is stopped meanwhile', async () => {
  const system = await startSystem()
  const [ready, begin] = [gate(), gate()]
  const log: string[] = []
  const spawned = system.spawn(
    {
      receive: () => undefined,
      onStart: async () => {
        ready.open()
        await begin.opened
        log.push('opened')
      },
      onStop: () => void log.push('closed'),
    },
    'starting',
  )
  spawned.catch(() => undefined)
  await ready.opened
  const stopped = system.stop('starting')
  begin.open()
  await stopped
  await expect(spawned).rejects.toMatchObject({ code: 'actor_stopped' })
  expect(log).toEqual(['opened', 'closed'])
})

test('an onStop that throws is reported, and the actor is gone all the same', async () => {
  const system = await startSystem()
  const failures: string[] = []
  system.on('actorFailed', ({ error }) => failures.push(error.message))
  await system.spawn({ receive: () => undefined, onStop: () => Promise.reject(new Error('cannot close')) }, 'bad')
  await system.stop('bad')
  expect(failures).toEqual(['cannot close'])
  expect(await system.hasActor('bad')).toBe(false)
})

test('a tell to an actor that has stopped resolves and is a counted dead letter', async () => {
  const system = await startSystem()
  const dead: unknown[] = []
  system.on('deadLetter', (event) => dead.push(event))
  const ref = await system.spawn(new Recorder())
  await system.stop(ref)
  await ref.tell('anyone?')
  await ref.tell('anyone?')
  expect(dead).toMatchObject([
    { recipient: String(ref), reason: 'actor_stopped', total: 1 },
    { recipient: String(ref), reason: 'actor_stopped', total: 2 },
  ])
})

test('a stream sent to an actor that has stopped is cancelled', async () => {
  const system = await startSystem()
  const ref = await system.spawn(new Recorder())
  await system.stop(ref)
  const [message, writer] = StreamMessage.create('x')
  await expect(ref.ask(message)).rejects.toMatchObject({ code: 'actor_stopped' })
  await expect(writer.write(1)).rejects.toMatchObject({ code: 'stream_closed' })
  expect(writer.signal.aborted).toBe(true)
})

test('shutdown runs onStop of every actor with reason shutdown, settles every ask, and is idempotent', async () => {
  const system = await startSystem()
  const actors = [new Recorder(), new Recorder()]
  for (const actor of actors) await system.spawn(actor)
  const started = gate()
  const busy = await system.spawn({
    receive: async (_msg, ctx) => {
      started.open()
      await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
    },
  })
  const asks = [busy.ask(1, { timeout: Infinity }), busy.ask(2, { timeout: Infinity }), busy.ask(3)]
  const outcomes = Promise.allSettled(asks)
  await started.opened
  const [first, second] = [system.shutdown(), system.shutdown()]
  await Promise.all([first, second])
  await system.shutdown()
  expect(actors.map(({ reasons }) => reasons)).toEqual([['shutdown'], ['shutdown']])
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
})

test('after shutdown spawning rejects and asks reject with ActorStoppedError', async () => {
  const system = await startSystem()
  const ref = await system.spawn(new Recorder(), 'one')
  await system.shutdown()
  await expect(system.spawn(new Recorder())).rejects.toMatchObject({ code: 'actor_stopped' })
  await expect(ref.ask('go')).rejects.toMatchObject({ code: 'actor_stopped' })
  expect(await system.hasActor('one')).toBe(false)
})

test('after shutdown nothing of the system waits for time to pass', async () => {
  const time = manualTime()
  const system = await startSystem()
  const ref = await system.spawn({ receive: (_msg, ctx) => void ctx.schedule(60_000, 'later') })
  await ref.ask('go')
  await system.shutdown()
  expect(time.pending).toBe(0)
})

test('a system is disposed of by `await using`', async () => {
  const system = await startSystem()
  const actor = new Recorder()
  await system.spawn(actor)
  const dispose: symbol = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')
  await (system as unknown as Record<symbol, () => Promise<void>>)[dispose]!()
  expect(actor.reasons).toEqual(['shutdown'])
})

test('a system alone is its own only member', async () => {
  const system = await startSystem()
  expect(system.members()).toEqual([{ nodeId: system.nodeId, kind: 'leaf', status: 'online', isSelf: true }])
  expect(system.addr).toBe(undefined)
})
