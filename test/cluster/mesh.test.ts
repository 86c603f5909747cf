/** Which relay dials which, when, and how often, with relays that are nothing but answers to a dial. */
import { beforeEach, describe, expect, test } from 'vitest'
import { type Deferred, deferred } from '../../src/base/deferred.ts'
import {
  AuthError,
  ProtocolError,
  type PulsingError,
  PulsingTimeoutError,
  UnreachableError,
} from '../../src/base/errors.ts'
import { Mesh } from '../../src/cluster/mesh.ts'
import { MIN_BACKOFF_MS } from '../../src/link/backoff.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'

const HOUR_MS = 3_600_000
/** The first wait of who may go at once, and of who goes last. */
const [SOONEST_MS, LATEST_MS] = [MIN_BACKOFF_MS / 4, MIN_BACKOFF_MS]
/** A relay that is back is linked again within 10 s: a call given up, and the wait after it, take less. */
const BACK_WITHIN_MS = 10_000

/** Who answers a dial. */
interface Answer {
  readonly nodeId: string
}

interface Dial {
  readonly address: string
  readonly at: number
  readonly signal: AbortSignal
  readonly answer: Deferred<Answer>
}

let clock: ManualClock
let dials: Dial[]
let failures: { readonly address: string; readonly error: PulsingError; readonly isFinal: boolean }[]
let linked: Set<string>
/** What becomes of a dial; by default it waits for the test. */
let answer: (address: string, answer: Deferred<Answer>) => void

beforeEach(() => {
  clock = new ManualClock()
  dials = []
  failures = []
  linked = new Set()
  answer = () => undefined
})

/** The mesh of one relay; `chance` is where in the range of a wait it falls, 0 to 1. */
function meshOf(self: string, chance = 0): Mesh {
  return new Mesh(
    self,
    {
      isLinked: (nodeId) => linked.has(nodeId),
      link: (address, signal, timeoutMs) => {
        const dial: Dial = { address, at: clock.now(), signal, answer: deferred() }
        dials.push(dial)
        const giveUp = (): void => dial.answer.reject(new PulsingTimeoutError('dialling', timeoutMs))
        const timer = clock.setTimer(giveUp, timeoutMs)
        signal.addEventListener('abort', giveUp)
        answer(address, dial.answer)
        return dial.answer.promise.finally(() => {
          timer.cancel()
          signal.removeEventListener('abort', giveUp)
        })
      },
      failed: (address, error, isFinal) => void failures.push({ address, error, isFinal }),
    },
    clock,
    { float: () => chance },
  )
}

const refusal = (): PulsingError => new UnreachableError('nobody there', { outcome: 'not-sent' })
const refuse = (_address: string, { reject }: Deferred<Answer>): void => reject(refusal())
/** Times of the dials so far. */
const times = (): number[] => dials.map(({ at }) => at)

describe('of two relays', () => {
  test('the one with the lower id dials at once', async () => {
    meshOf('a').add('b', 'ws://b')
    await clock.advanceAsync(0)
    expect(dials).toMatchObject([{ address: 'ws://b', at: 0 }])
  })

  test.each([
    [0, SOONEST_MS],
    [1, LATEST_MS],
  ])('the one with the higher id dials after a wait, with chance %d after %d ms', async (chance, waitMs) => {
    meshOf('b', chance).add('a', 'ws://a')
    await clock.advanceAsync(waitMs - 1)
    expect(dials).toEqual([])
    await clock.advanceAsync(1)
    expect(dials).toMatchObject([{ address: 'ws://a' }])
  })

  test('the one with the higher id does not dial when it was dialled before its wait is over', async () => {
    meshOf('b').add('a', 'ws://a')
    await clock.advanceAsync(SOONEST_MS - 1)
    linked.add('a')
    await clock.advanceAsync(HOUR_MS)
    expect(dials).toEqual([])
    expect(clock.pending).toBe(0)
  })

  test('neither dials one it is linked to', async () => {
    linked.add('b')
    for (const self of ['a', 'c']) meshOf(self).add('b', 'ws://b')
    await clock.advanceAsync(HOUR_MS)
    expect(dials).toEqual([])
  })
})

