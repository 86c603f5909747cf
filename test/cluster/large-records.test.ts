/** Nodes with many names and links: what they are told of stays within what readers take, and nobody ends for it. */
import { SystemConfig } from 'pulsing'
import { afterEach, expect, test } from 'vitest'
import { newId } from '../../src/base/ids.ts'
import { macrotask } from '../../src/base/macrotask.ts'
import { decodeUpdates, encodeUpdates, MAX_LINKS, MAX_NAMES, type Update } from '../../src/cluster/update.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { joined } from '../system/systems.ts'
import { link, memberIds, Nodes, type Puppet, puppet } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

function tell(played: Puppet, updates: readonly Update[]): void {
  for (let i = 0; i < updates.length; i += 1000)
    played.send({ kind: FRAME.cluster, payload: encodeUpdates(updates.slice(i, i + 1000)) })
}

const isWant = ({ kind, payload }: { readonly kind: number; readonly payload: Uint8Array }): boolean =>
  kind === FRAME.cluster && decodeUpdates(payload).some(({ op }) => op === 'want')

test.each([
  [`${MAX_NAMES} names`, MAX_NAMES, 'name' as const],
  [`${MAX_LINKS} links`, MAX_LINKS, 'link' as const],
])('a node has at most %s, and its record can be told', async (_what, max, op) => {
  const home = await nodes.start(SystemConfig.withAddr('127.0.0.1:0'))
  const page = await puppet(home)
  const many = Array.from({ length: 4 * max }, (_, i): Update => {
    const about = { nodeId: page.nodeId, version: i + 2 }
    return op === 'name'
      ? { op, ...about, name: `n${i}`, actorId: newId() }
      : { op, ...about, other: newId(), isUp: true, isSuspended: true }
  })
  tell(page, many)
  await page.when(isWant)
  const next = await nodes.start()
  const { passed } = await link(home, next)
  await joined(next, page)
  const record = passed[0]
    .filter(({ kind }) => kind === FRAME.cluster)
    .flatMap(({ payload }) => decodeUpdates(payload))
    .find((update) => update.op === 'node' && update.nodeId === page.nodeId)
  expect(record).toMatchObject({ version: op === 'name' ? max + 1 : max })
  expect(memberIds(next).size).toBe(3)
})

test('a record larger than a neighbour takes at once is not told to it, and the link stays', async () => {
  const home = await nodes.start()
  const page = await puppet(home)
  const names = Array.from({ length: 1000 }, (_, i): Update => {
    return { op: 'name', nodeId: page.nodeId, version: i + 2, name: `${i}`.padStart(100), actorId: newId() }
  })
  tell(page, names)
  const small = await puppet(home, 'leaf', (near) => ({
    ...{ maxBatchBytes: 64 * 1024, transfers: near.transfers, waitingBytes: 0 },
    open: (handler) => near.open(handler),
    send: (batch, attachments) => near.send(batch, attachments),
    close: () => near.close(),
    abort: (reason) => near.abort(reason),
  }))
  await small.when(({ kind, payload }) => kind === FRAME.cluster && decodeUpdates(payload).at(-1)?.op === 'synced')
  const told = small.received
    .filter(({ kind }) => kind === FRAME.cluster)
    .flatMap(({ payload }) => decodeUpdates(payload))
  expect(told.flatMap((update) => (update.op === 'node' ? [update.nodeId] : []))).toEqual([home.nodeId])
  expect(small.isOver).toBe(false)
})

test('what a node has beyond that is found there, and a warning', async () => {
  const [own, other] = [await nodes.start(), await nodes.start()]
  const warnings: string[] = []
  own.on('warning', ({ code }) => warnings.push(code))
  for (let i = 0; i <= MAX_NAMES; i++) await own.spawn({ receive: () => i }, `n${i}`, { public: true })
  await link(own, other)
  expect(await (await other.resolve(`n${MAX_NAMES - 1}`)).ask('')).toBe(MAX_NAMES - 1)
  expect(await other.find(`n${MAX_NAMES}`)).toBeUndefined()
  expect(await (await own.resolve(`n${MAX_NAMES}`)).ask('')).toBe(MAX_NAMES)
  expect(warnings).toEqual(['names'])
  await own.stop(`n${MAX_NAMES}`)
  await own.stop('n0')
  await own.spawn({ receive: () => 'told' }, 'last', { public: true })
  for (let i = 0; i < 10; i++) await new Promise<void>((resolve) => macrotask(resolve))
  expect(await (await other.resolve('last')).ask('')).toBe('told')
})
