/** Messages from other nodes that reach nobody: counted once, where the actor was, as if they had been sent there. */
import { type ActorRef, Message, type Overflow, SessionResetError, StreamMessage, type SystemEvents } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { MAX_WAITING_MESSAGES } from '../../src/remote/told-messages.ts'
import { Lab, type LabNode, settle, until } from '../remote/lab.ts'
import { gate } from './systems.ts'

const CAPACITY = 16

type DeadLetter = SystemEvents['deadLetter']

function deadLettersOf(node: LabNode): DeadLetter[] {
  const dead: DeadLetter[] = []
  node.runtime.events.on('deadLetter', (event) => dead.push(event))
  return dead
}

const single = (msgType: string): Message => Message.fromObject(msgType, 0)

interface Busy {
  readonly lab: Lab
  /** How node `a` knows the actor on node `b`. */
  readonly ref: ActorRef
  readonly dead: DeadLetter[]
  readonly handled: string[]
  release(): void
}

/** An actor on node `b` that handles one message until it is released. */
async function busyActor(overflow: Overflow = 'wait'): Promise<Busy> {
  const lab = new Lab()
  const dead = deadLettersOf(lab.b)
  const held = gate()
  const handled: string[] = []
  const local = await lab.b.runtime.spawn(
    {
      receive: (msg) => {
        handled.push(msg.msgType)
        return msg.msgType === 'held' ? held.opened : undefined
      },
    },
    undefined,
    { mailbox: { capacity: CAPACITY, overflow } },
  )
  const ref = lab.a.peers.refTo(lab.b.nodeId, local.id, undefined)
  await ref.tell(single('held'))
  await settle()
  return { lab, ref, dead, handled, release: () => held.open() }
}

/** A ref, on node `a`, to an actor of node `b` that has ended. */
async function endedActor(): Promise<{ lab: Lab; ref: ActorRef; dead: DeadLetter[] }> {
  const lab = new Lab()
  const dead = deadLettersOf(lab.b)
  const ref = await lab.b.host(() => undefined)
  await lab.b.runtime.stop(ref.id, 'killed')
  return { lab, ref, dead }
}

describe('an actor that has ended, asked and told from another node', () => {
  test.each(['tell', 'ask'] as const)('%s: it is one dead letter there, with its type', async (how) => {
    const { lab, ref, dead } = await endedActor()
    const there = deadLettersOf(lab.a)
    if (how === 'tell') await ref.tell(single('late'))
    else await expect(ref.ask(single('late'))).rejects.toMatchObject({ code: 'actor_stopped' })
    await settle()
    expect(dead).toEqual([{ recipient: String(ref), msgType: 'late', reason: 'actor_stopped', total: 1 }])
    expect(there).toEqual([])
  })

  test.each(['tell', 'ask'] as const)('%s: the stream it carried is let go of', async (how) => {
    const { lab, ref } = await endedActor()
    const [message, writer] = StreamMessage.create<number>('late', 1)
    const sent = how === 'tell' ? ref.tell(message) : ref.ask(message)
    sent.catch(() => undefined)
    await until(() => writer.signal.aborted)
    await expect(writer.write(1)).rejects.toMatchObject({ code: 'stream_closed' })
    await settle()
    expect(lab.isClean).toBe(true)
  })
})

describe('a ref that came home to an actor that has ended', () => {
  /** On node `a` itself. */
  async function home(): Promise<{ lab: Lab; ref: ActorRef; dead: DeadLetter[] }> {
    const lab = new Lab()
    const hosted = await lab.a.runtime.spawn({ receive: () => undefined }, undefined, undefined)
    await lab.a.runtime.stop(hosted.id, 'killed')
    const echo = await lab.b.host((msg) => msg.toObject())
    const { ref } = await echo.ask<{ ref: ActorRef }>({ ref: hosted })
    expect(ref).not.toBe(hosted)
    return { lab, ref, dead: deadLettersOf(lab.a) }
  }

  test.each(['tell', 'ask'] as const)('%s: it makes one dead letter, with its type', async (how) => {
    const { ref, dead } = await home()
    if (how === 'tell') await ref.tell(single('late'))
    else await expect(ref.ask(single('late'))).rejects.toMatchObject({ code: 'actor_stopped', address: String(ref) })
    expect(dead).toEqual([{ recipient: String(ref), msgType: 'late', reason: 'actor_stopped', total: 1 }])
  })

  test.each(['tell', 'ask'] as const)('%s: it lets go of the stream that was sent', async (how) => {
    const { ref } = await home()
    const [message, writer] = StreamMessage.create<number>('late', 1)
    const sent = how === 'tell' ? ref.tell(message) : ref.ask(message)
    sent.catch(() => undefined)
    await until(() => writer.signal.aborted)
    await expect(writer.write(1)).rejects.toMatchObject({ code: 'stream_closed' })
  })
})

