/**
 * A leaf that only is there: it says hello, tells its record with one public name, hears what the cluster tells, and goes to
 * the next relay when it loses one, after the backoff that ships. It hosts no actor and answers no message, so that one
 * process can hold hundreds of them.
 */
import { systemClock, type Timer } from '../../src/base/clock.ts'
import type { PulsingError } from '../../src/base/errors.ts'
import { newId } from '../../src/base/ids.ts'
import { systemRandom } from '../../src/base/random.ts'
import { encodeUpdates, type NodeSnapshot } from '../../src/cluster/update.ts'
import { Backoff } from '../../src/link/backoff.ts'
import { Link, type LinkHandler } from '../../src/link/link.ts'
import { webSocket } from '../../src/transport/websocket/websocket-transport.ts'
import { FRAME, Frame } from '../../src/wire/frame.ts'

/** What a light leaf tells of itself, and of others. */
export interface LightLeafListener {
  /** A relay has let it in, and was told its record. */
  attached?(): void
  /** News of the cluster, still encoded. Valid only during the call. */
  told?(updates: Uint8Array): void
}

export class LightLeaf implements LinkHandler {
  readonly nodeId = newId()
  readonly name: string
  readonly #actorId = newId()
  readonly #listener: LightLeafListener
  readonly #urls: readonly string[]
  readonly #transport = webSocket()
  readonly #backoff = new Backoff(systemRandom)
  readonly #closing = new AbortController()
  #link: Link | undefined
  #wait: Timer | undefined
  #dials = 0
  #version = 0

  /** @param urls relays, tried one after the other */
  constructor(name: string, urls: readonly string[], listener: LightLeafListener = {}) {
    this.name = name
    this.#urls = urls
    this.#listener = listener
    void this.#dial()
  }

  /** Leaves in order. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#wait?.cancel()
    this.#link?.close()
    await this.#link?.over
  }

  async #dial(): Promise<void> {
    const url = this.#urls[this.#dials++ % this.#urls.length]
    const { nodeId } = this
    const { signal } = this.#closing
    try {
      const connection = await this.#transport.dial!(url, { signal })
      this.#link = new Link(connection, this, {
        transport: 'websocket',
        hello: { nodeId, kind: 'leaf', features: [], serial: this.#dials },
        auth: undefined,
        clock: systemClock,
      })
    } catch {
      this.#retry()
    }
  }

  #retry(): void {
    if (this.#closing.signal.aborted) return
    this.#wait = systemClock.setTimer(() => void this.#dial(), this.#backoff.next())
  }

  opened(link: Link): void {
    this.#backoff.reset()
    const record: NodeSnapshot = {
      op: 'node',
      nodeId: this.nodeId,
      version: ++this.#version,
      kind: 'leaf',
      addr: undefined,
      features: [],
      classes: [],
      links: [link.nodeId],
      names: [[this.name, this.#actorId]],
      isHidden: false,
    }
    const payload = encodeUpdates([record, { op: 'synced' }])
    link.send(Object.assign(new Frame(), { kind: FRAME.cluster, payload }))
    this.#listener.attached?.()
  }

  received(_link: Link, frame: Frame): void {
    if (frame.kind === FRAME.cluster) this.#listener.told?.(frame.payload)
  }

  closed(): void {
    this.#version++
    this.#retry()
  }

  failed(_link: Link, _error: PulsingError): void {
    this.#retry()
  }
}
