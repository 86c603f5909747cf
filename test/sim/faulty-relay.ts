/** A relay that is not to be trusted with frames: some of those it passes on get lost, come twice, or come late. */

import type { Connection, Transport } from '../../src/link/connection.ts'
import type { SeededRandom } from '../../src/testkit/seeded-random.ts'
import { FIRST_ROUTED_KIND, Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'

/** How likely each is, for one frame, from 0 to 1. */
export interface Faultiness {
  readonly lost: number
  readonly repeated: number
  readonly late: number
}

export class FaultyRelay {
  /** Set to false, it is a relay like any other. */
  isFaulty = true
  readonly #random: SeededRandom
  readonly #faultiness: Faultiness

  constructor(random: SeededRandom, faultiness: Faultiness) {
    this.#random = random
    this.#faultiness = faultiness
  }

  /** The same transport, for the relay. */
  wrap(transport: Transport): Transport {
    return {
      ...transport,
      ...(transport.dial ? { dial: async (...args) => this.#wrapped(await transport.dial!(...args)) } : {}),
      ...(transport.listen
        ? { listen: (address, accept) => transport.listen!(address, (connection) => accept(this.#wrapped(connection))) }
        : {}),
    }
  }

  #wrapped(inner: Connection): Connection {
    let late: Uint8Array[] = []
    return {
      maxBatchBytes: inner.maxBatchBytes,
      transfers: inner.transfers,
      get waitingBytes() {
        return inner.waitingBytes
      },
      open: (handler) => inner.open(handler),
      close: () => inner.close(),
      abort: (reason) => inner.abort(reason),
      send: (batch) => {
        if (!this.isFaulty && late.length === 0) return inner.send(batch)
        const before = late
        late = []
        return inner.send(this.#mangled(batch, before, late))
      },
    }
  }

  /** @param late takes the frames that are to come after those of the next batch */
  #mangled(batch: Uint8Array, before: readonly Uint8Array[], late: Uint8Array[]): Uint8Array {
    const { lost, repeated, late: lateness } = this.#faultiness
    const frames: Uint8Array[] = []
    const reader = new FrameReader()
    const frame = new Frame()
    reader.open(batch)
    while (reader.next(frame)) {
      const raw = reader.raw
      const chance = this.isFaulty && isPassedOn(frame) ? this.#random.float() : 1
      if (chance < lost) continue
      if (chance < lost + lateness) late.push(raw)
      else frames.push(raw)
      if (chance >= lost + lateness && chance < lost + lateness + repeated) frames.push(raw)
    }
    return joined([...frames, ...before])
  }
}

function isPassedOn({ kind, to, from }: Frame): boolean {
  return kind >= FIRST_ROUTED_KIND && to !== '' && from !== ''
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}
