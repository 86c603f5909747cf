/** What a system writes to its logger: what, at which level, and how much of it; and what a bad logger can do: nothing. */
import { type ActorSystem, asActor, type Logger, type Message, SystemConfig, type SystemEvents } from 'pulsing'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { LINES_PER_WINDOW, LOG_WINDOW_MS } from '../../src/actor/log-limiter.ts'
import { manualTime, startSystem, turn } from './systems.ts'

interface Line {
  readonly level: keyof Logger
  readonly message: string
  readonly details: readonly unknown[]
}

async function loggedSystem(): Promise<{ readonly system: ActorSystem; readonly lines: Line[] }> {
  const lines: Line[] = []
  const at =
    (level: keyof Logger) =>
    (message: string, ...details: unknown[]) =>
      void lines.push({ level, message, details })
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  return { system: await startSystem(SystemConfig.standalone().withLogger(logger)), lines }
}

function heard<K extends keyof SystemEvents>(system: ActorSystem, name: K): SystemEvents[K][] {
  const events: SystemEvents[K][] = []
  system.on(name, (event) => events.push(event))
  return events
}

const failing = () => ({
  receive: (msg: Message): string => {
    if (msg.toObject() === 'fail') throw new RangeError('told to fail')
    return 'fine'
  },
})

describe('a line', () => {
  test('of level info is written of a dead letter, with its type, why, and for whom', async () => {
    const { system, lines } = await loggedSystem()
    const ref = await system.spawn(failing)
    await system.stop(ref)
    await ref.tell('late')
    expect(lines).toEqual([
      { level: 'info', message: 'a message of type "" reached nobody: actor_stopped', details: [String(ref)] },
    ])
  })

  test('of level info is written of a restart, with the actor and what it failed with', async () => {
    const { system, lines } = await loggedSystem()
    const restarted = heard(system, 'actorRestarted')
    const ref = await system.spawn(failing, { restart: { policy: 'on-failure', minBackoffMs: 0 } })
    await expect(ref.ask('fail')).rejects.toThrow('told to fail')
    expect(await ref.ask('go')).toBe('fine')
    expect(lines).toEqual([
      { level: 'info', message: `an actor was restarted: ${ref}`, details: [restarted[0]!.error] },
    ])
    expect(restarted[0]!.error).toMatchObject({ cause: { message: 'told to fail' } })
  })

  test('of level warn is written of a failure nobody was told of, with what was thrown; none where a caller was', async () => {
    const { system, lines } = await loggedSystem()
    const ref = await system.spawn(failing)
    await expect(ref.ask('fail')).rejects.toThrow('told to fail')
    expect(lines).toEqual([])
    await ref.tell('fail')
    await turn()
    expect(lines).toMatchObject([
      {
        level: 'warn',
        message: expect.stringContaining('an actor failed with nobody to tell'),
        details: [new RangeError('told to fail')],
      },
    ])
  })

  test('of level warn is written of what is a warning event too', async () => {
    const { system, lines } = await loggedSystem()
    const warnings = heard(system, 'warning')
    const Lonely = asActor({ type: 'Lonely' })(
      class {
        answer(): string {
          return 'here'
        }
      },
    )
    const lonely = await Lonely.remote(system)
    expect(await lonely.answer()).toBe('here')
    expect(warnings.length).toBe(1)
    expect(lines).toMatchObject([{ level: 'warn', message: warnings[0]!.message }])
  })

  test('of level error is written of an event listener that threw, with what it threw', async () => {
    const { system, lines } = await loggedSystem()
    const broken = new Error('a listener')
    system.on('actorStarted', () => {
      throw broken
    })
    await system.spawn(failing)
    expect(lines).toEqual([{ level: 'error', message: 'an event listener threw', details: [broken] }])
  })

  test('is written of nothing else: not of what goes as it should', async () => {
    const { system, lines } = await loggedSystem()
    const ref = await system.spawn(failing, 'named')
    await ref.ask('go')
    await ref.tell('go')
    await system.stop(ref)
    await system.shutdown()
    expect(lines).toEqual([])
  })
})

