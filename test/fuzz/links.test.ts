/** Any bytes in place of a handshake, and after it: the link ends with an error of ours, the neighbour is told why. */
import fc from 'fast-check'
import { PulsingError } from 'pulsing'
import { expect, test } from 'vitest'
import { encodeCbor, lower } from '../../src/base/cbor.ts'
import { HANDSHAKE_TIMEOUT_MS } from '../../src/link/link.ts'
import type { SeededRandom } from '../../src/testkit/seeded-random.ts'
import { FRAME, GOAWAY } from '../../src/wire/frame.ts'
import { batch, hello, linkToRaw, turn, welcome } from '../link/link-ends.ts'
import { fuzzAsync, numericSeed } from './fuzz.ts'
import { likelyBytes, mutate } from './mutations.ts'
import { anyValue } from './values.ts'

const values = fc.sample(anyValue, { numRuns: 40, seed: numericSeed }).map((value) => encodeCbor(lower(value)))

/** What a neighbour says first, changed here and there. */
function opening(random: SeededRandom): Uint8Array[] {
  const good = [
    hello({ serial: random.int(5), features: ['f'] }),
    welcome(),
    batch({ kind: FRAME.ping, id: 1 }, { kind: FRAME.cluster, payload: random.pick(values) }),
  ]
  const changed = random.int(4)
  return good.map((bytes, i) =>
    i !== changed ? bytes : random.int(8) === 0 ? likelyBytes(random) : mutate(random, bytes, [...good, ...values]),
  )
}

test('hostile handshakes', { timeout: 60_000 }, async () => {
  let refused = 0
  const ran = await fuzzAsync('hostile handshakes', 1_500, async (random) => {
    const { clock, end, raw } = linkToRaw()
    for (const bytes of opening(random)) raw.send(bytes)
    await turn()
    if (!end.events.includes('closed') && !end.events.includes('failed')) {
      // Still there, or still waiting: garbage ends the one, time the other.
      raw.send(Uint8Array.of(0xff))
      await turn()
      await clock.advanceAsync(HANDSHAKE_TIMEOUT_MS)
    }
    const error = await end.whenOver
    const goaway = raw.frames.all.find(({ kind }) => kind === FRAME.goaway)
    expect(error).toBeInstanceOf(PulsingError)
    if (error?.name !== 'ProtocolError' || error.message.startsWith('the neighbour')) return
    refused++
    expect([GOAWAY.protocol, GOAWAY.unsupported]).toContain(goaway?.id)
    expect(goaway?.reason).toBe(error.message)
    expect(end.events.filter((name) => name !== 'opened')).toHaveLength(1)
  })
  if (ran > 1_000) expect(refused).toBeGreaterThan(ran / 2)
})