describe('a relay that is dialled', () => {
  test('is left alone once it is linked', async () => {
    answer = (_, { resolve }) => {
      linked.add('b')
      resolve({ nodeId: 'b' })
    }
    const mesh = meshOf('a')
    mesh.add('b', 'ws://b')
    await clock.advanceAsync(HOUR_MS)
    mesh.add('b', 'ws://b')
    await clock.advanceAsync(HOUR_MS)
    expect(times()).toEqual([0])
    expect([failures, clock.pending]).toEqual([[], 0])
  })

  test('is not dialled a second time while the first takes its time, whatever is heard of it', async () => {
    const mesh = meshOf('a')
    mesh.add('b', 'ws://b')
    await clock.advanceAsync(0)
    mesh.add('b', 'ws://b')
    mesh.unlinked('b')
    await clock.advanceAsync(MIN_BACKOFF_MS)
    expect(dials).toHaveLength(1)
  })

  test('and never answers is given up, told of, and dialled again', async () => {
    meshOf('a').add('b', 'ws://b')
    await clock.advanceAsync(BACK_WITHIN_MS)
    expect(failures[0]).toMatchObject({ address: 'ws://b', error: { code: 'timeout' }, isFinal: false })
    expect(dials.length).toBeGreaterThan(1)
  })

  test('is dialled often enough to be linked soon, however long it was away', async () => {
    for (const silent of [refuse, () => undefined]) {
      answer = silent
      const [before, mesh] = [dials.length, meshOf('a', 1)]
      mesh.add('b', 'ws://b')
      await clock.advanceAsync(HOUR_MS)
      const calls = times().slice(before)
      const longest = Math.max(...calls.slice(1).map((at, index) => at - calls[index]!))
      expect(longest).toBeLessThan(BACK_WITHIN_MS)
      mesh.close()
    }
  })

  test.each(['ws://0.0.0.0:80', 'ws://[::]:80', 'wss://0:443/path'])(
    'is not dialled at %s, which is nowhere',
    async (address) => {
      meshOf('a').add('b', address)
      await clock.advanceAsync(HOUR_MS)
      expect([dials, clock.pending]).toEqual([[], 0])
    },
  )

  test('is dialled again after waits that double, up to a bound, and each failure is told', async () => {
    answer = refuse
    meshOf('a', 1).add('b', 'ws://b')
    await clock.advanceAsync(HOUR_MS)
    const waits = times()
      .slice(1)
      .map((at, index) => at - times()[index]!)
    expect(waits.slice(0, 4)).toEqual([1, 2, 4, 8].map((times) => times * MIN_BACKOFF_MS))
    expect(new Set(waits.slice(8)).size).toBe(1)
    expect(failures).toHaveLength(dials.length)
    expect(failures[0]).toMatchObject({ address: 'ws://b', error: { code: 'unreachable' }, isFinal: false })
  })

  test('is dialled where it was last heard to be', async () => {
    answer = refuse
    const mesh = meshOf('a')
    mesh.add('b', 'ws://before')
    await clock.advanceAsync(0)
    mesh.add('b', 'ws://after')
    await clock.advanceAsync(SOONEST_MS)
    expect(dials.map(({ address }) => address)).toEqual(['ws://before', 'ws://after'])
  })

  test.each([
    ['the token', new AuthError('not you')],
    ['the version', new ProtocolError('not this version')],
  ])('is not dialled again when it refuses %s: that does not mend itself', async (_what, error) => {
    answer = (_, { reject }) => reject(error)
    meshOf('a').add('b', 'ws://b')
    await clock.advanceAsync(HOUR_MS)
    expect(times()).toEqual([0])
    expect(failures).toEqual([{ address: 'ws://b', error, isFinal: true }])
    expect(clock.pending).toBe(0)
  })

  test('is not dialled again where another node answered, or this one, until it is elsewhere', async () => {
    for (const nodeId of ['c', 'a']) {
      answer = (_, { resolve }) => resolve({ nodeId })
      const [before, mesh] = [dials.length, meshOf('a')]
      mesh.add('b', 'ws://b')
      await clock.advanceAsync(HOUR_MS)
      mesh.unlinked('b')
      mesh.add('b', 'ws://b')
      await clock.advanceAsync(HOUR_MS)
      mesh.add('b', 'ws://elsewhere')
      await clock.advanceAsync(0)
      expect(dials.slice(before).map(({ address }) => address)).toEqual(['ws://b', 'ws://elsewhere'])
      expect(String(failures.at(-1)?.error)).toContain(`expected node b at ws://elsewhere, got node ${nodeId}`)
      mesh.close()
    }
  })

  test('and is heard to be elsewhere meanwhile is dialled there, whatever becomes of the dial', async () => {
    const mesh = meshOf('a')
    mesh.add('b', 'ws://before')
    await clock.advanceAsync(0)
    mesh.add('b', 'ws://after')
    dials[0]!.answer.resolve({ nodeId: 'c' })
    await clock.advanceAsync(SOONEST_MS)
    expect(dials.map(({ address }) => address)).toEqual(['ws://before', 'ws://after'])
  })

  test('does not keep others waiting', async () => {
    const mesh = meshOf('a')
    mesh.add('b', 'ws://b')
    mesh.add('c', 'ws://c')
    await clock.advanceAsync(0)
    expect(dials.map(({ address }) => address)).toEqual(['ws://b', 'ws://c'])
  })
})

