/** Frames of a neighbour that knows the protocol well and means no good: nearly right, one after the other. */
import { encodeCbor, Tag } from '../../src/base/cbor.ts'
import { newId } from '../../src/base/ids.ts'
import { encodeUpdates, type Update } from '../../src/cluster/update.ts'
import type { SeededRandom } from '../../src/testkit/seeded-random.ts'
import { encodeError } from '../../src/wire/error-codec.ts'
import { FRAME, Frame } from '../../src/wire/frame.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'
import { likelyBytes, mutate } from './mutations.ts'

type Fields = Partial<Frame> & { readonly kind: number }

/** Whom the frames may name: the node itself, its actors, the neighbour that sends, and others. */
export interface Cast {
  readonly target: string
  readonly self: string
  readonly bystander: string
  readonly actors: readonly string[]
  /** Values, encoded. */
  readonly values: readonly Uint8Array[]
}

const NUMBERS = [0, 1, 2, 3, 5, 31, 32, 33, 512, 4096, 65_535, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]
const TYPES = ['', '', '', '@call', '@callback', '@release', '@watch', 'find', 'x'.repeat(1025)]

export class HostileFrames {
  readonly #random: SeededRandom
  readonly #cast: Cast
  #session = 1
  #seq = 0

  constructor(random: SeededRandom, cast: Cast) {
    this.#random = random
    this.#cast = cast
  }