describe('of lines about the same thing', () => {
  test.each<[string, keyof Logger, string, (system: ActorSystem) => Promise<() => Promise<unknown>>]>([
    [
      'dead letters',
      'info',
      'deadLetter',
      async (system) => {
        const ref = await system.spawn(failing)
        await system.stop(ref)
        return () => ref.tell('late')
      },
    ],
    [
      'restarts',
      'info',
      'actorRestarted',
      async (system) => {
        const restart = { policy: 'on-failure', maxRestarts: Infinity, minBackoffMs: 0 } as const
        const ref = await system.spawn(failing, { restart })
        return async () => {
          await ref.ask('fail').catch(() => undefined)
          await ref.ask('go')
        }
      },
    ],
    [
      'failures',
      'warn',
      'actorFailed',
      async (system) => {
        const ref = await system.spawn(failing)
        return async () => {
          await ref.tell('fail')
          await ref.ask('go')
        }
      },
    ],
    [
      'event listeners that throw',
      'error',
      'actorStarted',
      async (system) => {
        system.on('actorStarted', () => {
          throw new Error('a listener')
        })
        return () => system.spawn(failing)
      },
    ],
  ])(
    '%s: ten are written in ten seconds, and then how many were left out; events come of all',
    async (_what, level, event, start) => {
      const time = manualTime()
      const { system, lines } = await loggedSystem()
      const again = await start(system)
      const events = heard(system, event as keyof SystemEvents)
      lines.length = 0
      for (let i = 0; i < LINES_PER_WINDOW + 25; i++) await again()
      expect(events.length).toBe(LINES_PER_WINDOW + 25)
      expect(lines.map((line) => line.level)).toEqual(Array.from({ length: LINES_PER_WINDOW }, () => level))
      await time.advance(LOG_WINDOW_MS)
      await again()
      const last = lines.slice(LINES_PER_WINDOW)
      expect(last.map((line) => line.level)).toEqual([level, level])
      expect(last[0]!.message).toMatch(/^25 more lines about .+ were left out$/)
    },
  )

  test('a flood about one leaves room for lines about the others', async () => {
    const { system, lines } = await loggedSystem()
    const dead = await system.spawn(failing)
    await system.stop(dead)
    for (let i = 0; i < 1000; i++) await dead.tell(i)
    const ref = await system.spawn(failing)
    await ref.tell('fail')
    await ref.ask('go')
    expect(lines.length).toBe(LINES_PER_WINDOW + 1)
    expect(lines.at(-1)!.level).toBe('warn')
  })
})

describe('a logger', () => {
  const bad = (level: keyof Logger): never => {
    throw new Error(`no place for ${level}`)
  }
  const throwing: Logger = {
    debug: () => bad('debug'),
    info: () => bad('info'),
    warn: () => bad('warn'),
    error: () => bad('error'),
  }
  const rejecting: Logger = {
    debug: async () => bad('debug'),
    info: async () => bad('info'),
    warn: async () => bad('warn'),
    error: async () => bad('error'),
  }

  test.each([
    ['throws', throwing],
    ['rejects', rejecting],
  ])(
    'that %s changes nothing: actors go on, are restarted, dead letters are counted, listeners hear',
    async (_how, logger) => {
      const unhandled: unknown[] = []
      const onUnhandled = (error: unknown): void => void unhandled.push(error)
      process.on('unhandledRejection', onUnhandled)
      onTestFinished(() => void process.off('unhandledRejection', onUnhandled))
      const time = manualTime()
      const system = await startSystem(SystemConfig.standalone().withLogger(logger))
      system.on('actorStarted', () => {
        throw new Error('a listener')
      })
      const [dead, restarted] = [heard(system, 'deadLetter'), heard(system, 'actorRestarted')]
      const gone = await system.spawn(failing)
      await system.stop(gone)
      const restart = { policy: 'on-failure', maxRestarts: Infinity, minBackoffMs: 0 } as const
      const ref = await system.spawn(failing, { restart })
      for (let i = 0; i < LINES_PER_WINDOW + 5; i++) {
        await gone.tell('late')
        await ref.tell('fail')
        expect(await ref.ask('go')).toBe('fine')
      }
      // Saying how many were left out fails too.
      await time.advance(LOG_WINDOW_MS)
      await gone.tell('late')
      expect(await ref.ask('go')).toBe('fine')
      expect([dead.length, dead.at(-1)!.total]).toEqual([LINES_PER_WINDOW + 6, LINES_PER_WINDOW + 6])
      expect(restarted.length).toBe(LINES_PER_WINDOW + 5)
      await turn()
      expect(unhandled).toEqual([])
    },
  )

  test('keeps its own this', async () => {
    class Book implements Logger {
      readonly pages: string[] = []
      debug(): void {}
      info(message: string): void {
        this.pages.push(message)
      }
      warn(): void {}
      error(): void {}
    }
    const book = new Book()
    const system = await startSystem(SystemConfig.standalone().withLogger(book))
    const ref = await system.spawn(failing)
    await system.stop(ref)
    await ref.tell('late')
    expect(book.pages.length).toBe(1)
  })

  test('that nobody gave is the console, for warnings and errors only', async () => {
    const written: string[] = []
    for (const level of ['debug', 'info', 'log', 'warn', 'error'] as const) {
      const spy = vi.spyOn(console, level).mockImplementation((message) => void written.push(`${level} ${message}`))
      onTestFinished(() => spy.mockRestore())
    }
    const { logger } = SystemConfig.standalone().settings
    const system = await startSystem(SystemConfig.standalone().withLogger({ ...logger }))
    const ref = await system.spawn(failing)
    await ref.tell('fail')
    await ref.ask('go')
    await system.stop(ref)
    await ref.tell('late')
    expect(written).toEqual([expect.stringMatching(/^warn pulsing: an actor failed with nobody to tell/)])
  })
})
