// The hand loop: what somebody writes who needs requests, replies and one credited stream over a pipe, and nothing else.
// A frame is `[kind, id, value]`. `each` posts a frame at a time, `batched` the frames of a turn together.

const ASK = 0
const REPLY = 1
const OPEN = 2
const ITEM = 3
const CREDIT = 4
const END = 5

/** Frames that leave together at most: the other side starts while this one goes on. */
const MAX_BATCH = 256

/**
 * @param {(frame: unknown[]) => void} post
 * @returns {(frame: unknown[]) => void}
 */
export function each(post) {
  return post
}

/** @param {(frames: unknown[][]) => void} post */
export function batched(post) {
  let frames = []
  let isQueued = false
  const flush = () => {
    isQueued = false
    if (frames.length === 0) return
    const batch = frames
    frames = []
    post(batch)
  }
  return (frame) => {
    if (frames.push(frame) >= MAX_BATCH) flush()
    else if (!isQueued) {
      isQueued = true
      queueMicrotask(flush)
    }
  }
}

/** The asking side. `received` takes what the other side sent. */
export function client(send) {
  const waiting = new Map()
  let lastId = 0
  let stream
  return {
    ask: (value) =>
      new Promise((resolve) => {
        const id = ++lastId
        waiting.set(id, resolve)
        send([ASK, id, value])
      }),

    /** Reads `count` items of a stream, adding up what `sizeOf` says of each. */
    read: (what, count, window, sizeOf) =>
      new Promise((resolve) => {
        stream = { items: 0, granted: 0, total: 0, window, sizeOf, resolve }
        send([OPEN, 0, { what, count, window }])
      }),

    received([kind, id, value]) {
      if (kind === REPLY) {
        const resolve = waiting.get(id)
        waiting.delete(id)
        resolve(value)
      } else if (kind === ITEM) {
        stream.total += stream.sizeOf(value)
        if (++stream.items - stream.granted >= stream.window / 4) {
          stream.granted = stream.items
          send([CREDIT, 0, stream.items])
        }
      } else if (kind === END) stream.resolve(stream.total)
    },
  }
}

/**
 * The answering side: echoes asks, produces streams as far as it was granted.
 *
 * @param {(frame: unknown[]) => void} send
 * @param {(what: string, index: number) => unknown} itemAt
 */
export function server(send, itemAt) {
  let stream
  const produce = () => {
    while (stream.sent < stream.count && stream.sent - stream.consumed < stream.window)
      send([ITEM, 0, itemAt(stream.what, stream.sent++)])
    if (stream.sent === stream.count && !stream.isOver) {
      stream.isOver = true
      send([END, 0, null])
    }
  }
  return ([kind, id, value]) => {
    if (kind === ASK) send([REPLY, id, value])
    else if (kind === OPEN) {
      stream = { ...value, sent: 0, consumed: 0, isOver: false }
      produce()
    } else if (kind === CREDIT) {
      stream.consumed = value
      produce()
    }
  }
}
