// One node under test, in a page, a worker or Node.js alike: what a story does to it, and what it saw happen. The stories
// are functions the specs send here; `lab` is all they can reach. Its types are in lab.d.mts.

import * as pulsing from 'pulsing'
import { webRTC } from 'pulsing/webrtc'
import { actors } from './actors.mjs'
import { chunkOf, Digest } from './chunks.mjs'

const watched = ['memberJoined', 'memberLeft', 'linkOpened', 'linkClosed', 'warning', 'deadLetter', 'actorFailed']

export class Lab {
  pulsing = pulsing
  actors = actors(this)
  events = []
  counts = {}
  notes = []
  kept = {}
  /** How many items a paused consumer may read; see `mayRead`. */
  allowedReads = Infinity
  #system
  #worker
  #createWorker
  #isPatient = false
  #begun = new Map()
  #waiting = new Set()

  constructor({ createWorker } = {}) {
    this.#createWorker = createWorker
  }

  get system() {
    if (!this.#system) throw new Error('expected a lab with a system, got one that was not started')
    return this.#system
  }

  async start({ seeds = [], upgradeAfterMessages, isPatient = false } = {}) {
    this.#isPatient = isPatient
    let config = pulsing.SystemConfig.standalone()
    // Nobody else here waits a minute for a node that was closed, killed or cut off to come back.
    if (!isPatient) config = config.withLimits({ sessionGraceMs: 1_000 })
    if (seeds.length > 0) config = config.withSeeds(seeds)
    if (upgradeAfterMessages !== undefined) {
      config = config.withTransports(webRTC({ upgradeAfter: { messages: upgradeAfterMessages, bytes: 1e9 } }))
    }
    const silent = () => undefined
    config = config.withLogger({ debug: silent, info: silent, warn: silent, error: silent })
    this.#system = await pulsing.createActorSystem(config)
    for (const name of watched) this.#system.on(name, (event) => this.#saw(name, event))
    this.#changed()
    return this.#system.nodeId
  }

  // Waiting

  /** Settles once `check` holds; it is asked again whenever something happened here. */
  until(check) {
    return new Promise((resolve, reject) => {
      const ask = () => {
        try {
          if (!check()) return
          resolve()
        } catch (error) {
          reject(error)
        }
        this.#waiting.delete(ask)
      }
      this.#waiting.add(ask)
      ask()
    })
  }

  /** Settles once this node sees exactly so many members, itself included. */
  untilMembers(count) {
    return this.until(() => this.system.members().length === count)
  }

  #changed() {
    for (const ask of [...this.#waiting]) ask()
  }

  #saw(name, event) {
    const { member, nodeId = member?.nodeId, transport, code = event.error?.code, message, reason } = event
    this.events.push({ name, nodeId, transport, code, message, reason })
    this.#changed()
  }

  count(name, by = 1) {
    this.counts[name] = this.counted(name) + by
    this.#changed()
  }

  counted(name) {
    return this.counts[name] ?? 0
  }

  note(value) {
    this.notes.push(value)
    this.#changed()
  }

  // Outcomes

  /** What became of some work, as plain data. */
  async outcomeOf(work) {
    try {
      return { value: await work() }
    } catch (error) {
      const { name, code, message, outcome } = error ?? {}
      return { error: { name, code, message, outcome, isPulsing: pulsing.isPulsingError(error) } }
    }
  }

  /** Begins work whose outcome a later step of the story reads with `ended`. */
  begin(name, work) {
    this.#begun.set(name, this.outcomeOf(work))
  }

  /** The outcome of work begun under that name. */
  ended(name) {
    const outcome = this.#begun.get(name)
    if (!outcome) throw new Error(`expected work begun as ${name}, got none`)
    return outcome
  }

  // Workers

  /** Starts a worker, as patient as this page, and links it to it; the id of its node. */
  async startWorker() {
    this.#worker = this.#createWorker(this.#isPatient)
    const { nodeId } = await this.system.connect(this.#worker)
    return nodeId
  }

  terminateWorker() {
    this.#worker.terminate()
  }

  // Streams

  /** Lets consumers here read that many items in all. */
  allowReads(count) {
    this.allowedReads = count
    this.#changed()
  }

  /** Reads a stream to its end, no further than allowed; what came. */
  async drain(reader) {
    const digest = new Digest()
    for await (const chunk of reader) {
      await digest.add(chunk)
      this.count('read')
      await this.until(() => this.counted('read') < this.allowedReads)
    }
    return digest.result()
  }

  /** Writes chunks, each after the one before was accepted, and closes; what went. */
  async pour(writer, { items, bytes }) {
    writer.signal.addEventListener('abort', () => this.count('writerAborted'))
    const digest = new Digest()
    for (let i = 0; i < items; i++) {
      const chunk = chunkOf(i, bytes)
      await digest.add(chunk)
      await writer.write(chunk)
      this.count('written')
    }
    await writer.close()
    return digest.result()
  }

  /** Bytes held after a garbage collection; Node.js only. */
  async memory() {
    // Buffers found dead by one collection are freed in the next turn, and counted out by the next collection.
    globalThis.gc()
    await new Promise((resolve) => setImmediate(resolve))
    globalThis.gc()
    const { rss, heapUsed, external } = process.memoryUsage()
    return { rss, held: heapUsed + external }
  }
}