describe('a link that is over', () => {
  test.each([
    ['lower', 'a'],
    ['higher', 'c'],
  ])('is made anew after a wait, by the relay with the %s id as well', async (_which, self) => {
    linked.add('b')
    const mesh = meshOf(self)
    mesh.add('b', 'ws://b')
    linked.delete('b')
    mesh.unlinked('b')
    await clock.advanceAsync(SOONEST_MS - 1)
    expect(dials).toEqual([])
    await clock.advanceAsync(1)
    expect(dials).toMatchObject([{ address: 'ws://b' }])
  })

  test('is waited for as shortly as the first time, however long it took to come up', async () => {
    answer = (_, promise) => {
      if (dials.length < 6) refuse(_, promise)
      else {
        linked.add('b')
        promise.resolve({ nodeId: 'b' })
      }
    }
    const mesh = meshOf('a')
    mesh.add('b', 'ws://b')
    await clock.advanceAsync(HOUR_MS)
    expect(dials).toHaveLength(6)
    linked.delete('b')
    mesh.unlinked('b')
    await clock.advanceAsync(SOONEST_MS)
    expect(dials).toHaveLength(7)
  })

  test('of a node that is no relay concerns nobody', async () => {
    meshOf('a').unlinked('leaf')
    await clock.advanceAsync(HOUR_MS)
    expect([dials, clock.pending]).toEqual([[], 0])
  })
})

describe('a relay that left', () => {
  test('is not dialled any more', async () => {
    answer = refuse
    const mesh = meshOf('a')
    mesh.add('b', 'ws://b')
    await clock.advanceAsync(0)
    mesh.remove('b')
    expect(clock.pending).toBe(0)
    mesh.unlinked('b')
    await clock.advanceAsync(HOUR_MS)
    expect(times()).toEqual([0])
  })

  test('while it was dialled is not dialled again', async () => {
    const mesh = meshOf('a')
    mesh.add('b', 'ws://b')
    await clock.advanceAsync(0)
    mesh.remove('b')
    dials[0]!.answer.reject(refusal())
    await clock.advanceAsync(HOUR_MS)
    expect([dials.length, clock.pending]).toEqual([1, 0])
  })

  test('and came back is dialled as one never heard of', async () => {
    answer = refuse
    const mesh = meshOf('a', 1)
    mesh.add('b', 'ws://b')
    await clock.advanceAsync(HOUR_MS)
    mesh.remove('b')
    const before = dials.length
    mesh.add('b', 'ws://b')
    await clock.advanceAsync(LATEST_MS)
    expect(dials.length - before).toBe(2)
  })

  test('and was never heard of changes nothing', () => {
    meshOf('a').remove('b')
    expect(clock.pending).toBe(0)
  })
})

describe('closing', () => {
  test('ends what waits, and what is being dialled', async () => {
    const mesh = meshOf('b')
    mesh.add('c', 'ws://c')
    await clock.advanceAsync(0)
    mesh.add('a', 'ws://a')
    mesh.close()
    expect(dials.map(({ signal }) => signal.aborted)).toEqual([true])
    dials[0]!.answer.reject(refusal())
    await clock.advanceAsync(HOUR_MS)
    expect([dials.length, clock.pending, failures]).toEqual([1, 0, []])
  })

  test('is for good', async () => {
    const mesh = meshOf('a')
    mesh.close()
    mesh.add('b', 'ws://b')
    mesh.unlinked('b')
    mesh.remove('b')
    mesh.close()
    await clock.advanceAsync(HOUR_MS)
    expect([dials, clock.pending]).toEqual([[], 0])
  })
})

test('every call has a signal of its own, and all end together', () => {
  const mesh = meshOf('a')
  for (const nodeId of ['b', 'c', 'd']) mesh.add(nodeId, `ws://${nodeId}`)
  clock.advance(SOONEST_MS)
  expect(new Set(dials.map(({ signal }) => signal)).size).toBe(3)
  mesh.close()
  expect(dials.map(({ signal }) => signal.aborted)).toEqual([true, true, true])
})
