/**
 * A TCP proxy on loopback, between a node and the relay it dials, in the hands of a test: what passes, how fast, and how
 * it ends. It knows bytes and nothing of what they mean. Up is from who dials to the relay, down the other way.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export type Direction = 'up' | 'down'
/** How a connection is cut: by a reset, or in order, as if the other side had ended it. */
export type Ending = 'rst' | 'fin'

/** What is held before no more is read. */
const MAX_HELD_BYTES = 64 * 1024

export class TcpProxy {
  /** Bytes that went through, in all. */
  readonly passed: Record<Direction, number> = { up: 0, down: 0 }
  readonly #target: URL
  readonly #server: Server
  readonly #connections = new Set<ProxiedConnection>()
  readonly #waiting: Socket[] = []
  #door: 'open' | 'held' | 'shut' = 'open'
  #dialled = 0
  #heard: (() => void)[] = []
  /** Bytes of each turn of the event loop in each direction; 0 stalls. */
  #bytesPerTurn = Infinity
  #plannedCut: PlannedCut | undefined

  private constructor(target: string) {
    this.#target = new URL(target)
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => this.#dial(near))
  }

  /** Listens on a free port. */
  static async before(target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  /** What to dial instead of the target. */
  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  /** Connections that were asked for so far, whatever became of them. */
  get dialled(): number {
    return this.#dialled
  }

  /** The next connection is asked for. */
  async nextDial(): Promise<void> {
    await new Promise<void>((resolve) => this.#heard.push(resolve))
  }

  /** Ends all connections now; what is held is lost. New ones come up. */
  cut(how: Ending = 'rst'): void {
    for (const connection of [...this.#connections]) connection.cut(how)
  }

  /**
   * Cuts all connections once exactly `bytes` more have passed in one direction, over those there are and those that come;
   * settles then.
   */
  cutAfter(bytes: number, direction: Direction, how: Ending = 'rst'): Promise<void> {
    return new Promise((done) => {
      this.#plannedCut = { direction, left: bytes, how, done }
      if (bytes === 0) this.#carryOutCut()
    })
  }

  /** Nothing passes in either direction, ends and resets included, and no connection ends, until {@link flow}. */
  stall(): void {
    this.throttle(0)
  }

  /** So many bytes pass in each turn of the event loop, in each direction. */
  throttle(bytesPerTurn: number): void {
    this.#bytesPerTurn = bytesPerTurn
    for (const connection of this.#connections) connection.pace(bytesPerTurn)
  }

  /** Ends {@link stall} and {@link throttle}. */
  flow(): void {
    this.throttle(Infinity)
  }

  /**
   * What goes that way over the connections there are now is swallowed for good, ends and resets included. New ones are
   * sound.
   */
  blackHole(...directions: readonly Direction[]): void {
    for (const connection of this.#connections) for (const direction of directions) connection.swallow(direction)
  }

  /** New connections are reset at once, until {@link admit}. */
  refuse(): void {
    this.#door = 'shut'
    for (const near of this.#waiting.splice(0)) near.resetAndDestroy()
  }

  /** New connections are taken, and wait, until {@link admit}. */
  delay(): void {
    this.#door = 'held'
  }

  /** New connections are let through, those that wait too. */
  admit(): void {
    this.#door = 'open'
    for (const near of this.#waiting.splice(0)) this.#connect(near)
  }

  async close(): Promise<void> {
    this.refuse()
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #dial(near: Socket): void {
    this.#dialled++
    near.on('error', () => undefined)
    if (this.#door === 'shut') near.resetAndDestroy()
    else if (this.#door === 'held') this.#waiting.push(near)
    else this.#connect(near)
    for (const hear of this.#heard.splice(0)) hear()
  }

  #connect(near: Socket): void {
    const far = connect({ host: this.#target.hostname, port: Number(this.#target.port), allowHalfOpen: true })
    const connection: ProxiedConnection = new ProxiedConnection(near, far, {
      mayPass: (direction, bytes) => {
        const cut = this.#plannedCut
        return cut?.direction === direction ? Math.min(bytes, cut.left) : bytes
      },
      hasPassed: (direction, bytes) => this.#hasPassed(direction, bytes),
      over: () => this.#connections.delete(connection),
    })
    this.#connections.add(connection)
    connection.pace(this.#bytesPerTurn)
  }

  #hasPassed(direction: Direction, bytes: number): void {
    this.passed[direction] += bytes
    const cut = this.#plannedCut
    if (cut?.direction !== direction) return
    cut.left -= bytes
    if (cut.left <= 0) this.#carryOutCut()
  }

  #carryOutCut(): void {
    const { how, done } = this.#plannedCut!
    this.#plannedCut = undefined
    this.cut(how)
    done()
  }
}

interface PlannedCut {
  readonly direction: Direction
  readonly how: Ending
  readonly done: () => void
  left: number
}

interface ConnectionOwner {
  /** How many of these bytes may pass before something else happens. */
  mayPass(direction: Direction, bytes: number): number
  /** The platform has taken them. */
  hasPassed(direction: Direction, bytes: number): void
  over(): void
}

class ProxiedConnection {
  readonly #near: Socket
  readonly #far: Socket
  readonly #flows: Readonly<Record<Direction, Flow>>

  constructor(near: Socket, far: Socket, owner: ConnectionOwner) {
    this.#near = near
    this.#far = far
    this.#flows = {
      up: new Flow(near, far, {
        mayPass: (bytes) => owner.mayPass('up', bytes),
        hasPassed: (bytes) => owner.hasPassed('up', bytes),
      }),
      down: new Flow(far, near, {
        mayPass: (bytes) => owner.mayPass('down', bytes),
        hasPassed: (bytes) => owner.hasPassed('down', bytes),
      }),
    }
    let open = 2
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      socket.on('close', () => {
        if (--open === 0) owner.over()
      })
    }
  }

  pace(bytesPerTurn: number): void {
    for (const flow of Object.values(this.#flows)) flow.pace(bytesPerTurn)
  }

  swallow(direction: Direction): void {
    this.#flows[direction].swallow()
  }

  cut(how: Ending): void {
    for (const flow of Object.values(this.#flows)) flow.swallow()
    for (const socket of [this.#near, this.#far]) {
      if (how === 'rst') socket.resetAndDestroy()
      else socket.end()
    }
  }
}

interface FlowOwner {
  mayPass(bytes: number): number
  hasPassed(bytes: number): void
}

/** One direction of a connection: bytes in order, then its end. */
class Flow {
  readonly #from: Socket
  readonly #to: Socket
  readonly #owner: FlowOwner
  readonly #held: Buffer[] = []
  #heldBytes = 0
  #end: Ending | undefined
  #bytesPerTurn = Infinity
  #isSwallowing = false
  #isBusy = false

  constructor(from: Socket, to: Socket, owner: FlowOwner) {
    this.#from = from
    this.#to = to
    this.#owner = owner
    from.on('data', (bytes: Buffer) => {
      if (this.#isSwallowing) return
      this.#held.push(bytes)
      this.#heldBytes += bytes.byteLength
      this.#move()
    })
    from.on('end', () => this.#ended('fin'))
    from.on('error', () => this.#ended('rst'))
    from.on('close', () => this.#ended('rst'))
  }

  pace(bytesPerTurn: number): void {
    this.#bytesPerTurn = bytesPerTurn
    this.#move()
  }

  swallow(): void {
    this.#isSwallowing = true
    this.#held.length = this.#heldBytes = 0
    this.#from.resume()
  }

  #ended(how: Ending): void {
    this.#end ??= how
    this.#move()
  }

  /** Passes on what may pass now; called whenever something has changed. */
  #move(): void {
    if (this.#isSwallowing) return
    const isStalled = this.#bytesPerTurn === 0
    if (isStalled || this.#heldBytes > MAX_HELD_BYTES) this.#from.pause()
    else this.#from.resume()
    if (isStalled || this.#isBusy) return
    const first = this.#held.shift()
    if (first) this.#pass(first)
    else if (this.#end === 'fin') this.#to.end()
    else if (this.#end === 'rst') this.#to.resetAndDestroy()
  }

  #pass(bytes: Buffer): void {
    const count = this.#owner.mayPass(Math.min(bytes.byteLength, this.#bytesPerTurn))
    if (count < bytes.byteLength) this.#held.unshift(bytes.subarray(count))
    this.#heldBytes -= count
    this.#isBusy = true
    this.#to.write(bytes.subarray(0, count), () => {
      const next = (): void => {
        this.#isBusy = false
        this.#move()
      }
      this.#owner.hasPassed(count)
      if (this.#bytesPerTurn === Infinity) next()
      else setImmediate(next)
    })
  }
}
