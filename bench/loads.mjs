// The work: the same for every contender of a path. A load runs one step and returns how much it did; a load named
// `live…` returns what it left behind instead, to be weighed.

/** About 100 bytes as CBOR, the shape of an ordinary small message. */
export const message = {
  id: 48_213,
  user: 'ada@example.org',
  text: 'the quick brown fox jumps over it',
  tags: ['a', 'b'],
  ok: true,
  at: 1.5,
}

export const CHUNK = new Uint8Array(64 * 1024).fill(7)
/** Small items a producer may be ahead of its consumer, raw and ours alike. */
export const ITEM_WINDOW = 1024
/** Chunks likewise. */
export const CHUNK_WINDOW = 32

const IN_FLIGHT = 1000

/** The message beside which others are timed. */
const LARGE_BYTES = 100_000_000
/** Asks that are timed where there is none. */
const QUIET_ASKS = 5000

/** Actors alive at once. */
const LIVE = 100_000

/**
 * @typedef {object} Contender what a load may use; a contender has what its loads need
 * @property {(value: unknown) => Promise<unknown>} ask
 * @property {(value: unknown) => unknown} tell
 * @property {() => Promise<unknown>} spawnAndStop
 * @property {(count: number) => Promise<number>} items reads a stream of small items, resolves to how many came
 * @property {(count: number) => Promise<number>} bytesDown reads chunks, resolves to how many bytes came
 * @property {(count: number) => Promise<number>} bytesUp sends chunks, resolves when the other side has them all
 * @property {(bytes: Uint8Array) => Promise<unknown>} [sendLarge] from one actor to another, neither of which `ask` knows
 * @property {() => Crowd | Promise<Crowd>} startSystem a system of its own for actors that stay
 * @property {() => unknown} close
 *
 * @typedef {object} Crowd actors nobody but their system holds
 * @property {(name?: string) => unknown} spawn resolves to an actor, which answers asks
 * @property {(actor: unknown, value: unknown) => Promise<unknown>} ask
 * @property {() => unknown} close stops them all
 *
 * @typedef {object} Weight
 * @property {number} units what is there
 * @property {() => unknown} release lets go of it
 */

/** @type {Record<string, (contender: Contender) => Promise<number | Weight>>} */
export const loads = {
  async awaited({ ask }) {
    for (let i = 0; i < 1000; i++) await ask(message)
    return 1000
  },

  async inFlight({ ask }) {
    const each = 10
    const lane = async () => {
      for (let i = 0; i < each; i++) await ask(message)
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
    return IN_FLIGHT * each
  },

  async tells({ ask, tell }) {
    for (let burst = 0; burst < 10; burst++) {
      for (let i = 0; i < 1000; i++) tell(message)
      await ask(message)
    }
    return 10 * 1000
  },

  async spawns({ spawnAndStop }) {
    for (let i = 0; i < 1000; i++) await spawnAndStop()
    return 1000
  },

  items: ({ items }) => items(50_000),
  bytesUp: ({ bytesUp }) => bytesUp(256),
  bytesDown: ({ bytesDown }) => bytesDown(256),

  latency,

  liveIdle: (contender) => live(contender, {}),
  liveNamed: (contender) => live(contender, { isNamed: true }),
  liveUsed: (contender) => live(contender, { isUsed: true }),
}

let large

/**
 * Asks one after the other, beside a large message if there is one.
 * @returns {Promise<number>} the milliseconds within which 99 of 100 were answered
 */
async function latency({ ask, sendLarge }) {
  let left = sendLarge ? Infinity : QUIET_ASKS
  large ??= sendLarge && new Uint8Array(LARGE_BYTES)
  const sent = sendLarge?.(large).then(() => {
    left = 0
  })
  const took = []
  for (; left > 0; left--) {
    const before = performance.now()
    await ask(message)
    took.push(performance.now() - before)
  }
  await sent
  return took.sort((a, b) => a - b)[Math.floor(took.length * 0.99)]
}

/** @returns {Promise<Weight>} */
async function live({ startSystem }, { isNamed = false, isUsed = false }) {
  const { spawn, ask, close } = await startSystem()
  for (let i = 0; i < LIVE; i++) {
    const actor = await spawn(isNamed ? `actor-${i}` : undefined)
    if (isUsed) await ask(actor, message)
  }
  return { units: LIVE, release: close }
}

/** What the figure of a load counts: operations or bytes a second, the bytes one live actor takes, or milliseconds. */
export function unitOf(load) {
  if (load === 'latency') return 'ms'
  if (load.startsWith('live')) return 'B'
  return load.startsWith('bytes') ? 'B/s' : '/s'
}
