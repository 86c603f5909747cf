/**
 * Actors at full load, in a page or a worker, and what has to happen beside them. Events are counted, not time; a load
 * ends by itself before it hangs what it was to let through.
 */
import {
  type ActorContext,
  type ActorRef,
  type ActorSystem,
  createActorSystem,
  type Message,
  SystemConfig,
} from 'pulsing'

/** Messages after which a load is over. */
const LIMIT = 10_000_000

const silent = (): void => undefined
/** That a load is ended in the middle of its work is no news. */
const QUIET = { debug: silent, info: silent, warn: silent, error: silent }

export interface Load {
  /** Messages handled, and items read, so far. */
  readonly handled: number
  /** Whether it ran to its end, which it does only where nothing else had its turn. */
  readonly isExhausted: boolean
  end(): Promise<void>
}

/** Two actors that tell each other, one that tells itself, a pair that asks, and a stream read as fast as it comes. */
export async function startLoad(): Promise<Load> {
  const system: ActorSystem = await createActorSystem(SystemConfig.standalone().withLogger(QUIET))
  let handled = 0
  let isOver = false
  const goesOn = (): boolean => !isOver && ++handled < LIMIT
  const bounce = (msg: Message, ctx: ActorContext): void => {
    if (goesOn()) void ctx.tell(msg.toObject<ActorRef>(), ctx.self)
  }
  const [a, b] = [await system.spawn({ receive: bounce }), await system.spawn({ receive: bounce })]
  const selfish = await system.spawn({
    receive: async (_msg, ctx) => {
      await undefined
      if (goesOn()) void ctx.self.tell(0)
    },
  })
  const answering = await system.spawn({ receive: async () => 'pong' })
  const asking = await system.spawn({
    receive: async (_msg, ctx) => {
      while (goesOn()) await ctx.ask(answering, 'ping')
    },
  })
  const counting = await system.spawn({
    receive: async function* () {
      while (goesOn()) yield 0
    },
  })
  await Promise.all([a.tell(b), selfish.tell(0), asking.tell(0)])
  const read = async (): Promise<void> => {
    for await (const _item of counting.askStream<number>('go'));
  }
  read().catch(() => undefined)
  return {
    get handled() {
      return handled
    },
    get isExhausted() {
      return handled >= LIMIT
    },
    end: async () => {
      isOver = true
      await system.shutdown()
    },
  }
}
