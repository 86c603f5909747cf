/** Every ask settles exactly once, whatever happens in whatever order. */
import fc from 'fast-check'
import { type ActorContext, type ActorRef, createActorSystem, type Message, SystemConfig } from 'pulsing'
import { expect, test, vi } from 'vitest'
import { quiet, turn } from './systems.ts'

type Step =
  | {
      readonly do: 'ask'
      readonly how: 'value' | 'throw' | 'wait' | 'reject' | 'stash' | 'unstash' | 'stop' | 'stream'
      readonly timeout: number
      readonly aborts: boolean
    }
  | { readonly do: 'release' | 'abort' | 'stop' | 'turn' }
  | { readonly do: 'advance'; readonly ms: number }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('ask' as const),
        how: fc.constantFrom(
          'value' as const,
          'value' as const,
          'throw' as const,
          'wait' as const,
          'wait' as const,
          'reject' as const,
          'stash' as const,
          'unstash' as const,
          'stop' as const,
          'stream' as const,
        ),
        timeout: fc.constantFrom(5, 20, Infinity),
        aborts: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom('release' as const, 'abort' as const, 'turn' as const, 'turn' as const, 'stop' as const),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 15 }) }) },
  ),
  { maxLength: 40 },
)

test.each(['wait', 'drop-newest', 'drop-oldest', 'fail'] as const)(
  'with overflow %s every ask settles exactly once, and no two messages are handled at once',
  async (overflow) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      await fc.assert(
        fc.asyncProperty(steps, async (sequence) => {
          const system = await createActorSystem(SystemConfig.standalone().withLogger(quiet))
          const waiting: (() => void)[] = []
          const controllers: AbortController[] = []
          const settled: number[] = []
          let inside = 0
          const handle = async (msg: Message, ctx: ActorContext): Promise<unknown> => {
            switch (msg.toObject<string>()) {
              case 'throw':
                throw new Error('thrown')
              case 'reject':
                await turn()
                throw new TypeError('rejected')
              case 'wait':
                await new Promise<void>((resolve) => {
                  waiting.push(resolve)
                  ctx.signal.addEventListener('abort', () => resolve())
                })
                return 'waited'
              case 'stash':
                if (waiting.length % 2 === 0) ctx.stash()
                return 'maybe stashed'
              case 'unstash':
                return ctx.unstashAll()
              case 'stop':
                return ctx.stop()
              case 'stream':
                return (async function* () {
                  yield 1
                })()
              default:
                return 'value'
            }
          }
          const ref: ActorRef = await system.spawn(
            {
              receive: async (msg, ctx) => {
                expect(++inside).toBe(1)
                try {
                  return await handle(msg, ctx)
                } finally {
                  inside--
                }
              },
            },
            'subject',
            { mailbox: { capacity: 16, overflow } },
          )
          for (const step of sequence) {
            if (step.do === 'ask') {
              // Several at once, so that the mailbox overflows now and then.
              for (let copy = 0; copy < 3; copy++) {
                const index = settled.push(0) - 1
                const controller = new AbortController()
                if (step.aborts) controllers.push(controller)
                const done = (): void => void settled[index]!++
                ref.ask(step.how, { timeout: step.timeout, signal: controller.signal }).then(done, done)
              }
            } else if (step.do === 'release') waiting.shift()?.()
            else if (step.do === 'abort') controllers.shift()?.abort()
            else if (step.do === 'stop') void system.stop('subject')
            else if (step.do === 'advance') await vi.advanceTimersByTimeAsync(step.ms)
            else await turn()
            for (const times of settled) expect(times).toBeLessThanOrEqual(1)
          }
          await system.shutdown()
          await turn()
          expect(settled).toEqual(settled.map(() => 1))
          expect(inside).toBe(0)
          await expect(ref.ask('after')).rejects.toMatchObject({ code: 'actor_stopped' })
        }),
        { numRuns: 60 },
      )
    } finally {
      vi.useRealTimers()
    }
  },
)
