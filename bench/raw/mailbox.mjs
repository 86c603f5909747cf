// The least an actor can be: a queue, a handler, one microtask for a burst. No bounds, no timeouts, no names.

class Mailbox {
  handle
  queue = []
  isRunning = false

  constructor(handle) {
    this.handle = handle
  }

  tell(value) {
    this.add({ value, resolve: undefined, reject: undefined })
  }

  ask(value) {
    return new Promise((resolve, reject) => this.add({ value, resolve, reject }))
  }

  add(entry) {
    this.queue.push(entry)
    if (this.isRunning) return
    this.isRunning = true
    queueMicrotask(this.run)
  }

  /** One message at a time, whether the handler is asynchronous or not. */
  run = async () => {
    const { queue } = this
    for (let i = 0; i < queue.length; i++) {
      const { value, resolve, reject } = queue[i]
      try {
        const result = await this.handle(value)
        resolve?.(result)
      } catch (error) {
        reject?.(error)
      }
    }
    queue.length = 0
    this.isRunning = false
  }
}

/** For handlers that never wait: no await a message. */
class SyncMailbox extends Mailbox {
  run = () => {
    this.isRunning = false
    const { queue } = this
    this.queue = []
    for (const { value, resolve, reject } of queue) {
      try {
        const result = this.handle(value)
        resolve?.(result)
      } catch (error) {
        reject?.(error)
      }
    }
  }
}

const echo = (value) => value

export const mailbox = async () => contender(Mailbox)
export const syncMailbox = async () => contender(SyncMailbox)

function contender(Box) {
  const box = new Box(echo)
  const boxes = new Map()
  let count = 0
  return {
    ask: (value) => box.ask(value),
    tell: (value) => box.tell(value),
    async spawnAndStop() {
      const id = count++
      boxes.set(id, await new Box(echo))
      await boxes.delete(id)
    },
    close() {},
  }
}

export async function crowd() {
  return {
    startSystem() {
      const boxes = new Map()
      return {
        spawn(name = boxes.size) {
          const box = new Mailbox((value) => value)
          boxes.set(name, box)
          return box
        },
        ask: (box, value) => box.ask(value),
        close: () => boxes.clear(),
      }
    },
    close() {},
  }
}
