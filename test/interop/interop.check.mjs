// The client in Python, written from PROTOCOL.md alone, against a relay process and a leaf of this package.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, beforeEach, describe, test } from 'node:test'
import { encode } from 'cbor-x'
import { WebSocket, WebSocketServer } from 'ws'
import {
  asActor,
  createActorSystem,
  isPulsingError,
  Message,
  StreamMessage,
  SystemConfig,
} from '../../dist/node/index.js'
import { Count, endAll, PythonNode, python, pythonEnv, Relay, vectorsCheck, vectorsFile } from './processes.mjs'

const QUIET = { debug() {}, info() {}, warn() {}, error() {} }
const vectors = JSON.parse(readFileSync(vectorsFile, 'utf8'))
const bytesOf = (name) => Buffer.from(vectors.frames.find((vector) => vector.name === name).hex, 'hex')

let relay
let leaf
let names = 0

before(async () => {
  relay = await Relay.start()
  leaf = await createActorSystem(SystemConfig.withSeeds([relay.url]).withLogger(QUIET))
  await leaf.spawn({ receive: (msg) => (msg.msgType === '' && !msg.isStream ? msg.toObject() : msg) }, 'echo', {
    public: true,
  })
})
after(async () => {
  await leaf.shutdown()
  await endAll()
})

/** A name no other test uses. */
const newName = () => `actor-${++names}`

/** A public actor of the leaf. */
async function host(receive) {
  const name = newName()
  await leaf.spawn({ receive }, name, { public: true })
  return name
}

/** The ref a system has of an actor of the Python node. */
async function served(node, name, system = leaf) {
  await node.do('serve', { name })
  return system.resolve(name, { node: node.id, timeout: 10_000 })
}

const outcomeOf = (promise) =>
  promise.then(
    (value) => value,
    (error) => error,
  )

/** A few round trips between the leaf and the Python node: what was underway has arrived. */
async function settle(node) {
  for (let i = 0; i < 3; i++) assert.equal(await node.do('ask', { name: 'echo', value: i }), i)
}

test('the codec in Python writes and reads every vector, and refuses the hostile ones at the same byte', () => {
  const { stdout, status } = spawnSync(python, [vectorsCheck, vectorsFile], { encoding: 'utf8', env: pythonEnv })
  const { checked, failed } = JSON.parse(stdout.trimEnd().split('\n').at(-1))
  assert.equal(failed, 0, stdout)
  assert.equal(status, 0)
  assert.equal(checked, Object.values(vectors).flat().length)
})

