/** Leaves that change their relay while others are away: everybody sees everybody again, and sessions go on. */
import { afterEach, expect, test } from 'vitest'
import { away, ids, joined, memberIds } from '../system/systems.ts'
import { Network } from './networks.ts'
import { asks, complaints, expectAll, reads, tells, upTo, writes } from './witness.ts'

const network = new Network()
afterEach(() => network.stop())

test('a leaf whose relay has gone takes the next, and its asks, tells and streams go on over that', {
  timeout: 30_000,
}, async () => {
  const { a, a1, b, b2, witnessA, witnessB, atA, atB } = await network.square()
  const heard = complaints(a, b)
  const amount = 300
  const all = Promise.all(
    [atA, atB].flatMap((ref) => [tells(ref, amount), asks(ref, amount), reads(ref, amount), writes(ref, amount)]),
  )
  await witnessA.hasHeard(50)
  for (const proxy of [a1, b2]) {
    proxy.refuse()
    proxy.cut()
  }
  await all
  await Promise.all([witnessA.hasHeard(amount), witnessB.hasHeard(amount)])
  expectAll(witnessA, amount, amount)
  expectAll(witnessB, amount, amount)
  expect(heard).toEqual([])
})

test('who was away while another leaf moved finds it where it is now', { timeout: 30_000 }, async () => {
  const { first, second, between, a, a1, a2, b, b2, witnessA, atA } = await network.square()
  const heard = complaints(a, b)
  await tells(atA, 10)
  // One leaf is away,
  const isAway = Promise.all([away(first, a.nodeId), away(second, a.nodeId), away(a, b.nodeId)])
  for (const proxy of [a1, a2]) {
    proxy.refuse()
    proxy.cut()
  }
  await isAway
  // the other one moves from the second relay to the first,
  const hasLeft = away(second, b.nodeId)
  b2.refuse()
  b2.cut()
  await hasLeft
  await Promise.all([joined(first, b), joined(second, b)])
  // the relays lose each other,
  const isApart = away(second, first.nodeId)
  between.refuse()
  between.cut()
  await isApart
  // the one that was away comes back, to the second,
  const isBack = joined(second, a)
  a2.admit()
  await isBack
  // and the relays find each other.
  const areTogether = joined(second, first)
  between.admit()
  await areTogether
  await Promise.all([joined(b, a), joined(a, b)])
  for (const system of [first, second, a, b]) expect(memberIds(system)).toEqual(ids(first, second, a, b))
  await tells(atA, 10, { from: 10 })
  await witnessA.hasHeard(20)
  expect(witnessA.told).toEqual(upTo(20))
  expect(heard).toEqual([])
})
