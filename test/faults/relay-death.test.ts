/** Relays in processes of their own, some of which are killed: what runs over them goes on over the others. */
import { type ActorSystem, type Member, StreamMessage } from 'pulsing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '../../src/base/ids.ts'
import { Topology } from '../../src/cluster/topology.ts'
import { decodeUpdates } from '../../src/cluster/update.ts'
import { gate } from '../actor/systems.ts'
import { Cli, type Running } from '../system/built-cli.ts'
import { Echo, event, joined, Systems } from '../system/systems.ts'
import { LightLeaf } from './light-leaf.ts'
import { complaints } from './witness.ts'

const systems = new Systems()
const cli = new Cli()
const lookers: LightLeaf[] = []
beforeAll(() => cli.build(), 60_000)
afterEach(async () => {
  await Promise.all(lookers.splice(0).map((looker) => looker.close()))
  await systems.stop()
  await cli.stop()
})
afterAll(() => cli.dispose())

interface RelayProcess {
  readonly url: string
  readonly process: Running
}

async function relay(...seeds: readonly string[]): Promise<RelayProcess> {
  const process = cli.start(['relay', '--port', '0', ...seeds.flatMap((seed) => ['--seed', seed])])
  return { url: await process.url(), process }
}

/** Settles when so many relays say of themselves that they are linked to all the others. */
async function linkedToAll(count: number, url: string): Promise<void> {
  const known = new Topology({ nodeId: newId(), kind: 'leaf', addr: undefined, features: [], classes: [] })
  const isMesh = (): boolean => {
    const relays = [...known.records()].filter(({ kind }) => kind === 'relay')
    return (
      relays.length === count &&
      relays.every(({ nodeId, links }) => relays.every((other) => other.nodeId === nodeId || links.has(other.nodeId)))
    )
  }
  await new Promise<void>((resolve) => {
    const told = (updates: Uint8Array): void => {
      for (const update of decodeUpdates(updates)) {
        if (update.op === 'node') known.applySnapshot(update)
        else if (update.op === 'link' || update.op === 'name' || update.op === 'state') known.applyChange(update)
      }
      if (isMesh()) resolve()
    }
    lookers.push(new LightLeaf('looker', [url], { told }))
  })
}

/** Three relays, of which two know only the first, once each is linked to both others. */
async function threeRelays(): Promise<readonly [RelayProcess, RelayProcess, RelayProcess]> {
  const first = await relay()
  const [second, third] = [await relay(first.url), await relay(first.url)]
  await linkedToAll(3, third.url)
  return [first, second, third]
}

/** Each of these hosts an echo, and asks that of every other. */
async function askEachOther(...leaves: readonly ActorSystem[]): Promise<void> {
  for (const leaf of leaves) {
    const name = `echo of ${leaf.nodeId}`
    if (!(await leaf.hasActor(name))) await leaf.spawn(new Echo(), name, { public: true })
  }
  await Promise.all(
    leaves.flatMap((asker) =>
      leaves.map(async (host) => {
        const echo = await asker.resolve(`echo of ${host.nodeId}`)
        expect(echo.nodeId).toBe(host.nodeId)
        expect(await echo.ask(`from ${asker.nodeId}`)).toBe(`from ${asker.nodeId}`)
      }),
    ),
  )
}

/** What `system` is told of a member from now on. */
function changesOf(system: ActorSystem, nodeId: string): string[] {
  const heard: string[] = []
  const hear =
    (what: string) =>
    ({ member }: { readonly member: Member }): void => {
      if (member.nodeId === nodeId) heard.push(`${what}: ${member.status}`)
    }
  system.on('memberJoined', hear('joined'))
  system.on('memberUpdated', hear('updated'))
  system.on('memberLeft', hear('left'))
  return heard
}

describe('three relays of which two know only the first', () => {
  test('are all linked to each other, so that leaves of the other two do without the first', {
    timeout: 30_000,
  }, async () => {
    const [first, second, third] = await threeRelays()
    const [ofSecond, ofThird] = [await systems.leaf(second.url), await systems.leaf(third.url)]
    await askEachOther(ofSecond, ofThird, await systems.leaf(first.url))
    const heard = [changesOf(ofSecond, ofThird.nodeId), changesOf(ofThird, ofSecond.nodeId)]
    const isDead = [ofSecond, ofThird].map((leaf) =>
      event(leaf, 'memberUpdated', ({ member }) => member.addr === first.url && member.status === 'unreachable'),
    )
    first.process.kill('SIGKILL')
    await Promise.all(isDead)
    await askEachOther(ofSecond, ofThird)
    expect(heard).toEqual([[], []])
  })

  test('carry a stream on when the one it runs through is killed, and nobody takes the leaf for another', {
    timeout: 30_000,
  }, async () => {
    const [first, second, third] = await threeRelays()
    const writing = await systems.leaf(second.url, third.url)
    const [reading, other] = [await systems.leaf(first.url), await systems.leaf(third.url)]
    await askEachOther(writing, reading, other)
    const { nodeId } = writing
    const heard = [changesOf(reading, nodeId), changesOf(other, nodeId)]
    const complained = complaints(writing, reading, other)

    const items = 20_000
    const [isHalfWay, mayGoOn] = [gate(), gate()]
    const sink = {
      receive: async (msg: { streamReader<T>(): AsyncIterable<T> }) => {
        let next = 0
        for await (const item of msg.streamReader<number>()) {
          if (item !== next++) throw new RangeError(`expected item ${next - 1}, got ${item}`)
          if (next !== items / 2) continue
          isHalfWay.open()
          await mayGoOn.opened
        }
        return next
      },
    }
    await reading.spawn(sink, 'sink', { public: true })
    const [message, writer] = StreamMessage.create<number>('numbers')
    const asked = (await writing.resolve('sink')).ask(message, { timeout: Infinity })
    const written = (async () => {
      for (let item = 0; item < items; item++) await writer.write(item)
      await writer.close()
    })()

    // No more than a buffer is on its way now: the other half goes over another relay.
    await isHalfWay.opened
    const relinked = event(writing, 'linkOpened')
    second.process.kill('SIGKILL')
    await second.process.ended
    mayGoOn.open()
    const thirdId = other.members().find(({ addr }) => addr === third.url)!.nodeId
    expect((await relinked).nodeId).toBe(thirdId)
    await written
    expect((await asked).toObject()).toBe(items)

    await Promise.all([joined(reading, writing), joined(other, writing)])
    await askEachOther(writing, reading, other)
    expect(writing.nodeId).toBe(nodeId)
    for (const changes of heard) expect(changes.filter((change) => !change.startsWith('updated'))).toEqual([])
    expect(complained).toEqual([])
  })
})
