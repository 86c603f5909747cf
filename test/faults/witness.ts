/** An actor that notices what a network must not do, losing, doubling and reordering, and a caller that uses it in every way there is. */
import { Actor, type ActorRef, type ActorSystem, Message, StreamMessage, type SystemEvents } from 'pulsing'
import { expect } from 'vitest'
import { gate, turn } from '../actor/systems.ts'

/** Asks in flight at a time. */
const IN_FLIGHT = 20

export class Witness extends Actor {
  /** What it was told, in order. */
  readonly told: number[] = []
  /** What it was asked, in order. */
  readonly asked: number[] = []
  #heard: (() => void)[] = []

  async receive(msg: Message): Promise<unknown> {
    switch (msg.msgType) {
      case 'note':
        this.told.push(msg.toObject<{ n: number }>().n)
        for (const hear of this.#heard.splice(0)) hear()
        return undefined
      case 'ask': {
        const { n } = msg.toObject<{ n: number }>()
        this.asked.push(n)
        return n
      }
      case 'count':
        return numbers(msg.toObject<number>())
      case 'collect': {
        const items: number[] = []
        for await (const item of msg.streamReader<number>()) items.push(item)
        return items
      }
      default:
        return msg.toObject()
    }
  }

  /** Settles when it was told that many. */
  async hasHeard(count: number): Promise<void> {
    while (this.told.length < count) await new Promise<void>((resolve) => this.#heard.push(resolve))
  }
}

async function* numbers(to: number): AsyncGenerator<number> {
  for (let n = 0; n < to; n++) yield n
}

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

/** Tells, one after the other. */
export async function tells(ref: ActorRef, count: number, { from = 0, bytes = 0 } = {}): Promise<void> {
  const payload = new Uint8Array(bytes)
  for (let n = from; n < from + count; n++) await ref.tell(Message.fromObject('note', { n, payload }))
}

/** Asks, some at a time, each answered with what was asked. */
export async function asks(ref: ActorRef, count: number, { from = 0 } = {}): Promise<void> {
  let next = from
  const one = async (): Promise<void> => {
    while (next < from + count) {
      const n = next++
      expect((await ref.ask(Message.fromObject('ask', { n }), { timeout: Infinity })).toObject()).toBe(n)
    }
  }
  await Promise.all(upTo(IN_FLIGHT).map(one))
}

/** A stream from the actor, complete and in order. */
export async function reads(ref: ActorRef, count: number): Promise<void> {
  let expected = 0
  const reader = ref.askStream(Message.fromObject('count', count), { timeout: Infinity })
  for await (const item of reader) expect(item.toObject()).toBe(expected++)
  expect(expected).toBe(count)
}

/** A stream to the actor, complete and in order. */
export async function writes(ref: ActorRef, count: number): Promise<void> {
  const [message, writer] = StreamMessage.create<number>('collect')
  const collected = ref.ask(message, { timeout: Infinity })
  const written = async (): Promise<void> => {
    for (let n = 0; n < count; n++) await writer.write(n)
    await writer.close()
  }
  const [reply] = await Promise.all([collected, written()])
  expect(reply.toObject()).toEqual(upTo(count))
}

/** Spawns a public witness, whom a stream does not keep from hearing what comes after it; a ref to it on the other node. */
export async function witnessOf(
  host: ActorSystem,
  caller: ActorSystem,
  name = 'witness',
): Promise<[Witness, ActorRef]> {
  const witness = new Witness()
  await host.spawn(witness, `${name} of ${host.nodeId}`, { public: true, reentrant: true })
  return [witness, await caller.resolve(`${name} of ${host.nodeId}`)]
}

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

/** Settles once `isSo`, which is looked at after every turn of the event loop; the test's timeout bounds it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn()
}

/** What tells of a loss that somebody noticed. */
export function complaints(...systems: readonly ActorSystem[]): string[] {
  const heard: string[] = []
  for (const system of systems) {
    system.on('deadLetter', ({ msgType, reason }: SystemEvents['deadLetter']) => heard.push(`${msgType}: ${reason}`))
    system.on('askTimedOut', ({ recipient }) => heard.push(`timeout: ${recipient}`))
  }
  return heard
}

/** Everything up to these counts was told and asked once, the tells in order. */
export function expectAll(witness: Witness, told: number, asked: number): void {
  expect(witness.told).toEqual(upTo(told))
  expect(witness.asked.toSorted((x, y) => x - y)).toEqual(upTo(asked))
}

/** Why the actor ended, as often as a watcher on `caller` was told. */
export async function watching(
  caller: ActorSystem,
  ref: ActorRef,
): Promise<{ readonly told: string[]; readonly isTold: Promise<void> }> {
  const told: string[] = []
  const { opened: isTold, open } = gate()
  await caller.spawn({
    onStart: (ctx) => ctx.watch(ref),
    receive: (msg) => {
      told.push(msg.toObject<{ reason: string }>().reason)
      open()
    },
  })
  return { told, isTold }
}
