/** The demo as people use it: two tabs, a Node peer, a relay between them. */
import { connect } from 'node:net'
import { test as base } from 'playwright/test'
import { DemoServer } from './support/demo-server.ts'
import { DemoTab, expect } from './support/demo-tab.ts'
import { demoText } from './support/demo-text.ts'

const CHUNK_BYTES = 64 * 1024
/** Chunks waiting at the actor, one in its hands, counts waiting for the page: see demo/count-job.ts. */
const MAX_ON_THE_WAY_BYTES = (8 + 1 + 3) * CHUNK_BYTES
const MIB = 1024 * 1024
const SEED = 20_260_214
const RESIDENTS = ['Relay', 'Node peer']

interface Fixtures {
  readonly server: DemoServer
  readonly openTab: () => Promise<DemoTab>
}

const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: this is how a fixture says that it needs no other
  server: async ({}, use) => {
    const server = await DemoServer.start()
    await use(server)
    expect(await server.stop()).toBe(0)
  },
  openTab: async ({ context, server }, use) => {
    const tabs: DemoTab[] = []
    await use(async () => {
      const tab = await DemoTab.open(context, server.url)
      tabs.push(tab)
      return tab
    })
    expect(tabs.flatMap(({ problems }) => problems)).toEqual([])
  },
})

const membersOf = (...ids: string[]): string[] => [
  ...RESIDENTS,
  ...ids.flatMap((id) => [`Tab ${id}`, `Worker in tab ${id}`]),
]

test('both tabs list all members, and a closed one disappears', async ({ openTab }) => {
  const a = await openTab()
  await a.expectMembers(membersOf(await a.id()))
  const b = await openTab()
  const [idOfA, idOfB] = [await a.id(), await b.id()]
  for (const tab of [a, b]) await tab.expectMembers(membersOf(idOfA, idOfB))
  await expect(a.page.locator('#announcements')).toContainText(`Tab ${idOfB} joined.`)
  await expect(a.page.getByRole('heading', { name: 'Members 6' })).toBeVisible()

  await b.page.close()
  await a.expectMembers(membersOf(idOfA))
  await expect(a.page.locator('#announcements')).toContainText(`Tab ${idOfB} left.`)
})

test('a reloaded tab is a new member, and all goes on', async ({ openTab }) => {
  const [a, b] = [await openTab(), await openTab()]
  const before = await b.id()
  await b.page.reload()
  await b.joined()
  const [idOfA, idOfB] = [await a.id(), await b.id()]
  expect(idOfB).not.toBe(before)
  for (const tab of [a, b]) await tab.expectMembers(membersOf(idOfA, idOfB))

  await b.add()
  await expect(a.counter).toHaveText('1')
  await a.page.bringToFront()
  const text = demoText(SEED, MIB)
  await a.target.selectOption(`Worker in tab ${idOfB}`)
  await a.choose(text)
  await a.expectCounted(text)
})

test('the counter is shared', async ({ openTab }) => {
  const [a, b] = [await openTab(), await openTab()]
  await a.page.bringToFront()
  for (let i = 0; i < 5; i++) await a.add()
  await b.page.bringToFront()
  await b.subtract()
  await b.subtract()
  for (const tab of [a, b]) await expect(tab.counter).toHaveText('3')
  const c = await openTab()
  await expect(c.counter).toHaveText('3')
})

test('the Node peer counts a chosen file', async ({ openTab }) => {
  const tab = await openTab()
  const text = demoText(SEED + 1, 6 * MIB)
  await tab.target.selectOption('Node peer')
  await tab.choose(text)
  await tab.expectCounted(text)
})

test('the worker of the other tab counts a dropped file', async ({ openTab }) => {
  const [a, b] = [await openTab(), await openTab()]
  await a.page.bringToFront()
  const text = demoText(SEED + 2, 6 * MIB)
  await a.target.selectOption(`Worker in tab ${await b.id()}`)
  await a.drop(text)
  await a.expectCounted(text)
})

test('an empty file has nothing in it', async ({ openTab }) => {
  const tab = await openTab()
  await tab.choose({ bytes: Buffer.alloc(0), expected: { bytes: 0, lines: 0, words: 0 } })
  await tab.expectState('done')
  expect(await tab.job()).toEqual({ state: 'done', sent: 0, counted: 0, lines: 0, words: 0 })
})

for (const where of ['the Node peer', 'the worker of the other tab']) {
  test(`pausing the reader stops the sender: ${where}`, async ({ openTab }) => {
    const [a, b] = [await openTab(), await openTab()]
    await a.page.bringToFront()
    const text = demoText(SEED + 3, 8 * MIB)
    await a.target.selectOption(where === 'the Node peer' ? 'Node peer' : `Worker in tab ${await b.id()}`)
    await a.slow.check()
    await a.choose(text)
    await a.expectProgress()
    await a.pause.click()
    await a.expectState('paused')

    // The sender fills every buffer on the way, and not one chunk more.
    await expect.poll(async () => (await a.job()).sent - (await a.job()).counted).toBe(MAX_ON_THE_WAY_BYTES)
    const { sent, counted } = await a.job()
    // The same links carry other messages meanwhile.
    for (let i = 1; i <= 20; i++) {
      await a.add()
      for (const tab of [a, b]) await expect(tab.counter).toHaveText(String(i))
    }
    expect(await a.job()).toMatchObject({ state: 'paused', sent, counted })
    await expect(a.page.locator('#on-the-way')).toHaveText('12 chunks')

    await a.slow.uncheck()
    await a.pause.click()
    await a.expectCounted(text)
  })
}