describe('asks', { timeout: 120_000 }, () => {
  let node
  before(async () => {
    node = await PythonNode.start(relay.url)
  })

  const values = [0, -1, 1.5, 2 ** 40, 'tschüß 🎭', '', null, true, [1, [2]], { a: { b: [] } }]

  test('Python asks an actor of Node.js by its public name', async () => {
    for (const value of values) assert.deepEqual(await node.do('ask', { name: 'echo', value }), value)
    assert.deepEqual(await node.do('ask', { name: 'echo', value: { x: 1 }, type: 'typed' }), {
      type: 'typed',
      format: 2,
      value: { x: 1 },
    })
  })

  test('Node.js asks an actor of Python', async () => {
    const echo = await served(node, 'echo')
    for (const value of [...values, new Uint8Array([0, 255])]) assert.deepEqual(await echo.ask(value), value)
    const reply = await echo.ask(Message.fromObject('typed', { x: 1 }))
    assert.equal(reply.msgType, 'typed')
    assert.deepEqual(reply.toObject(), { x: 1 })
    const json = await echo.ask(Message.fromJson('json', { x: 1 }))
    assert.deepEqual(json.toJson(), { x: 1 })
  })

  test('many asks at once are each answered with their own answer', async () => {
    const echo = await served(node, 'echo')
    const numbers = Array.from({ length: 1000 }, (_, i) => i)
    assert.deepEqual(await Promise.all(numbers.map((i) => echo.ask(i))), numbers)
    const answers = await Promise.all(numbers.slice(0, 200).map((value) => node.do('ask', { name: 'echo', value })))
    assert.deepEqual(answers, numbers.slice(0, 200))
  })

  test('Python calls methods of a class, and gets its errors', async () => {
    const Counter = asActor(
      class Counter {
        #value = 10
        add(n) {
          if (typeof n !== 'number') throw new TypeError('expected a number')
          return (this.#value += n)
        }
      },
    )
    const name = newName()
    await Counter.options({ name, public: true }).local(leaf)
    assert.equal(await node.do('call', { name, method: 'add', args: [5] }), 15)
    const wrong = await outcomeOf(node.do('call', { name, method: 'add', args: ['x'] }))
    assert.deepEqual([wrong.name, wrong.message], ['PulsingBusinessError', 'expected a number'])
    const missing = await outcomeOf(node.do('call', { name, method: 'toString', args: [] }))
    assert.deepEqual([missing.name, missing.code], ['NoSuchMethodError', 'no_such_method'])
  })

  test('an actor of Python answers with an error, with code and details', async () => {
    const error = await outcomeOf((await served(node, 'fail')).ask(10))
    assert.ok(isPulsingError(error, 'too_much'))
    assert.deepEqual([error.name, error.message, error.details], ['PulsingBusinessError', 'no more than 10', 10])
  })

  test('an actor that does not exist is said not to, on both sides', async () => {
    const nobody = await outcomeOf(node.do('ask', { name: 'A'.repeat(22), node: leaf.nodeId, value: 1 }))
    assert.equal(nobody.code, 'actor_stopped')
    const { ref } = await (await served(node, 'me')).ask(null)
    const echo = await (await served(node, 'echo')).ask(ref)
    assert.equal(echo.id, ref.id)
  })

  test('the relay itself is asked as a neighbour', async () => {
    const error = await outcomeOf(
      node.do('ask', { name: 'system/core', node: node.neighbour, value: null, type: '@nonsense' }),
    )
    assert.equal(error.code, 'unsupported')
  })

  test('an ask given up is cancelled at the other side, both ways', async () => {
    const slow = await served(node, 'slow')
    const controller = new AbortController()
    const asked = outcomeOf(slow.ask(null, { signal: controller.signal }))
    assert.deepEqual(await node.do('log', { name: 'slow', count: 1 }), ['began'])
    controller.abort()
    await asked
    assert.deepEqual(await node.do('log', { name: 'slow', count: 2 }), ['began', 'cancelled'])

    const aborted = new Count()
    const name = await host(
      (_msg, ctx) =>
        new Promise((resolve) => {
          ctx.signal.addEventListener('abort', () => {
            aborted.add()
            resolve(undefined)
          })
        }),
    )
    const error = await outcomeOf(node.do('ask', { name, value: null, timeout: 0.05 }))
    assert.equal(error.name, 'TimeoutError')
    await aborted.reached(1)
  })

  test('an actor of the other side is watched to its end, both ways', async () => {
    const echo = await served(node, 'echo')
    const ended = new Promise((resolve) => {
      leaf.spawn({
        onStart: (ctx) => ctx.watch(echo),
        receive: (msg) => resolve([msg.msgType, msg.toObject().reason]),
      })
    })
    await settle(node)
    await node.do('end', { actor: echo.id })
    assert.deepEqual(await ended, ['Terminated', 'killed'])

    const name = await host(() => undefined)
    const { id } = await leaf.find(name)
    const core = { name: 'system/core', node: leaf.nodeId, type: '@watch' }
    await node.do('begin', { key: 'w', ...core, value: id, timeout: 0 })
    const nobody = await node.do('ask', { ...core, value: 'A'.repeat(22) })
    assert.equal(nobody, 'normal')
    await leaf.stop(name)
    assert.equal(await node.do('answer', { key: 'w' }), 'killed')
  })

  test('refs and functions work at the other side', async () => {
    const { ref } = await (await served(node, 'me')).ask(null)
    assert.equal(await ref.ask('to the actor just made'), 'to the actor just made')
    const echo = await leaf.find('echo')
    assert.equal(await (await served(node, 'through')).ask({ ref: echo, value: 'there and back' }), 'there and back')
    const apply = (await served(node, 'apply')).asAny()
    assert.equal(await apply.apply((a, b) => a * b, 6, 7), 42)
  })

  test('two nodes in Python talk through the relay', async () => {
    const other = await PythonNode.start(relay.url)
    await other.do('serve', { name: 'collect' })
    await node.do('tell', { name: 'collect', values: [1, 2, 3] })
    assert.deepEqual(await other.do('log', { name: 'collect', count: 3 }), [1, 2, 3])
    await other.do('close')
  })

  test('messages of half a megabyte travel in parts, both ways', async () => {
    const echo = await served(node, 'echo')
    const text = 'ä'.repeat(250_000)
    assert.equal(await echo.ask(text), text)
    assert.equal(await node.do('ask', { name: 'echo', value: text }), text)
  })
})

describe('streams', { timeout: 120_000 }, () => {
  let node
  beforeEach(async () => {
    node = await PythonNode.start(relay.url)
  })

  /** A public actor whose reply is a stream of `item(1)`, `item(2)`, …; counts those produced, and its end. */
  async function producer(count, item) {
    const produced = new Count()
    const ended = new Count()
    const name = await host(() =>
      (async function* () {
        try {
          for (let i = 1; i <= count; i++) {
            produced.add()
            yield item(i)
          }
        } finally {
          ended.add()
        }
      })(),
    )
    return { name, produced, ended }
  }

  test('a consumer in Python that pauses holds the producer in Node.js back, and nobody else', async () => {
    const { name, produced, ended } = await producer(1000, (i) => i)
    assert.equal(await node.do('open', { key: 's', name, value: null }), 32)
    assert.deepEqual(await node.do('take', { key: 's', count: 3 }), [1, 2, 3])
    await produced.reached(35)
    await settle(node)
    assert.equal(produced.value, 35)
    const rest = await node.do('take', { key: 's', count: 1000 })
    assert.deepEqual(
      rest,
      Array.from({ length: 997 }, (_, i) => i + 4),
    )
    await ended.reached(1)
  })

  test('a paused consumer is sent no more than 512 KiB and an item', async () => {
    const { name, produced } = await producer(100, () => new Uint8Array(64 * 1024))
    await node.do('open', { key: 's', name, value: null })
    await node.do('take', { key: 's', count: 2 })
    await produced.reached(10)
    await settle(node)
    assert.equal(produced.value, 10)
    assert.equal((await node.do('take', { key: 's', count: 100 })).length, 98)
  })

  test('a consumer in Python that stops ends the producer', async () => {
    const { name, produced, ended } = await producer(1_000_000, (i) => i)
    await node.do('open', { key: 's', name, value: null })
    await node.do('take', { key: 's', count: 1 })
    await node.do('stop', { key: 's' })
    await ended.reached(1)
    assert.ok(produced.value < 100)
  })

  test('a consumer in Node.js that pauses holds the producer in Python back', async () => {
    const stream = (await served(node, 'numbers')).askStream(1000)
    const items = []
    for (let i = 0; i < 3; i++) items.push((await stream.next()).value)
    await node.do('log', { name: 'numbers', count: 35 })
    await settle(node)
    assert.equal((await node.do('log', { name: 'numbers', count: 35 })).length, 35)
    for await (const item of stream) items.push(item)
    assert.deepEqual(
      items,
      Array.from({ length: 1000 }, (_, i) => i + 1),
    )
  })

  test('a consumer in Node.js that leaves ends the producer in Python', async () => {
    for await (const item of (await served(node, 'numbers')).askStream(1_000_000)) if (item === 5) break
    assert.deepEqual(await node.do('log', { name: 'ended', count: 1 }), [true])
  })

  test('an error ends a stream after the items before it, both ways', async () => {
    const items = []
    const error = await outcomeOf(
      (async () => {
        for await (const item of (await served(node, 'half')).askStream(null)) items.push(item)
      })(),
    )
    assert.deepEqual([items, error.name, error.code], [[1], 'PulsingBusinessError', 'half'])

    const name = await host(() =>
      (async function* () {
        yield 1
        throw new RangeError('no second one')
      })(),
    )
    await node.do('open', { key: 's', name, value: null })
    assert.deepEqual(await node.do('take', { key: 's', count: 1 }), [1])
    const failed = await outcomeOf(node.do('take', { key: 's', count: 1 }))
    assert.deepEqual([failed.name, failed.message], ['PulsingBusinessError', 'no second one'])
  })

  test('an actor of Python reads a stream it was asked with', async () => {
    const sum = await served(node, 'sum')
    const [message, writer] = StreamMessage.create('', 4)
    const asked = sum.ask(message)
    for (let i = 1; i <= 100; i++) await writer.write(i)
    await writer.close()
    assert.equal((await asked).toObject(), 5050)
  })
})

describe('sessions', { timeout: 120_000 }, () => {
  let node
  beforeEach(async () => {
    node = await PythonNode.start(relay.url)
  })
  const COUNT = 3000
  const upTo = (count) => Array.from({ length: count }, (_, i) => i + 1)

  /** A public actor in Node.js that keeps what it is told. */
  async function collecting() {
    const got = []
    const all = new Count()
    const name = await host((msg) => {
      got.push(msg.toObject())
      all.add()
    })
    return { got, all, name }
  }

  test('tells arrive in order, both ways', async () => {
    const { got, all, name } = await collecting()
    const collect = await served(node, 'collect')
    await node.do('flood', { name, count: COUNT, cuts: [] })
    for (const i of upTo(COUNT)) await collect.tell(i)
    await all.reached(COUNT)
    assert.deepEqual(got, upTo(COUNT))
    assert.deepEqual(await node.do('log', { name: 'collect', count: COUNT }), upTo(COUNT))
  })

  test('tells wait at a sender in Python while a mailbox in Node.js is full', async () => {
    const got = []
    const all = new Count()
    let open
    const isOpen = new Promise((resolve) => (open = resolve))
    const receive = async (msg) => {
      await isOpen
      got.push(msg.toObject())
      all.add()
    }
    const name = newName()
    await leaf.spawn({ receive }, name, { public: true, mailbox: { capacity: 16 } })
    const flood = node.do('flood', { name, count: COUNT, cuts: [] })
    await settle(node)
    while ((await node.do('told', { node: leaf.nodeId })) < 2048) await settle(node)
    await settle(node)
    assert.equal(await node.do('told', { node: leaf.nodeId }), 2048)
    open()
    await flood
    await all.reached(COUNT)
    assert.deepEqual(got, upTo(COUNT))
  })

  test('a connection cut again and again loses nothing and doubles nothing, both ways', async () => {
    const { got, all, name } = await collecting()
    const collect = await served(node, 'collect')
    const flood = node.do('flood', { name, count: COUNT, cuts: [1, 500, 501, 1200, 1800, 2999] })
    for (const i of upTo(COUNT)) await collect.tell(i)
    await flood
    await all.reached(COUNT)
    await settle(node)
    assert.deepEqual(got, upTo(COUNT))
    assert.deepEqual(await node.do('log', { name: 'collect', count: COUNT }), upTo(COUNT))
    assert.equal(await node.do('resets', { node: leaf.nodeId }), 0)
  })

  test('frames that come twice are taken once, both ways', async () => {
    const got = []
    const name = await host((msg) => void got.push(msg.toObject()))
    const collect = await served(node, 'collect')
    await node.do('tell_twice', { name, values: upTo(10) })
    await node.do('mute', { node: leaf.nodeId })
    for (const i of upTo(10)) await collect.tell(i)
    await node.do('log', { name: 'collect', count: 10 })
    await node.do('again', { node: leaf.nodeId })
    await settle(node)
    assert.deepEqual(got, upTo(10))
    assert.deepEqual(await node.do('log', { name: 'collect', count: 10 }), upTo(10))
    assert.equal(await node.do('duplicates', { node: leaf.nodeId }), 10)
  })

  test('an ask in the middle of a cut is answered after it, both ways', async () => {
    const begun = new Count()
    let answer
    const name = await host(() => {
      begun.add()
      return new Promise((resolve) => (answer = resolve))
    })
    await node.do('begin', { key: 'a', name, value: null })
    await begun.reached(1)
    await node.do('cut')
    answer('late')
    assert.equal(await node.do('answer', { key: 'a' }), 'late')

    const echo = await served(node, 'echo')
    const cut = node.do('cut')
    assert.deepEqual(await Promise.all(upTo(50).map((i) => echo.ask(i))), upTo(50))
    await cut
  })

  test('streams in the middle of cuts go on, both ways', async () => {
    const name = await host(() =>
      (async function* () {
        yield* upTo(COUNT)
      })(),
    )
    await node.do('open', { key: 's', name, value: null })
    assert.deepEqual(await node.do('take', { key: 's', count: COUNT, cuts: [1, 700, 1500] }), upTo(COUNT))

    const items = []
    for await (const item of (await served(node, 'numbers')).askStream(COUNT)) {
      items.push(item)
      if (item === 10 || item === 1000) await node.do('cut')
    }
    assert.deepEqual(items, upTo(COUNT))
    assert.equal(await node.do('resets', { node: leaf.nodeId }), 0)
  })

  test('a relay that is killed and started again is survived', async () => {
    const fragile = await Relay.start()
    const other = await createActorSystem(SystemConfig.withSeeds([fragile.url]).withLogger(QUIET))
    const python = await PythonNode.start(fragile.url)
    const collect = await served(python, 'collect', other)
    for (const i of upTo(500)) await collect.tell(i)
    await fragile.kill()
    const rest = (async () => {
      for (let i = 501; i <= 1000; i++) await collect.tell(i)
    })()
    await Relay.start({ port: fragile.port })
    await rest
    assert.deepEqual(await python.do('log', { name: 'collect', count: 1000 }), upTo(1000))
    await other.shutdown()
  })

  test('away for longer than the grace, both sides are told once, and begin anew', async () => {
    const impatient = await createActorSystem(
      SystemConfig.withSeeds([relay.url]).withLogger(QUIET).withLimits({ sessionGraceMs: 100 }),
    )
    const slow = await served(node, 'slow', impatient)
    const echo = await served(node, 'echo', impatient)
    const asked = outcomeOf(slow.ask(null))
    assert.deepEqual(await node.do('log', { name: 'slow', count: 1 }), ['began'])
    await node.do('away')
    const error = await asked
    assert.deepEqual([error.code, error.outcome], ['unreachable', 'unknown'])
    await node.do('back')
    assert.deepEqual(await node.do('log', { name: 'slow', count: 2 }), ['began', 'cancelled'])
    await impatient.resolve('echo', { node: node.id })
    assert.equal(await echo.ask('again'), 'again')
    assert.equal(await node.do('resets', { node: impatient.nodeId }), 1)
    await impatient.shutdown()
  })

  test('a node in Python that says goodbye is not waited for', async () => {
    const slow = await served(node, 'slow')
    const asked = outcomeOf(slow.ask(null, { timeout: Infinity }))
    await node.do('log', { name: 'slow', count: 1 })
    await node.do('close')
    assert.equal((await asked).code, 'unreachable')
    assert.ok(!leaf.members().some(({ nodeId }) => nodeId === node.id))
  })

  test('a node in Node.js that says goodbye is not waited for', async () => {
    const leaving = await createActorSystem(SystemConfig.withSeeds([relay.url]).withLogger(QUIET))
    const name = newName()
    const numbers = async function* () {
      yield 1
      await new Promise(() => {})
    }
    await leaving.spawn({ receive: numbers }, name, { public: true })
    await node.do('open', { key: 's', name, value: null })
    assert.deepEqual(await node.do('take', { key: 's', count: 1 }), [1])
    const taken = outcomeOf(node.do('take', { key: 's', count: 1 }))
    await leaving.shutdown()
    assert.equal((await taken).code, 'actor_stopped')
    assert.equal(await node.do('members', { without: leaving.nodeId }), true)
  })
})

describe('links', { timeout: 120_000 }, () => {
  test('another version is refused with goaway 1', async () => {
    const error = await outcomeOf(PythonNode.start(relay.url, { versions: [7, 9] }))
    assert.deepEqual([error.name, error.code], ['Refused', 1])
    assert.match(error.message, /version 1, got 7 to 9/)
  })

  test('a wrong token is refused with goaway 2, the right one let in', async () => {
    const guarded = await Relay.start({ token: 'sesame' })
    for (const token of [undefined, 'open']) {
      const error = await outcomeOf(PythonNode.start(guarded.url, { token }))
      assert.deepEqual([error.name, error.code], ['Refused', 2])
    }
    const node = await PythonNode.start(guarded.url, { token: 'sesame' })
    assert.equal(node.id.length, 22)
  })

  test('every hostile batch is answered with goaway 3, with its offset, and the relay lives', async () => {
    const node = await PythonNode.start(relay.url)
    for (const { name, hex, offset } of vectors.hostileBatches) {
      assert.deepEqual(await node.do('garbage', { hex }), [[3, offset]], name)
      await node.do('start', { url: relay.url })
    }
    assert.equal(await node.do('ask', { name: 'echo', value: 'alive' }), 'alive')
  })

  test('hostile values in a hello are answered with goaway 3', async () => {
    const heads = [0x82, 0x01, 0x59]
    for (const { name, hex } of vectors.hostileValues.filter(({ hex }) => hex.length < 8192)) {
      const payload = Buffer.from(hex, 'hex')
      const socket = new WebSocket(relay.url)
      const closed = new Promise((resolve) => socket.once('close', resolve))
      const received = []
      socket.on('message', (data) => received.push(data))
      await new Promise((resolve) => socket.once('open', resolve))
      socket.send(Buffer.concat([Buffer.from([...heads, payload.length >> 8, payload.length & 255]), payload]))
      await closed
      assert.ok(Buffer.concat(received).includes(Buffer.from([0x83, 0x03, 0x03])), name)
    }
  })

  test('a page that is hidden, and shown again, is known to be, and costs the client no link', async () => {
    const node = await PythonNode.start(relay.url)
    const page = new WebSocket(relay.url)
    await new Promise((resolve) => page.once('open', resolve))
    const told = (...updates) => {
      const payload = encode(updates)
      page.send(Buffer.concat([Buffer.from([0x82, 9, 0x59, payload.length >> 8, payload.length & 255]), payload]))
    }
    page.send(bytesOf('hello'))
    await new Promise((resolve) => page.once('message', resolve))
    page.send(bytesOf('welcome'))
    const id = 'A'.repeat(22)
    told(['node', id, 1, 'leaf', null, [], [], [node.neighbour], []], ['synced'])
    assert.equal(await node.do('hidden', { node: id, hidden: false }), 1)
    told(['state', id, 2, 'hidden'])
    assert.equal(await node.do('hidden', { node: id, hidden: true }), 1)
    told(['state', id, 3, 'visible', 'and something of a later version'])
    assert.equal(await node.do('hidden', { node: id, hidden: false }), 1)
    told(['state', id, 4, 'hidden'])
    const other = await PythonNode.start(relay.url)
    assert.equal(await other.do('hidden', { node: id, hidden: true }), 1)
    assert.equal(await node.do('ask', { name: 'echo', value: 'still linked' }), 'still linked')
    page.terminate()
  })

  test('the client answers ping with pong of the same id', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await new Promise((resolve) => server.once('listening', resolve))
    const answered = new Promise((resolve) => {
      server.once('connection', (socket) => {
        socket.send(bytesOf('hello'))
        socket.once('message', () => {
          socket.send(bytesOf('welcome'))
          socket.send(Buffer.concat([bytesOf('cluster'), Buffer.from('820507', 'hex')]))
        })
        socket.on('message', (data) => {
          if (data.includes(bytesOf('pong'))) resolve()
        })
      })
    })
    const node = await PythonNode.start(`ws://127.0.0.1:${server.address().port}`)
    await answered
    node.kill()
    await new Promise((resolve) => {
      for (const client of server.clients) client.terminate()
      server.close(resolve)
    })
  })
})
