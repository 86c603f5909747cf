import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SessionResetError } from '../../src/base/errors.ts'
import { MAX_LOG_BYTES } from '../../src/remote/send-log.ts'
import type { Side } from './session-pair.ts'
import { SessionPair } from './session-pair.ts'

/** More of them: `RUNS=20000 npx vitest --project node test/remote/session-model`. */
const RUNS = Number(process.env['RUNS'] ?? 300)
/** The largest payload sent here. */
const LARGE = 300_000
const GRACE_MS = 60_000

type Who = 'a' | 'b'
type Step =
  | { readonly do: 'tell'; readonly who: Who; readonly count: number; readonly bytes: number }
  | { readonly do: 'ask'; readonly who: Who; readonly bytes: number }
  | { readonly do: 'deliver' | 'lose' | 'double'; readonly at: number }
  | { readonly do: 'flush' | 'drop' }
  | { readonly do: 'forget' | 'find' | 'relay' | 'resume' | 'reset' | 'block' | 'unblock'; readonly who: Who }
  | { readonly do: 'pass'; readonly ms: number }

const who = fc.constantFrom<Who>('a', 'b')
const at = fc.nat({ max: 30 })
const bytes = fc.oneof({ weight: 9, arbitrary: fc.nat({ max: 100 }) }, { weight: 1, arbitrary: fc.constant(LARGE) })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('tell' as const), who, count: fc.integer({ min: 1, max: 40 }), bytes }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('ask' as const), who, bytes: fc.nat({ max: 100 }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('deliver' as const), at }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('lose' as const, 'double' as const), at }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('forget' as const, 'find' as const, 'relay' as const), who }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('resume' as const, 'block' as const, 'unblock' as const), who }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const), who }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(100, 250, 1_000, 4_000, GRACE_MS) }),
  },
)

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** One side, and what is known of it from outside. */
class Watched {
  readonly side: Side
  /** Messages given to the session: its number then, and the message's in it. */
  readonly told: { readonly number: number; readonly seq: number }[] = []
  /** Messages taken: session and number of the sender, session of the receiver. */
  readonly taken: { readonly number: number; readonly seq: number; readonly here: number }[] = []
  readonly ended = new Map<number, number>()
  /** Ends that nobody but this side asked for. */
  ownEnds = 0
  waits = 0

  constructor(side: Side) {
    this.side = side
    side.onDeliver = ({ type }) => {
      const [number, seq] = type.split('/').map(Number) as [number, number]
      this.taken.push({ number, seq, here: side.session.number })
    }
    side.onEnded = ({ number, error, sent }) => {
      expect(this.ended.has(number), 'a session ends once').toBe(false)
      this.ended.set(number, sent)
      const isByPeer = error instanceof SessionResetError && /ended the session|began a new/.test(error.message)
      if (!isByPeer) this.ownEnds++
    }
  }

  /** As who keeps to the window does: not while there is no room. */
  tell(bytes: number): void {
    const { session } = this.side
    const writable = session.whenWritable()
    if (writable) {
      this.waits++
      void writable.then(() => this.waits--)
    } else this.ask(bytes)
  }

  /** As an ask, which is never held back. */
  ask(bytes: number): void {
    const { number, last } = this.side.session
    const isRoom = this.side.tell(`${number}/${last + 1}`, { bytes })
    // Without a way, and when none is waited for any more, nothing is sent, and its sender is told so.
    if (isRoom !== undefined) this.told.push({ number, seq: last + 1 })
    else expect(this.side.session.last).toBe(last)
  }
}