test('a cancelled job makes room for the next', async ({ openTab }) => {
  const tab = await openTab()
  await tab.slow.check()
  await tab.page.getByRole('button', { name: 'Use sample text' }).click()
  await tab.expectProgress()
  await tab.pause.click()
  await tab.page.getByRole('button', { name: 'Cancel' }).click()
  await tab.expectState('cancelled')

  await tab.slow.uncheck()
  const text = demoText(SEED + 4, MIB)
  await tab.choose(text)
  await tab.expectCounted(text)
})

test('a tab that closes while its worker counts is told of in words', async ({ openTab }) => {
  const [a, b] = [await openTab(), await openTab()]
  await a.page.bringToFront()
  const worker = `Worker in tab ${await b.id()}`
  await a.target.selectOption(worker)
  await a.slow.check()
  await a.page.getByRole('button', { name: 'Use sample text' }).click()
  await a.expectProgress()
  await b.page.close()
  await a.expectState('failed')
  await expect(a.page.locator('#job-problem')).toHaveText('The other side went away, or cannot be reached.')

  await expect(a.target.getByRole('option', { name: worker })).toHaveCount(0)
  const text = demoText(SEED + 5, MIB)
  await a.choose(text)
  await a.slow.uncheck()
  await a.expectCounted(text)
})

test('a server that comes back is found again', async ({ context }) => {
  const first = await DemoServer.start()
  const tab = await DemoTab.open(context, first.url)
  await tab.add()
  await expect(tab.counter).toHaveText('1')
  await first.stop()
  await expect(tab.page.locator('#connection')).toHaveText('Reconnecting…')
  await expect(tab.page.getByRole('button', { name: 'Add one' })).toBeDisabled()

  const second = await DemoServer.start(new URL(first.url).port)
  expect(second.url).toBe(first.url)
  await expect(tab.page.locator('#connection')).toHaveText('Connected')
  await expect(tab.counter).toHaveText('0')
  await tab.add()
  await expect(tab.counter).toHaveText('1')
  await tab.expectMembers(membersOf(await tab.id()))
  await second.stop()
})

test('the keyboard is enough, and a narrow window too', async ({ openTab }) => {
  const { page, ...tab } = await openTab()
  await page.setViewportSize({ width: 360, height: 740 })
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused()
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  await expect(page.getByRole('button', { name: 'Subtract one' })).toBeFocused()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Space')
  await expect(tab.counter).toHaveText('1')

  const sample = page.getByRole('button', { name: 'Use sample text' })
  await page.getByLabel('Size of the sample text').selectOption('4 MiB')
  await sample.focus()
  await page.keyboard.press('Enter')
  await expect(page.locator('#job-state')).toHaveText('Done')
  await expect(sample).toBeFocused()
  await expect(page.locator('#announcements')).toContainText('Done: 720,000 words')
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  expect(overflow).toBeLessThanOrEqual(0)
})

test('the server gives out its page and nothing else', async ({ server }) => {
  const page = await fetch(server.url)
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  const { host } = new URL(server.url)
  expect(page.headers.get('content-security-policy')).toBe(
    `default-src 'self'; connect-src 'self' ws://${host} wss://${host}; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  )
  expect(await page.text()).not.toMatch(/<style|\sstyle=|<script(?![^>]*\ssrc=)/)
  for (const path of [
    'nothing',
    '../../package.json',
    '..%2f..%2fpackage.json',
    '%2e%2e/%2e%2e/package.json',
    'assets',
  ])
    expect(await statusOf(server.url, `GET /${path} HTTP/1.1`)).toBe(404)
  expect(await statusOf(server.url, 'POST / HTTP/1.1')).toBe(405)

  const upgrade =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  expect(await statusOf(server.url, 'GET /pulsing HTTP/1.1', `${upgrade}Origin: http://${host}\r\n`)).toBe(101)
  expect(await statusOf(server.url, 'GET /pulsing HTTP/1.1', `${upgrade}Origin: http://elsewhere.example\r\n`)).toBe(
    403,
  )
  expect(await statusOf(server.url, 'GET /other HTTP/1.1', `${upgrade}Origin: http://${host}\r\n`)).toBe(404)
})

test('the server prints one address, and ends when asked to', async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const server = await DemoServer.start()
    const neighbour = await DemoServer.start(new URL(server.url).port)
    expect(neighbour.url).not.toBe(server.url)
    expect(neighbour.output()).toContain('is taken')
    expect(await neighbour.stop(signal)).toBe(0)
    expect(await server.stop(signal)).toBe(0)
    expect(server.output().match(/http:\/\/\S+/g)).toHaveLength(1)
  }
})

/** The status of the answer to a request written by hand: clients would tidy up its path. */
function statusOf(url: string, requestLine: string, headers = 'Connection: close\r\n'): Promise<number> {
  const { hostname, port, host } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(`${requestLine}\r\nHost: ${host}\r\n${headers}\r\n`),
    )
    socket.once('data', (data) => {
      socket.destroy()
      resolve(Number(String(data).split(' ')[1]))
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the server closed without an answer')))
  })
}
