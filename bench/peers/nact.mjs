// nact: actors of one process, a turn of the event loop for every message. It has timers for asks, as we have.

import { dispatch, query, spawn, start, stop } from 'nact'

const reply = (_state, message, { sender, self }) => dispatch(sender, message, self)

// Pending queries have random names of 32 bits; where two are alike, one is never answered. With 1000 in flight that
// happens once in some million: it is asked again.
const TIMEOUT_MS = 1000
const ask = (actor, value) => query(actor, value, TIMEOUT_MS).catch(() => ask(actor, value))

export async function local() {
  const system = start()
  const echo = spawn(system, reply)
  return {
    ask: (value) => ask(echo, value),
    tell: (value) => dispatch(echo, value),
    // Stopped is what has run `afterStop`.
    spawnAndStop: () => new Promise((afterStop) => stop(spawn(system, reply, undefined, { afterStop }))),
    close: () => stop(system),
  }
}

export async function crowd() {
  return {
    startSystem() {
      const system = start()
      let count = 0
      return {
        // An actor without a name gets a random one of 32 bits: of 100 000, two would often be alike, which is an error.
        spawn: (name = String(count++)) =>
          spawn(system, (_state, message, { sender, self }) => dispatch(sender, message, self), name),
        ask,
        close: () => stop(system),
      }
    },
    close() {},
  }
}
