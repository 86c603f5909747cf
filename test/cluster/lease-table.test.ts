import { Message, StreamMessage } from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { describe, expect, test } from 'vitest'
import { newId } from '../../src/base/ids.ts'
import { LeaseAuthority } from '../../src/cluster/lease-authority.ts'
import { HOLD_SHARE, LeaseHold } from '../../src/cluster/lease-hold.ts'
import type { Granted } from '../../src/cluster/lease-table.ts'
import { LeaseTable, MAX_LEASES, MAX_TOKEN } from '../../src/cluster/lease-table.ts'

const LEASE_MS = 15_000
const WALL_MS = 1_700_000_000_000
const a = { name: 'leader', holder: 'a', nodeId: 'node-a' }
const b = { name: 'leader', holder: 'b', nodeId: 'node-b' }

/** A table that is old enough to grant names. */
const open = (): LeaseTable => new LeaseTable(LEASE_MS, -LEASE_MS)
const tokenOf = (granted: { readonly outcome: string }): number => (granted as Granted).token

describe('a lease table', () => {
  test('grants a free name, and says who has one that is not', () => {
    const table = open()
    expect(table.acquire(a, 0, WALL_MS)).toEqual({ outcome: 'granted', token: WALL_MS * 1_000, leaseMs: LEASE_MS })
    expect(table.acquire(b, 1, WALL_MS)).toEqual({ outcome: 'held', nodeId: 'node-a' })
    expect(table.acquire({ ...b, name: 'other' }, 1, WALL_MS).outcome).toBe('granted')
  })

  test('grants a holder its name again by the same token, for a whole lease', () => {
    const table = open()
    const token = tokenOf(table.acquire(a, 0, WALL_MS))
    expect(tokenOf(table.acquire(a, 10_000, WALL_MS))).toBe(token)
    expect(table.acquire(b, 24_999, WALL_MS).outcome).toBe('held')
    expect(table.acquire(b, 25_000, WALL_MS).outcome).toBe('granted')
  })

  test('renews what is held, and nothing that is over, was taken, or was never granted', () => {
    const table = open()
    const token = tokenOf(table.acquire(a, 0, WALL_MS))
    expect(table.renew({ ...a, token }, 14_999)).toEqual({ outcome: 'granted', token, leaseMs: LEASE_MS })
    expect(table.renew({ ...a, token: token + 1 }, 15_000).outcome).toBe('lost')
    expect(table.renew({ ...b, token }, 15_000).outcome).toBe('lost')
    expect(table.renew({ ...a, token }, 29_999).outcome).toBe('lost')
    expect(table.size).toBe(0)
  })

  test('frees a name for its holder only', () => {
    const table = open()
    table.acquire(a, 0, WALL_MS)
    table.release('leader', 'b')
    expect(table.acquire(b, 1, WALL_MS).outcome).toBe('held')
    table.release('leader', 'a')
    expect(table.acquire(b, 1, WALL_MS).outcome).toBe('granted')
  })

  test('makes tokens that grow, also in one millisecond, and when the wall clock is set back', () => {
    const table = open()
    const tokens = [WALL_MS, WALL_MS, WALL_MS - 60_000, WALL_MS + 1].map((wallMs) => {
      const token = tokenOf(table.acquire(a, 0, wallMs))
      table.release('leader', 'a')
      return token
    })
    expect(tokens).toEqual([WALL_MS * 1_000, WALL_MS * 1_000 + 1, WALL_MS * 1_000 + 2, (WALL_MS + 1) * 1_000])
  })

  test('takes no more than so many names, and those it has can be renewed then', () => {
    const table = open()
    const first = tokenOf(table.acquire(a, 0, WALL_MS))
    for (let i = 1; i < MAX_LEASES; i++) table.acquire({ ...a, name: `n${i}` }, 0, WALL_MS)
    expect(() => table.acquire({ ...a, name: 'one more' }, 0, WALL_MS)).toThrow('at most 65536 exclusive names')
    expect(table.renew({ ...a, token: first }, 1).outcome).toBe('granted')
  })
})