async function run(steps: readonly Step[]): Promise<{ readonly resets: number }> {
  const pair = new SessionPair()
  const a = new Watched(pair.a)
  const b = new Watched(pair.b)
  const pick = (index: number): number => (pair.wire.length === 0 ? -1 : index % pair.wire.length)
  for (const next of steps) {
    switch (next.do) {
      case 'tell':
        for (let i = 0; i < (next.bytes === LARGE ? 1 : next.count); i++) (next.who === 'a' ? a : b).tell(next.bytes)
        break
      case 'ask':
        ;(next.who === 'a' ? a : b).ask(next.bytes)
        break
      case 'deliver': {
        const [packet] = pair.wire.splice(pick(next.at), pair.wire.length === 0 ? 0 : 1)
        if (packet) pair.deliver(packet)
        break
      }
      case 'lose':
        pair.wire.splice(pick(next.at), pair.wire.length === 0 ? 0 : 1)
        break
      case 'double': {
        const packet = pair.wire[pick(next.at)]
        if (packet) pair.deliver(packet)
        break
      }
      case 'flush':
        pair.flush()
        break
      case 'drop':
        pair.drop()
        break
      case 'forget':
        pair[next.who].lose(GRACE_MS)
        break
      case 'find':
        pair[next.who].find()
        break
      case 'relay':
        pair[next.who].find({ hop: 'r'.repeat(22) })
        break
      case 'resume':
        if (pair[next.who].way) pair[next.who].session.resume()
        break
      case 'reset':
        pair[next.who].session.reset(new SessionResetError('because'))
        break
      case 'block':
        pair[next.who].way?.block()
        break
      case 'unblock':
        pair[next.who].way?.unblock()
        break
      default:
        pair.clock.advance(next.ms)
    }
    await turn()
  }
  for (const side of [pair.a, pair.b]) {
    side.way?.unblock()
    if (!side.way) side.find()
  }
  for (let i = 0; i < 400; i++) {
    pair.flush()
    await turn()
    pair.clock.advance(250)
    if (pair.clock.pending === 0 && pair.wire.length === 0) break
  }
  check(a, b)
  check(b, a)
  expect(pair.clock.pending, 'timers left').toBe(0)
  return { resets: a.ended.size + b.ended.size }
}

function check(sender: Watched, receiver: Watched): void {
  const { session, keptBytes, maxKeptBytes } = sender.side
  // First in, first out, each once, sessions one after the other.
  let last = { number: 0, seq: 0 }
  for (const { number, seq } of receiver.taken) {
    if (number !== last.number) {
      expect(number, 'nothing old after a reset').toBeGreaterThan(last.number)
      last = { number, seq: 0 }
    }
    expect(seq, `in order, each once, in session ${number}`).toBe(last.seq + 1)
    last = { number, seq }
  }
  // What was not reset arrived; what is said not to have been sent did not.
  const arrived = new Set(receiver.taken.map(({ number, seq }) => `${number}/${seq}`))
  for (const { number, seq } of sender.told) {
    const sent = sender.ended.get(number)
    if (sent === undefined) {
      expect(number).toBe(session.number)
      expect(arrived.has(`${number}/${seq}`), `${number}/${seq} arrives`).toBe(true)
    } else if (seq > sent) expect(arrived.has(`${number}/${seq}`), `${number}/${seq} was not sent`).toBe(false)
  }
  // Sessions of the two belong together one to one: when one is over, so is the other.
  const partners = new Map<number, number>()
  for (const { number, here } of receiver.taken) {
    expect(partners.get(number) ?? here, `session ${number} is received in one session`).toBe(here)
    partners.set(number, here)
  }
  for (const { number, here } of sender.taken) {
    const [mine] = [...partners].find(([, theirs]) => theirs === number) ?? [here]
    expect(mine, `session ${number} of the other goes with`).toBe(here)
    expect(partners.get(here) ?? number, `session ${here} goes with`).toBe(number)
  }
  expect(new Set(partners.values()).size, 'no session receives two').toBe(partners.size)
  // Whoever is reset by the other is so at most once for each end over there.
  expect(receiver.ended.size - receiver.ownEnds).toBeLessThanOrEqual(sender.ownEnds)
  expect(keptBytes, 'bytes kept at the end').toBe(0)
  expect(maxKeptBytes).toBeLessThanOrEqual(MAX_LOG_BYTES + LARGE + 1000)
  expect(session.whenWritable()).toBeUndefined()
  expect(sender.waits, 'still waiting').toBe(0)
}

describe('two sessions over a wire that loses, doubles, reorders, and forgets ways', () => {
  test('everything arrives once, in order, or both sides are reset once and nothing older comes after', async () => {
    let resets = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 80, size: 'max' }), async (steps) => {
        resets += (await run(steps)).resets
      }),
      { numRuns: RUNS },
    )
    expect(resets, 'runs with resets, or this test shows little').toBeGreaterThan(RUNS / 4)
  }, 60_000)
})
