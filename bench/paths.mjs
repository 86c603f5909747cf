// What is measured. A path has one load and several contenders, each `file export` below this folder; all do the same
// work. `raw` is the platform without a framework, `us` this package; whatever else is listed is printed beside them.
//
// `target` is what `us` should reach: `ratio` times raw, or at `most` so many times where less is better, `rate` units a second, or at most `bytes` each. `pinned` runs
// every process of the path on one core: the cost of waking an idle one is larger than a round trip.

/**
 * @typedef {object} Path
 * @property {string} title
 * @property {keyof typeof import('./loads.mjs').loads} load
 * @property {{ readonly ratio?: number, readonly most?: number, readonly rate?: number, readonly bytes?: number }} [target]
 * @property {boolean} [pinned]
 * @property {number} [heapObjects] live objects each contender's process holds, as an application does: with more than 8 MB on its heap, V8 collects
 *   all of it whenever some 10 MB of buffers came
 * @property {Record<string, string>} contenders
 */

const localPeers = {
  nact: 'peers/nact.mjs local',
  xstate: 'peers/xstate.mjs transition',
  'xstate machine': 'peers/xstate.mjs machine',
  moleculer: 'peers/moleculer.mjs local',
}

const crowds = {
  raw: 'raw/mailbox.mjs crowd',
  us: 'ours/local.mjs crowd',
  nact: 'peers/nact.mjs crowd',
  xstate: 'peers/xstate.mjs crowd',
}

const chunkSockets = {
  raw: 'raw/socket.mjs bytes',
  us: 'ours/remote.mjs socket',
  'raw framed and credited': 'raw/socket.mjs each',
}