describe('a lease table that was just made', () => {
  test('grants nothing for one lease, and says for how long', () => {
    const table = new LeaseTable(LEASE_MS, 1_000)
    expect(table.acquire(a, 2_000, WALL_MS)).toEqual({ outcome: 'wait', waitMs: 14_000 })
    expect(table.acquire(a, 15_999, WALL_MS)).toEqual({ outcome: 'wait', waitMs: 1 })
    expect(table.acquire(a, 16_000, WALL_MS).outcome).toBe('granted')
  })

  test('takes a former holder at its word, and makes higher tokens than its from then on', () => {
    const table = new LeaseTable(LEASE_MS, 0)
    const token = WALL_MS * 1_000 + 5_000
    expect(table.renew({ ...a, token }, 1)).toEqual({ outcome: 'granted', token, leaseMs: LEASE_MS })
    expect(table.acquire(b, 2, WALL_MS)).toEqual({ outcome: 'held', nodeId: 'node-a' })
    table.release('leader', 'a')
    expect(table.acquire(b, 2, WALL_MS).outcome).toBe('wait')
    expect(tokenOf(table.acquire(b, LEASE_MS, WALL_MS))).toBe(token + 1)
  })

  test('believes the later of two, whichever comes first, and no token that cannot be', () => {
    for (const order of [
      [a, b],
      [b, a],
    ]) {
      const table = new LeaseTable(LEASE_MS, 0)
      for (const claim of order) table.renew({ ...claim, token: claim === a ? 1 : 2 }, 1)
      expect(table.renew({ ...a, token: 1 }, 2).outcome).toBe('lost')
      expect(table.renew({ ...b, token: 2 }, 2).outcome).toBe('granted')
    }
    expect(new LeaseTable(LEASE_MS, 0).renew({ ...a, token: MAX_TOKEN }, 1).outcome).toBe('lost')
  })

  test('believes nobody any more once it grants names', () => {
    expect(new LeaseTable(LEASE_MS, 0).renew({ ...a, token: 1 }, LEASE_MS).outcome).toBe('lost')
  })
})

describe('the actor that grants leases', () => {
  const claim = { name: 'leader', holder: newId(), nodeId: newId() }
  const authority = (): LeaseAuthority => {
    const clock = new ManualClock()
    const made = new LeaseAuthority(clock, LEASE_MS, () => WALL_MS)
    clock.advance(LEASE_MS)
    return made
  }

  test('acquires, renews and frees', () => {
    const actor = authority()
    const token = WALL_MS * 1_000
    expect(actor.receive(Message.fromObject('@acquire', claim))).toMatchObject({ outcome: 'granted', token })
    expect(actor.receive(Message.fromObject('@renew', { ...claim, token }))).toMatchObject({
      outcome: 'granted',
      token,
    })
    expect(actor.receive(Message.fromObject('@free', { ...claim, holder: newId() }))).toBe(undefined)
    expect(actor.receive(Message.fromObject('@acquire', { ...claim, holder: newId() }))).toMatchObject({
      outcome: 'held',
    })
    expect(actor.receive(Message.fromObject('@free', claim))).toBe(undefined)
    expect(actor.receive(Message.fromObject('@renew', { ...claim, token }))).toEqual({ outcome: 'lost' })
  })

  test.each([
    ['@acquire', undefined],
    ['@acquire', 'leader'],
    ['@acquire', { ...claim, name: 'system/core' }],
    ['@acquire', { ...claim, name: 'x'.repeat(201) }],
    ['@acquire', { ...claim, holder: 'me' }],
    ['@acquire', { ...claim, nodeId: 5 }],
    ['@renew', { ...claim, token: 1.5 }],
    ['@renew', { ...claim, token: '1' }],
    ['@other', claim],
  ])('refuses what is no request of its own: %s %j', (type, value) => {
    expect(() => authority().receive(Message.fromObject(type, value))).toThrow(/^expected /)
  })

  test('refuses a stream', () => {
    const [stream] = StreamMessage.create('@acquire')
    expect(() => authority().receive(stream)).toThrow('expected a request of type')
  })
})

describe('a hold of a lease', () => {
  const granted: Granted = { outcome: 'granted', token: 7, leaseMs: LEASE_MS }

  test('ends before the lease does, counted from when it was asked for', () => {
    const hold = new LeaseHold(granted, 1_000)
    expect(hold.endsAt).toBe(1_000 + LEASE_MS * HOLD_SHARE)
    expect([hold.isOver(10_999), hold.isOver(11_000)]).toEqual([false, true])
  })

  test('is renewed at a third, and tried again often until it is', () => {
    const hold = new LeaseHold(granted, 0)
    expect(hold.actsAt).toBe(5_000)
    hold.tried(5_000)
    expect(hold.actsAt).toBe(6_500)
    hold.tried(6_500)
    hold.renewed(granted, 5_000, 6_600)
    expect([hold.endsAt, hold.actsAt]).toEqual([15_000, 8_000])
    hold.renewed(granted, 6_500, 7_000)
    expect([hold.endsAt, hold.actsAt]).toEqual([16_500, 11_500])
  })

  test('stays over when it is, and goes by the latest answer', () => {
    const hold = new LeaseHold(granted, 0)
    hold.renewed(granted, 4_000, 4_100)
    hold.renewed(granted, 2_000, 4_200)
    expect(hold.endsAt).toBe(14_000)
    hold.renewed(granted, 13_000, 14_000)
    expect(hold.isOver(14_000)).toBe(true)
  })
})
