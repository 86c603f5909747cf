/** What the tests of watches share: an actor that watches and notes what it hears, and a look at what watches leave behind. */
import type { ActorContext, ActorRef, ActorSystem, Message, SpawnOptions, Terminated } from 'pulsing'
import type { ActorCell } from '../../src/actor/actor-cell.ts'
import type { Ref } from '../../src/actor/actor-ref.ts'

/** An actor that notes what it hears: values as they are, and the end of an actor as {@link ended}. */
export interface Observer {
  readonly ref: ActorRef
  readonly heard: unknown[]
  /** Its context of `onStart`, good for watching from outside. */
  readonly ctx: ActorContext
}

export interface ObserverOptions extends SpawnOptions {
  /** Watched in `onStart`. */
  readonly watch?: readonly ActorRef[]
  /** What it does with a message beside noting it, or in place of that by throwing first. */
  readonly handle?: (msg: Message, ctx: ActorContext) => unknown
}

export async function observe(
  system: ActorSystem,
  { watch = [], handle, ...options }: ObserverOptions = {},
): Promise<Observer> {
  const heard: unknown[] = []
  let context: ActorContext | undefined
  const ref = await system.spawn(
    () => ({
      onStart: (ctx: ActorContext) => {
        context = ctx
        for (const each of watch) ctx.watch(each)
      },
      receive: (msg: Message, ctx: ActorContext) => {
        heard.push(noted(msg))
        return handle?.(msg, ctx)
      },
    }),
    options,
  )
  return { ref, heard, ctx: context! }
}

/** How a message is noted. */
export function noted(msg: Message): unknown {
  if (msg.msgType !== 'Terminated') return msg.isStream ? 'a stream' : msg.toObject()
  const { ref, reason } = msg.toObject<Terminated>()
  return ended(ref, reason)
}

/** How the end of an actor is noted. */
export function ended(ref: ActorRef, reason: Terminated['reason']): string {
  return `${ref} ended: ${reason}`
}

/** An actor that does as it is told: `stop`, `fail`, or, for a function, that. */
export async function subject(system: ActorSystem, options?: SpawnOptions): Promise<ActorRef> {
  return system.spawn(
    () => ({
      receive: (msg: Message, ctx: ActorContext) => {
        const order = msg.toObject<'fail' | ((ctx: ActorContext) => unknown)>()
        if (order === 'fail') throw new RangeError('told to fail')
        return order(ctx)
      },
    }),
    options,
  )
}

/** The running actor behind a ref of this node. */
export function cellOf(ref: ActorRef): ActorCell {
  return (ref as Ref).recipient as ActorCell
}

/** How many would be told of the actor's end. */
export function watchersOf(ref: ActorRef): number {
  return cellOf(ref).holdings.watchers?.size ?? 0
}

/** Whether the engine can collect what is held weakly here, once nobody else holds it. */
export async function isCollected(held: WeakRef<object>): Promise<boolean> {
  const collect = (globalThis as { gc?: () => void }).gc!
  for (let i = 0; i < 20 && held.deref() !== undefined; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  return held.deref() === undefined
}
