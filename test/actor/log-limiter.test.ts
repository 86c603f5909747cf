/** The limit of log lines, without actors: what is written, what is left out, and when that is said. */
import fc from 'fast-check'
import type { Logger } from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { expect, test } from 'vitest'
import { LINES_PER_WINDOW, LOG_WINDOW_MS, LogLimiter } from '../../src/actor/log-limiter.ts'

type Line = [level: string, message: string, ...details: unknown[]]

function limited(): { readonly limiter: LogLimiter; readonly clock: ManualClock; readonly lines: Line[] } {
  const lines: Line[] = []
  const at =
    (level: keyof Logger) =>
    (message: string, ...details: unknown[]) =>
      void lines.push([level, message, ...details])
  const clock = new ManualClock()
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  return { limiter: new LogLimiter(logger, clock), clock, lines }
}

test('the bounds are as documented', () => {
  expect([LINES_PER_WINDOW, LOG_WINDOW_MS]).toEqual([10, 10_000])
})

test('lines are written at their level, with their details', () => {
  const { limiter, lines } = limited()
  const error = new Error('details')
  limiter.write('warn', 'kind', 'first', error, 2)
  limiter.write('debug', 'other kind', 'second')
  expect(lines).toEqual([
    ['warn', 'first', error, 2],
    ['debug', 'second'],
  ])
})

test('of one kind so many lines are written in a window, and after it, before the next line, how many were left out', () => {
  const { limiter, clock, lines } = limited()
  for (let i = 0; i < LINES_PER_WINDOW + 7; i++) limiter.write('info', 'dead letters', `line ${i}`)
  expect(lines.map(([, message]) => message)).toEqual(Array.from({ length: LINES_PER_WINDOW }, (_, i) => `line ${i}`))
  clock.advance(LOG_WINDOW_MS - 1)
  limiter.write('info', 'dead letters', 'still too many')
  expect(lines.length).toBe(LINES_PER_WINDOW)
  clock.advance(1)
  limiter.write('info', 'dead letters', 'the next')
  expect(lines.slice(LINES_PER_WINDOW)).toEqual([
    ['info', '8 more lines about dead letters were left out'],
    ['info', 'the next'],
  ])
})

test('where none was left out, nothing is said of it', () => {
  const { limiter, clock, lines } = limited()
  for (let window = 0; window < 3; window++) {
    for (let i = 0; i < LINES_PER_WINDOW; i++) limiter.write('info', 'kind', `line ${i}`)
    clock.advance(LOG_WINDOW_MS)
  }
  expect(lines.length).toBe(3 * LINES_PER_WINDOW)
})

test('a kind that is loud does not silence another', () => {
  const { limiter, lines } = limited()
  for (let i = 0; i < 1000; i++) limiter.write('info', 'loud', 'again')
  limiter.write('info', 'quiet', 'heard')
  expect(lines.length).toBe(LINES_PER_WINDOW + 1)
  expect(lines.at(-1)).toEqual(['info', 'heard'])
})

test('whatever comes when, a window begun by a line holds no more than it may, and no line is lost without being counted', () => {
  const steps = fc.array(
    fc.record({ waitMs: fc.constantFrom(0, 0, 0, 1, 500, 9_999, 10_000, 60_000), lines: fc.nat(30) }),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(steps, (sequence) => {
      const { limiter, clock, lines } = limited()
      let sent = 0
      let windowEnds = -1
      let inWindow = 0
      let unsaid = 0
      for (const step of sequence) {
        clock.advance(step.waitMs)
        for (let i = 0; i < step.lines; i++) {
          const before = lines.length
          limiter.write('info', 'kind', `line ${sent++}`)
          const written = lines.slice(before).map(([, message]) => message)
          if (clock.now() >= windowEnds) {
            windowEnds = clock.now() + LOG_WINDOW_MS
            inWindow = 0
            if (unsaid > 0) expect(written.shift()).toBe(`${unsaid} more lines about kind were left out`)
            unsaid = 0
          }
          if (++inWindow <= LINES_PER_WINDOW) expect(written).toEqual([`line ${sent - 1}`])
          else {
            expect(written).toEqual([])
            unsaid++
          }
        }
      }
    }),
  )
})