/** @type {readonly Path[]} */
export const paths = [
  {
    title: 'local ask, awaited',
    load: 'awaited',
    target: { ratio: 0.6 },
    contenders: {
      raw: 'raw/mailbox.mjs mailbox',
      us: 'ours/local.mjs local',
      'raw without async handlers': 'raw/mailbox.mjs syncMailbox',
      ...localPeers,
    },
  },
  {
    title: 'local ask, 1000 in flight',
    load: 'inFlight',
    target: { ratio: 0.5 },
    contenders: {
      raw: 'raw/mailbox.mjs mailbox',
      us: 'ours/local.mjs local',
      'raw without async handlers': 'raw/mailbox.mjs syncMailbox',
      ...localPeers,
    },
  },
  {
    title: 'local tell, bursts of 1000',
    load: 'tells',
    target: { ratio: 0.35 },
    contenders: {
      raw: 'raw/mailbox.mjs mailbox',
      us: 'ours/local.mjs local',
      'raw without async handlers': 'raw/mailbox.mjs syncMailbox',
      ...localPeers,
    },
  },
  {
    title: 'spawn + stop',
    load: 'spawns',
    target: { rate: 300_000 },
    contenders: {
      raw: 'raw/mailbox.mjs mailbox',
      us: 'ours/local.mjs local',
      nact: localPeers.nact,
      xstate: localPeers.xstate,
      'xstate machine': localPeers['xstate machine'],
    },
  },
  {
    title: '100 000 live actors, idle',
    load: 'liveIdle',
    target: { bytes: 1536 },
    contenders: crowds,
  },
  {
    title: '100 000 live actors, with a name each',
    load: 'liveNamed',
    contenders: crowds,
  },
  {
    title: '100 000 live actors, after one message each',
    load: 'liveUsed',
    contenders: crowds,
  },
  {
    title: 'worker port ask, awaited',
    load: 'awaited',
    pinned: true,
    target: { ratio: 0.85 },
    contenders: {
      raw: 'raw/port.mjs each',
      us: 'ours/remote.mjs port',
      comlink: 'peers/comlink.mjs port',
      birpc: 'peers/birpc.mjs port',
    },
  },
  {
    title: 'worker port ask, 1000 in flight',
    load: 'inFlight',
    target: { ratio: 1 },
    contenders: {
      raw: 'raw/port.mjs each',
      us: 'ours/remote.mjs port',
      'raw in batches': 'raw/port.mjs batched',
      comlink: 'peers/comlink.mjs port',
      birpc: 'peers/birpc.mjs port',
    },
  },
  {
    title: 'worker port stream of 64 KiB',
    load: 'bytesDown',
    target: { ratio: 0.6 },
    contenders: { raw: 'raw/port.mjs each', us: 'ours/remote.mjs port', 'raw transferred': 'raw/port.mjs transferred' },
  },
  {
    title: 'WebSocket ask, awaited',
    load: 'awaited',
    pinned: true,
    target: { ratio: 0.75 },
    contenders: {
      raw: 'raw/socket.mjs each',
      us: 'ours/remote.mjs socket',
      birpc: 'peers/birpc.mjs socket',
    },
  },
  {
    title: 'WebSocket ask, 1000 in flight',
    load: 'inFlight',
    target: { ratio: 0.6 },
    contenders: {
      raw: 'raw/socket.mjs batched',
      us: 'ours/remote.mjs socket',
      'raw a frame each': 'raw/socket.mjs each',
      birpc: 'peers/birpc.mjs socket',
    },
  },
  {
    title: 'WebSocket stream of small items',
    load: 'items',
    target: { ratio: 0.3 },
    contenders: {
      raw: 'raw/socket.mjs batched',
      us: 'ours/remote.mjs socket',
      'raw a frame each': 'raw/socket.mjs each',
    },
  },
  {
    title: 'WebSocket stream of 64 KiB, up',
    load: 'bytesUp',
    target: { ratio: 0.8 },
    contenders: { raw: 'raw/socket.mjs bytes', us: 'ours/remote.mjs socket' },
  },
  {
    title: 'WebSocket stream of 64 KiB, down',
    load: 'bytesDown',
    target: { ratio: 0.8 },
    contenders: chunkSockets,
  },
  {
    title: 'WebSocket stream of 64 KiB, down, beside 200 000 objects',
    load: 'bytesDown',
    heapObjects: 200_000,
    target: { ratio: 0.8 },
    contenders: chunkSockets,
  },
  {
    title: 'relay hop ask, awaited',
    load: 'awaited',
    pinned: true,
    target: { ratio: 0.77 },
    contenders: {
      raw: 'raw/relay.mjs each',
      us: 'ours/remote.mjs relayed',
      'us without the hop': 'ours/remote.mjs socket',
    },
  },
  {
    // Every ask is forwarded twice.
    title: 'relay hop ask, 1000 in flight',
    load: 'inFlight',
    target: { rate: 100_000 },
    contenders: {
      raw: 'raw/relay.mjs batched',
      us: 'ours/remote.mjs relayed',
      'raw a frame each': 'raw/relay.mjs each',
    },
  },
  {
    // The 99th percentile of asks from node to node over a relay; raw is ours, while nothing else happens.
    title: 'ask beside a message of 100 MB, p99',
    load: 'latency',
    target: { most: 2 },
    contenders: { raw: 'ours/remote.mjs quiet', us: 'ours/remote.mjs relayed' },
  },
  {
    // Leaf, relay, relay, leaf.
    title: 'two relay hops ask, awaited',
    load: 'awaited',
    pinned: true,
    contenders: {
      raw: 'raw/relay.mjs eachOverTwo',
      us: 'ours/remote.mjs relayedTwice',
      'us over one': 'ours/remote.mjs relayed',
    },
  },
  {
    // Every ask is forwarded four times.
    title: 'two relay hops ask, 1000 in flight',
    load: 'inFlight',
    contenders: {
      raw: 'raw/relay.mjs batchedOverTwo',
      us: 'ours/remote.mjs relayedTwice',
      'raw a frame each': 'raw/relay.mjs eachOverTwo',
    },
  },
]
