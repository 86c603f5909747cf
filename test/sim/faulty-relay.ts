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

/** Batches after which a late frame comes, at most. */
const MAX_LATENESS = 20

interface Late {
  readonly bytes: Uint8Array
  /** How many batches are to pass before it. */
  batches: number
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
    const late: Late[] = []
    return {
      maxBatchBytes: inner.maxBatchBytes,
      transfers: inner.transfers,
      get waitingBytes() {
        return inner.waitingBytes
      },
      open: (handler) => inner.open(handler),
      close: () => inner.close(),
      abort: (reason) => inner.abort(reason),
      send: (batch) => inner.send(this.isFaulty || late.length > 0 ? this.#mangled(batch, late) : batch),
    }
  }

  /** @param late takes the frames that are to come later, and gives those whose batch this is */
  #mangled(batch: Uint8Array, late: Late[]): Uint8Array {
    const { lost, repeated, late: lateness } = this.#faultiness
    const frames: Uint8Array[] = []
    for (const entry of late.splice(0)) {
      if (--entry.batches > 0 && this.isFaulty) late.push(entry)
      else frames.push(entry.bytes)
    }
    const reader = new FrameReader()
    const frame = new Frame()
    reader.open(batch)
    while (reader.next(frame)) {
      const bytes = reader.raw
      const chance = this.isFaulty && isPassedOn(frame) ? this.#random.float() : 1
      if (chance < lost) continue
      if (chance < lost + lateness) late.push({ bytes, batches: 1 + this.#random.int(MAX_LATENESS) })
      else if (chance < lost + lateness + repeated) late.push({ bytes, batches: this.#random.int(MAX_LATENESS) })
      if (chance >= lost + lateness) frames.push(bytes)
    }
    return joined(frames)
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