  /** The next batch, of one to six frames. */
  batch(): Uint8Array {
    const random = this.#random
    const writer = new FrameWriter()
    for (let i = 1 + random.int(6); i > 0; i--) writer.write(Object.assign(new Frame(), this.#frame()))
    const batch = writer.take()
    return random.int(6) === 0 ? mutate(random, batch, [batch, ...this.#cast.values]) : batch
  }

  #number(): number {
    return this.#random.int(3) === 0 ? this.#random.pick(NUMBERS) : this.#random.int(6)
  }

  #actor(): string {
    const { actors } = this.#cast
    return this.#random.int(5) === 0
      ? this.#random.pick(['system/core', newId(), '', 'constructor'])
      : this.#random.pick(actors)
  }

  #node(): string {
    const { target, self, bystander } = this.#cast
    return this.#random.pick([target, self, bystander, newId(), '__proto__'])
  }

  /** What every routed frame has. Mostly as it must be, so that the rest is looked at. */
  #head(): Partial<Frame> {
    const random = this.#random
    if (random.int(40) === 0) this.#session += random.pick([-1, 1, 2])
    if (random.int(40) > 0) this.#seq++
    const isOdd = random.int(25) === 0
    return {
      hops: isOdd ? random.int(24) : 0,
      to: isOdd ? this.#node() : '',
      from: isOdd ? this.#node() : '',
      session: Math.max(0, random.int(60) === 0 ? random.pick(NUMBERS) : this.#session),
      seq: random.int(60) === 0 ? random.pick(NUMBERS) : this.#seq,
    }
  }

  /** A value with a reference in it, or one of the others, or something like one. */
  #payload(): Uint8Array {
    const random = this.#random
    const { values, self, target } = this.#cast
    switch (random.int(8)) {
      case 0:
        return encodeCbor({
          ref: new Tag([random.pick([self, target, newId()]), this.#actor() || newId(), null], 0x5075),
        })
      case 1:
        return encodeCbor([new Tag([1 + random.int(4), this.#number()], 0x5076)])
      case 2:
        return encodeCbor([new Tag([random.pick([self, target]), newId()], 0x5078)])
      case 3:
        return encodeCbor(
          new Tag(random.pick<unknown>([0, 1, [], ['a'], [1, 2, 3]]), random.pick([0x5075, 0x5076, 0x5077, 0x5078])),
        )
      case 4:
        return encodeCbor([
          random.pick(['add', 'constructor', '__proto__', 'then', 'count']),
          random.pick<unknown>([[], [1, 2], 5]),
        ])
      case 5:
        return mutate(random, random.pick(values), values)
      case 6:
        return random.int(2) ? likelyBytes(random) : random.bytes(random.int(40))
      default:
        return random.pick(values)
    }
  }

  #message(): Partial<Frame> {
    const random = this.#random
    const hasStream = random.int(8) === 0
    return {
      flags: random.int(10) === 0 ? this.#number() : random.pick([6, 6, 6, 2, 4, 0, 1, 5, 3, 14]),
      type: random.pick(TYPES),
      stream: hasStream ? this.#number() : 0,
      window: hasStream ? this.#number() : 0,
      payload: this.#payload(),
    }
  }

  #update(): Update {
    const random = this.#random
    const nodeId = this.#node()
    const version = 1 + this.#number()
    switch (random.int(5)) {
      case 0:
        return { op: 'link', nodeId, version, other: this.#node(), isUp: random.int(2) === 0 }
      case 1:
        return {
          op: 'name',
          nodeId,
          version,
          name: random.pick(['echo', 'x', 'constructor']),
          actorId: random.pick([undefined, newId()]),
        }
      case 2:
        return random.pick([{ op: 'want', nodeId }, { op: 'gone', nodeId }, { op: 'synced' }])
      default:
        return {
          op: 'node',
          nodeId,
          version,
          kind: random.pick(['relay', 'leaf']),
          addr: undefined,
          features: random.pick([[], ['webrtc']]),
          classes: [],
          links: [this.#node(), this.#node()],
          names: [['echo', newId()]],
          isHidden: false,
        }
    }
  }

  #frame(): Fields {
    const random = this.#random
    switch (random.int(30)) {
      case 0:
        return { kind: FRAME.ping, id: this.#number() }
      case 1:
        return { kind: FRAME.pong, id: this.#number() }
      case 2: {
        const payload = encodeUpdates(Array.from({ length: 1 + random.int(4) }, () => this.#update()))
        return { kind: FRAME.cluster, payload: random.int(3) === 0 ? mutate(random, payload, [payload]) : payload }
      }
      case 3:
        return random.int(10) > 0
          ? { kind: FRAME.ping, id: 1 }
          : random.pick<Fields>([
              { kind: FRAME.hello, payload: this.#payload() },
              { kind: FRAME.welcome },
              { kind: FRAME.goaway, id: this.#number() },
            ])
      case 4:
        return { kind: FRAME.ack, ...this.#head(), id: this.#number(), count: this.#number(), flags: random.int(3) }
      case 5:
        return { kind: FRAME.probe, ...this.#head() }
      case 6:
        return random.int(8) > 0
          ? { kind: FRAME.probe, ...this.#head() }
          : { kind: FRAME.reset, ...this.#head(), id: this.#number() }
      case 7:
        return { kind: FRAME.undeliverable, ...this.#head(), id: random.int(3), actor: this.#node(), reason: 'gone' }
      case 8:
        return {
          kind: FRAME.signal,
          ...this.#head(),
          payload: encodeCbor([random.pick(['start', 'data', 'x']), this.#number(), {}]),
        }
      case 9:
      case 10:
        return { kind: FRAME.reply, ...this.#head(), id: this.#number(), ...this.#message() }
      case 11:
        return {
          kind: FRAME.fail,
          ...this.#head(),
          id: this.#number(),
          payload: random.int(2) ? encodeError(new RangeError('no')) : this.#payload(),
        }
      case 12:
        return { kind: FRAME.cancel, ...this.#head(), id: this.#number() }
      case 13:
      case 14:
        return { kind: FRAME.item, ...this.#head(), id: this.#number(), ...this.#message() }
      case 15:
        return {
          kind: FRAME.end,
          ...this.#head(),
          id: this.#number(),
          payload: random.int(2) ? new Uint8Array(0) : this.#payload(),
        }
      case 16:
        return { kind: FRAME.credit, ...this.#head(), id: this.#number(), count: this.#number(), bytes: this.#number() }
      case 17:
        return random.int(2) ? { kind: FRAME.stop, ...this.#head(), id: this.#number() } : this.#part()
      case 18:
        return { kind: FRAME.tell, ...this.#head(), actor: this.#actor(), sender: this.#actor(), ...this.#message() }
      default:
        return {
          kind: FRAME.ask,
          ...this.#head(),
          id: this.#number(),
          actor: this.#actor(),
          sender: this.#actor(),
          timeout: this.#number(),
          ...this.#message(),
        }
    }
  }

  /** A piece of a frame, or of what is none. */
  #part(): Fields {
    const writer = new FrameWriter()
    writer.write(Object.assign(new Frame(), { kind: FRAME.tell, actor: this.#actor(), ...this.#message() }))
    const whole = writer.take()
    const payload = this.#random.int(3) === 0 ? this.#payload() : whole.subarray(0, this.#random.int(whole.length + 1))
    return { kind: FRAME.part, ...this.#head(), id: this.#number(), flags: this.#random.int(4), payload }
  }
}
