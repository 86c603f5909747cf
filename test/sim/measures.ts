/**
 * What no actor sees: bytes kept for peers, and how far producers of streams are ahead of their credit. Measured inside of
 * what ships, put there once, so that whatever a saboteur does is done around it.
 */
import type { ActorRef } from '../../src/actor/actor-ref.ts'
import { LentCallbacks } from '../../src/remote/lent-callbacks.ts'
import { OutboundStream, STREAM_WINDOW_BYTES } from '../../src/remote/outbound-stream.ts'
import { Peers } from '../../src/remote/peers.ts'
import { MAX_LOG_BYTES, SendLog } from '../../src/remote/send-log.ts'
import { StreamTable } from '../../src/remote/stream-table.ts'

/** What those who send at the same moment may add to a full log, in bytes. */
const LOG_SLACK_BYTES = 512 * 1024

interface Flow {
  items: number
  bytes: number
  creditedItems: number
  creditedBytes: number
}

export class Measures {
  readonly #violate: (text: string) => void
  readonly #kept = new Map<string, number>()
  readonly #lent: ActorRef[] = []
  readonly #flows = new WeakMap<OutboundStream, Flow>()

  constructor(violate: (text: string) => void) {
    this.#violate = violate
  }

  /** Bytes of frames that a node keeps for its peers. */
  keptBytes(nodeId: string): number {
    return this.#kept.get(nodeId) ?? 0
  }

  /** Actors of functions that a node has lent to others. */
  lentBy(nodeId: string): readonly ActorRef[] {
    return this.#lent.filter((ref) => ref.nodeId === nodeId)
  }

  lent(ref: ActorRef): void {
    this.#lent.push(ref)
  }

  kept(nodeId: string, bytes: number): void {
    const total = this.keptBytes(nodeId) + bytes
    this.#kept.set(nodeId, total)
    if (total < 0) this.#violate(`11 memory: expected bytes to be given back once, got ${total} kept`)
  }

  logged(bytes: number, frameBytes: number): void {
    if (bytes > MAX_LOG_BYTES + LOG_SLACK_BYTES + frameBytes)
      this.#violate(
        `11 memory: expected at most ${MAX_LOG_BYTES} bytes kept for a peer, and what was on its way, got ${bytes}`,
      )
  }

  itemSent(stream: OutboundStream, bytes: number): void {
    const flow = this.#flow(stream)
    const ahead = flow.bytes - flow.creditedBytes
    if (ahead >= STREAM_WINDOW_BYTES)
      this.#violate(
        `10 credit: expected at most ${STREAM_WINDOW_BYTES} bytes ahead of the consumer, and one item, got an item more after ${ahead} in stream ${stream.id}`,
      )
    flow.items++
    flow.bytes += bytes
  }

  credited(stream: OutboundStream, items: number, bytes: number): void {
    const flow = this.#flow(stream)
    if (items > flow.items || bytes > flow.bytes || items < flow.creditedItems || bytes < flow.creditedBytes)
      this.#violate(
        `10 credit: expected credit for ${flow.creditedItems} to ${flow.items} items, ${flow.creditedBytes} to ${flow.bytes} bytes, got ${items} and ${bytes} in stream ${stream.id}`,
      )
    flow.creditedItems = items
    flow.creditedBytes = bytes
  }

  #flow(stream: OutboundStream): Flow {
    let flow = this.#flows.get(stream)
    if (!flow) this.#flows.set(stream, (flow = { items: 0, bytes: 0, creditedItems: 0, creditedBytes: 0 }))
    return flow
  }
}

let measures: Measures | undefined

/** Measures into `next` from now on. */
export function measure(next: Measures): void {
  measures = next
}

const { kept } = Peers.prototype
Peers.prototype.kept = function (bytes) {
  measures?.kept(this.runtime.nodeId, bytes)
  kept.call(this, bytes)
}

const { add } = SendLog.prototype
SendLog.prototype.add = function (frame, isToNeighbour) {
  const logged = add.call(this, frame, isToNeighbour)
  measures?.logged(this.bytes, logged.end - logged.start)
  return logged
}

const { lend } = LentCallbacks.prototype
LentCallbacks.prototype.lend = function (callback) {
  const ref = lend.call(this, callback)
  measures?.lent(ref)
  return ref
}

const { sendItem } = StreamTable.prototype
StreamTable.prototype.sendItem = function (stream, item) {
  const bytes = sendItem.call(this, stream, item)
  measures?.itemSent(stream, bytes)
  return bytes
}

const { consumed } = OutboundStream.prototype
OutboundStream.prototype.consumed = function (items, bytes) {
  measures?.credited(this, items, bytes)
  consumed.call(this, items, bytes)
}