describe('a full mailbox, told and asked from another node', () => {
  test.each<[Overflow, string]>([
    ['drop-newest', 'new'],
    ['drop-oldest', 'queued'],
    ['fail', 'new'],
  ])('with overflow %s makes one dead letter there, and rejects the ask it drops', async (overflow, lost) => {
    const { lab, ref, dead, handled, release } = await busyActor(overflow)
    const queued = Array.from({ length: CAPACITY }, () => ref.ask(single('queued')))
    const asked = ref.ask(single('new'))
    const outcomes = Promise.allSettled([...queued, asked])
    await settle()
    expect(dead).toEqual([{ recipient: String(ref), msgType: lost, reason: 'actor_mailbox_full', total: 1 }])
    release()
    const rejected = (await outcomes).flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    expect(rejected).toMatchObject([{ name: 'MailboxFullError', code: 'actor_mailbox_full' }])
    await expect(lost === 'new' ? asked : queued[0]).rejects.toBe(rejected[0])
    expect(handled.length).toBe(1 + CAPACITY)
    await ref.tell(single('queued'))
    await settle()
    expect([dead.length, lab.isClean]).toEqual([1, true])
  })

  test('with overflow wait makes none until as many wait as may, and counts those beyond, once each', async () => {
    const { ref, dead, handled, release } = await busyActor('wait')
    const beyond = 10
    for (let i = 0; i < CAPACITY + MAX_WAITING_MESSAGES + beyond; i++) void ref.tell(single('told'))
    await settle(30)
    await until(() => dead.length >= beyond)
    await settle()
    expect(dead.length).toBe(beyond)
    expect(dead[0]).toEqual({ recipient: String(ref), msgType: 'told', reason: 'overloaded', total: 1 })
    release()
    await until(() => handled.length === 1 + CAPACITY + MAX_WAITING_MESSAGES)
    expect(dead.length).toBe(beyond)
    await ref.tell(single('told'))
    await until(() => handled.length === 2 + CAPACITY + MAX_WAITING_MESSAGES)
  })
})

describe('an ask of another node that nobody waits for any more', () => {
  test('because it was aborted is one dead letter where it waits, cancelled, when its turn comes', async () => {
    const { ref, dead, handled, release } = await busyActor()
    const controller = new AbortController()
    const asked = ref.ask(single('late'), { signal: controller.signal })
    await settle()
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    await settle()
    expect(dead).toEqual([])
    release()
    await settle()
    expect(dead).toMatchObject([{ msgType: 'late', reason: 'cancelled', total: 1 }])
    expect(handled).toEqual(['held'])
  })

  test('because it timed out is one dead letter where it waits, when its turn comes, whoever noticed first', async () => {
    const { lab, ref, dead, handled, release } = await busyActor()
    const asked = ref.ask(single('late'), { timeout: 100 })
    const outcome = expect(asked).rejects.toMatchObject({ code: 'timeout' })
    await settle()
    await lab.clock.advanceAsync(100)
    await outcome
    release()
    await settle()
    expect(dead.map(({ msgType, total }) => [msgType, total])).toEqual([['late', 1]])
    expect(['timeout', 'cancelled']).toContain(dead[0]!.reason)
    expect(handled).toEqual(['held'])
  })

  test('because its node was lost is one dead letter where it waits, when its turn comes', async () => {
    const { lab, ref, dead, handled, release } = await busyActor()
    const asked = ref.ask(single('late'))
    asked.catch(() => undefined)
    await settle()
    lab.b.association.reset(new SessionResetError('lost'))
    release()
    await settle()
    expect(dead.map(({ msgType, total }) => [msgType, total])).toEqual([['late', 1]])
    expect(handled).toEqual(['held'])
    await expect(asked).rejects.toMatchObject({ code: 'session_reset' })
  })
})

test('messages waiting for a remote actor that is stopped are dead letters there, once each, and their asks reject', async () => {
  const { lab, ref, dead, release } = await busyActor()
  const asked = Array.from({ length: CAPACITY + 5 }, () => ref.ask(single('asked')))
  const outcomes = Promise.allSettled(asked)
  await ref.tell(single('told'))
  await settle()
  const stopped = lab.b.runtime.stop(ref.id, 'killed')
  release()
  await stopped
  const codes = (await outcomes).map((outcome) => outcome.status === 'rejected' && outcome.reason.code)
  expect(codes).toEqual(asked.map(() => 'actor_stopped'))
  expect(dead.map(({ msgType }) => msgType)).toEqual([...asked.map(() => 'asked'), 'told'])
})

test('a tell to a node there is no way to is a dead letter where it was sent, with its type, and rejects', async () => {
  const lab = new Lab()
  const dead = deadLettersOf(lab.a)
  const ref = await lab.b.host(() => undefined)
  lab.a.isLinked = false
  const [message, writer] = StreamMessage.create<number>('streamed', 1)
  await expect(ref.tell(single('told'))).rejects.toMatchObject({ code: 'unreachable', outcome: 'not-sent' })
  await expect(ref.tell(message)).rejects.toMatchObject({ code: 'unreachable', outcome: 'not-sent' })
  expect(dead.map(({ msgType, reason, total }) => [msgType, reason, total])).toEqual([
    ['told', 'unreachable', 1],
    ['streamed', 'unreachable', 2],
  ])
  expect(writer.signal.aborted).toBe(true)
})
