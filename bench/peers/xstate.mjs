// xstate: its lightest actors (`transition`), and those it is known for (`machine`). An event is handled before `send`
// returns, as in `raw without async handlers`. There is no ask: the event brings along what to call with the reply.

import { createActor, createMachine, fromTransition } from 'xstate'

const reply = ({ value, resolve }) => resolve?.(value)

const transitionLogic = fromTransition((state, event) => {
  reply(event)
  return state
}, undefined)
const machineLogic = createMachine({ on: { echo: { actions: ({ event }) => reply(event) } } })

export const transition = async () => local(transitionLogic)
export const machine = async () => local(machineLogic)

function local(logic) {
  const echo = createActor(logic).start()
  return {
    ask: (value) => ask(echo, value),
    tell: (value) => echo.send({ type: 'echo', value }),
    async spawnAndStop() {
      createActor(logic).start().stop()
    },
    close: () => echo.stop(),
  }
}

/** Actors below one root: a root each would take twice as much. */
export async function crowd() {
  return {
    startSystem() {
      const parent = createActor(transitionLogic).start()
      return {
        spawn: (systemId) => createActor(transitionLogic, { parent, systemId }).start(),
        ask,
        close: () => parent.stop(),
      }
    },
    close() {},
  }
}

function ask(actor, value) {
  return new Promise((resolve) => actor.send({ type: 'echo', value, resolve }))
}
