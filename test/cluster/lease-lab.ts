/**
 * Holders and an authority of exclusive names, as pure as they are, in a bad network: messages come late, out of order or
 * not at all, clocks run fast or slow, timers late, the authority is started anew. Looks on, and writes down what must
 * never be.
 */
import { ManualClock, type SeededRandom } from 'pulsing/testkit'
import { LeaseHold } from '../../src/cluster/lease-hold.ts'
import type { Acquired, Claim, Granted, Renewed } from '../../src/cluster/lease-table.ts'
import { DEFAULT_LEASE_MS, LeaseTable } from '../../src/cluster/lease-table.ts'

export const LEASE_MS: number = DEFAULT_LEASE_MS
const NAMES = ['leader', 'index']
const WALL_MS = 1_700_000_000_000
/** How fast a holder's clock may run, at most and at least. */
const MAX_SKEW = 0.1
const MAX_LATE_MS = 1_000

export interface LabOptions {
  readonly random: SeededRandom
  readonly holders: number
  /** How long a message is under way at most, in milliseconds. */
  readonly maxDelayMs: number
  /** The share of messages that are lost. */
  readonly loss: number
  /** Sabotage: an authority that forgets, and grants at once. */
  readonly isHasty?: boolean
  /** Sabotage: holders that never let go. */
  readonly isStubborn?: boolean
}

interface Belief {
  readonly program: number
  readonly name: string
  readonly claim: Claim
  readonly hold: LeaseHold
}

export class LeaseLab {
  readonly clock = new ManualClock()
  readonly violations: string[] = []
  readonly grants: string[] = []
  loss: number
  maxDelayMs: number
  readonly #options: LabOptions
  readonly #rates: readonly number[]
  readonly #believers = new Map<string, Set<Belief>>(NAMES.map((name) => [name, new Set()]))
  readonly #lastTokens = new Map<string, number>()
  #table: LeaseTable
  readonly #cut = new Set<number>()
  #isUp = true
  #claims = 0

  constructor(options: LabOptions) {
    this.#options = options
    this.loss = options.loss
    this.maxDelayMs = options.maxDelayMs
    const { random, holders } = options
    this.#rates = Array.from({ length: holders }, () => 1 + MAX_SKEW * (2 * random.float() - 1))
    this.#table = new LeaseTable(LEASE_MS, 0)
    for (let program = 0; program < holders; program++) this.#live(program)
  }

  /** How many hold a name now. */
  holdersOf(name: string): number {
    return this.#believers.get(name)!.size
  }

  get names(): readonly string[] {
    return NAMES
  }

  /** The authority ends, and another is started in its place. */
  restart(downMs: number): void {
    this.#isUp = false
    this.clock.setTimer(() => {
      const now = this.clock.now()
      this.#table = new LeaseTable(LEASE_MS, this.#options.isHasty ? now - LEASE_MS : now)
      this.#isUp = true
    }, downMs)
  }

  /** Nothing is sent to one of the programs, nor by it, for a while. */
  cut(forMs: number): void {
    const program = this.#options.random.int(this.#options.holders)
    this.#cut.add(program)
    this.clock.setTimer(() => this.#cut.delete(program), forMs)
  }

  #time(program: number): number {
    return this.clock.now() * this.#rates[program]! + program * 1_000_000
  }

  /** A program that wants a name, keeps it for a while, gives it up, and wants another. */
  #live(program: number): void {
    const { random } = this.#options
    this.clock.setTimer(() => this.#acquire(program, random.pick(NAMES)), random.int(20_000))
  }

  #acquire(program: number, name: string): void {
    const claim: Claim = { name, holder: `${program}/${++this.#claims}`, nodeId: `${program}` }
    const sentAt = this.#time(program)
    let isAnswered = false
    this.#ask<Acquired>(
      program,
      (now) => this.#table.acquire(claim, now, WALL_MS + now),
      (acquired) => {
        if (isAnswered) return
        isAnswered = true
        if (acquired.outcome === 'granted') this.#believe(program, claim, acquired, sentAt)
        else this.#live(program)
      },
    )
    // An answer that does not come is not waited for; one that comes later all the same is not believed.
    this.clock.setTimer(() => {
      if (isAnswered) return
      isAnswered = true
      this.#live(program)
    }, 5_000)
  }

  #believe(program: number, claim: Claim, granted: Granted, sentAt: number): void {
    const hold = new LeaseHold(granted, sentAt)
    if (hold.isOver(this.#time(program))) {
      this.#live(program)
      return
    }
    const { name } = claim
    const belief: Belief = { program, name, claim, hold }
    const believers = this.#believers.get(name)!
    const last = this.#lastTokens.get(name) ?? 0
    if (granted.token <= last) this.violations.push(`token ${granted.token} of ${name} after ${last}`)
    this.#lastTokens.set(name, granted.token)
    for (const other of believers)
      this.violations.push(`${claim.holder} and ${other.claim.holder} both hold ${name} at ${this.clock.now()}`)
    believers.add(belief)
    this.grants.push(`${name} ${granted.token}`)
    this.#keep(belief)
    this.clock.setTimer(() => {
      if (!believers.delete(belief)) return
      this.#send(program, () => this.#table.release(name, claim.holder))
      this.#live(program)
    }, this.#options.random.int(90_000))
  }

  #keep(belief: Belief): void {
    const { program, name, claim, hold } = belief
    const { random, isStubborn } = this.#options
    const inMs = Math.max(0, hold.actsAt - this.#time(program)) / this.#rates[program]! + random.int(MAX_LATE_MS)
    this.clock.setTimer(() => {
      const believers = this.#believers.get(name)!
      if (!believers.has(belief)) return
      const sentAt = this.#time(program)
      if (hold.isOver(sentAt)) {
        if (isStubborn) return
        believers.delete(belief)
        this.#live(program)
        return
      }
      hold.tried(sentAt)
      this.#ask<Renewed>(
        program,
        (now) => this.#table.renew({ ...claim, token: hold.token }, now),
        (renewed) => {
          if (renewed.outcome === 'granted') hold.renewed(renewed, sentAt, this.#time(program))
          else if (!isStubborn && believers.delete(belief)) this.#live(program)
        },
      )
      this.#keep(belief)
    }, inMs)
  }

  #ask<R>(program: number, decide: (now: number) => R, answered: (reply: R) => void): void {
    this.#send(program, () => {
      const reply = decide(this.clock.now())
      this.#send(program, () => answered(reply), false)
    })
  }

  #send(program: number, arrived: () => void, isToAuthority = true): void {
    const { random } = this.#options
    if (this.#cut.has(program) || random.float() < this.loss) return
    const delayMs = random.float() < 0.05 ? random.int(4 * this.maxDelayMs + 1) : random.int(this.maxDelayMs + 1)
    this.clock.setTimer(() => {
      if (!isToAuthority || this.#isUp) arrived()
    }, delayMs)
  }
}
