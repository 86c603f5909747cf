/** Tokens, right ones and wrong ones: no log line, error, event or goodbye ever has one in it. */
import { once } from 'node:events'
import { inspect } from 'node:util'
import { createActorSystem, type Logger, SystemConfig } from 'pulsing'
import { startRelay } from 'pulsing/node'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { encodeCbor } from '../../src/base/cbor.ts'
import { newId } from '../../src/base/ids.ts'
import { FRAME, Frame } from '../../src/wire/frame.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'
import { framesOf } from '../cluster/memory-nodes.ts'

const TOKEN = 'sesame'
const NUMBER = 5_318_008
const SECRETS = /sesame|5318008|\[ ?115, ?101, ?115|73 65 73 61 6d 65/

const said: string[] = []
const say = (...what: readonly unknown[]): void => {
  said.push(inspect(what, { depth: 20, showHidden: true }))
}
const logger: Logger = { debug: say, info: say, warn: say, error: say }

function helloOf(fields: object): Uint8Array {
  const hello = { pulsing: [1, 1], node: newId(), kind: 'leaf', features: [], serial: 1, ...fields }
  return encodeCbor(hello)
}

/** All that a relay says to somebody who begins with `payload`, until it closes. */
async function answerTo(url: string, payload: Uint8Array): Promise<string> {
  const socket = new WebSocket(url)
  const heard: string[] = []
  socket.on('message', (data: Buffer) => {
    for (const frame of framesOf(data)) heard.push(`${frame.kind} ${frame.reason} ${Buffer.from(frame.payload)}`)
  })
  await once(socket, 'open')
  const writer = new FrameWriter()
  writer.write(Object.assign(new Frame(), { kind: FRAME.hello, payload }))
  socket.send(writer.take())
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
  return `${heard.join(' ')} ${code} ${reason}`
}

test('no token is told', async () => {
  await using relay = await startRelay({ port: 0, auth: { token: TOKEN }, logger })
  for (const name of ['linkOpened', 'linkClosed', 'memberJoined', 'memberLeft'] as const)
    relay.system.on(name, (event) => say(event))
  const guest = SystemConfig.withSeeds([relay.url]).withLogger(logger)

  const welcome = await createActorSystem(guest.withAuth({ token: TOKEN }))
  say(welcome, welcome.members(), relay)
  await welcome.shutdown()
  const wrong = [
    { token: `${TOKEN} or not` },
    { token: () => NUMBER as unknown as string },
    { token: () => TOKEN.repeat(1_000) },
    { token: TOKEN, verify: () => Promise.reject(new RangeError('no database')) },
  ]
  const outcomes: string[] = []
  for (const auth of wrong)
    await createActorSystem(guest.withAuth(auth).withLimits({ joinTimeoutMs: 500 })).then(
      () => outcomes.push('let in'),
      (error: Error) => {
        outcomes.push(error.name)
        say(error)
      },
    )
  expect(outcomes).not.toContain('let in')

  const twice = Buffer.concat([Buffer.from(helloOf({ token: TOKEN })), encodeCbor('token'), encodeCbor(TOKEN)])
  twice[0]!++
  const hellos = [
    ...[NUMBER, [TOKEN], { [TOKEN]: 1 }, Buffer.from(TOKEN), null, true].map((token) => helloOf({ token })),
    ...[`${TOKEN}!`, TOKEN.repeat(500), TOKEN.repeat(1_000)].map((token) => helloOf({ token })),
    helloOf({ token: TOKEN, kind: 7 }),
    helloOf({ token: TOKEN, node: 7 }),
    helloOf({ token: TOKEN }).subarray(0, -3),
    twice,
  ]
  for (const hello of hellos) {
    const answer = await answerTo(relay.url, hello)
    expect(answer).toMatch(/expected /)
    said.push(answer)
  }
  expect(said.length).toBeGreaterThan(2 * hellos.length)
  expect(said.filter((text) => SECRETS.test(text))).toEqual([])
})
