// The processes an interop test talks to: a relay of the built package, and a node written in Python.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const file = (path) => fileURLToPath(new URL(path, import.meta.url))

/** The Python that has what the client needs; scripts/python.mjs says which. */
export const python = process.env['PULSING_PYTHON'] ?? '/usr/bin/python3'

/** Nothing is written beside the sources. */
export const pythonEnv = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' }

/** Where the vectors are, and the program that checks them. */
export const vectorsFile = file('vectors.json')
export const vectorsCheck = file('check_vectors.py')

/** Every process still running, for {@link endAll}. */
const running = new Set()

function start(command, args, options) {
  const child = spawn(command, args, options)
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** Kills what a test left behind. */
export async function endAll() {
  const children = [...running]
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))))
}

/** `pulsing relay` in a process of its own. */
export class Relay {
  #child
  url

  /** @param {{ port?: number, token?: string }} [options] */
  static async start({ port = 0, token } = {}) {
    const relay = new Relay()
    const env = { ...process.env, ...(token === undefined ? {} : { PULSING_TOKEN: token }) }
    const args = [file('../../dist/node/cli.js'), 'relay', '--port', `${port}`]
    relay.#child = start(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'ignore'] })
    relay.url = await new Promise((resolve, reject) => {
      const lines = createInterface({ input: relay.#child.stdout })
      lines.on('line', (line) => {
        const url = /listening on (ws:\S+)/.exec(line)?.[1]
        if (url) resolve(url)
      })
      relay.#child.once('exit', (code) => reject(new Error(`expected a relay, got exit code ${code}`)))
    })
    return relay
  }

  get port() {
    return Number(new URL(this.url).port)
  }

  /** Ends it as a crash does. */
  async kill() {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await gone
  }
}

/** A node in Python; `do` has it carry out a command of driver.py. */
export class PythonNode {
  // Newer versions of the WebSocket package look for a proxy.
  #child = start(python, [file('driver.py')], {
    env: { ...pythonEnv, no_proxy: '*' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  #waiting = new Map()
  #commands = 0
  /** Its id, once it has started. */
  id

  constructor() {
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const { id, result, error } = JSON.parse(line)
      const { resolve, reject } = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error) reject(Object.assign(new Error(error.message), error))
      else resolve(result)
    })
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the Python node ended with exit code ${code}`))
    })
  }

  /** One that has joined a relay. */
  static async start(url, options = {}) {
    const node = new PythonNode()
    const { node: id, neighbour } = await node.do('start', { url, ...options })
    return Object.assign(node, { id, neighbour })
  }

  do(what, args = {}) {
    const id = ++this.#commands
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.stdin.write(`${JSON.stringify({ id, do: what, ...args })}\n`)
    })
  }

  /** Ends the process without a word to anybody. */
  kill() {
    this.#child.kill('SIGKILL')
  }
}

/** Counts what happens, for who waits until it has happened often enough. */
export class Count {
  value = 0
  #waiting = []

  add() {
    this.value++
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (count <= this.value) resolve()
      return count > this.value
    })
  }

  /** Settles when it has happened `count` times. */
  reached(count) {
    if (this.value >= count) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ count, resolve }))
  }
}
