/** One tab with the demo in it, by the names people and screen readers know its parts by. */
import { type BrowserContext, expect as baseExpect, type Locator, type Page } from 'playwright/test'
import type { DemoText } from './demo-text.ts'

/** Machines of the tests are shared: waiting is cheap, and ends as soon as there is something to see. */
export const expect = baseExpect.configure({ timeout: 20_000 })

interface JobNumbers {
  readonly state: string
  readonly sent: number
  readonly counted: number
  readonly lines: number
  readonly words: number
}

export class DemoTab {
  readonly page: Page
  readonly counter: Locator
  readonly target: Locator
  readonly pause: Locator
  readonly slow: Locator
  /** Errors on the console, uncaught ones, and violations of the policy, of the page and its worker. */
  readonly problems: string[] = []

  constructor(page: Page) {
    this.page = page
    this.counter = page.getByRole('status', { name: 'Value' })
    this.target = page.getByLabel('Count it in')
    this.pause = page.getByRole('button', { name: /^(Pause|Resume)$/ })
    this.slow = page.getByLabel('Read the counts slowly')
    page.on('console', (message) => {
      if (message.type() === 'error') this.problems.push(message.text())
    })
    page.on('pageerror', (error) => this.problems.push(String(error)))
  }

  /** Opens the page and waits until it has joined. */
  static async open(context: BrowserContext, url: string): Promise<DemoTab> {
    const tab = new DemoTab(await context.newPage())
    await tab.page.addInitScript(() => {
      addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        console.error(`policy: ${violatedDirective} ${blockedURI}`),
      )
    })
    await tab.page.goto(url)
    await tab.joined()
    return tab
  }

  async joined(): Promise<void> {
    await expect(this.page.locator('#connection')).toHaveText('Connected')
    await expect(this.page.getByRole('button', { name: 'Add one' })).toBeEnabled()
    await expect(this.target.getByRole('option', { name: 'Worker in this tab' })).toBeAttached()
  }

  /** Its four hexadecimal digits. */
  async id(): Promise<string> {
    const [id = ''] = /[0-9a-f]{4}/.exec(await this.page.title()) ?? []
    return id
  }

  async add(): Promise<void> {
    await this.page.getByRole('button', { name: 'Add one' }).click()
  }

  async subtract(): Promise<void> {
    await this.page.getByRole('button', { name: 'Subtract one' }).click()
  }

  /** Waits until the list shows these and nobody else. */
  async expectMembers(names: readonly string[]): Promise<void> {
    const shown = (): Promise<string[]> => this.page.locator('#member-list .member-name').allInnerTexts()
    const sorted = (list: readonly string[]): string[] => list.map((name) => name.split('\n')[0]!.trim()).sort()
    await expect.poll(async () => sorted(await shown())).toEqual(sorted(names))
  }

  async choose(text: DemoText): Promise<void> {
    const opening = this.page.waitForEvent('filechooser')
    await this.page.getByRole('button', { name: 'Choose a file…' }).click()
    await (await opening).setFiles({ name: 'text.txt', mimeType: 'text/plain', buffer: text.bytes })
  }

  async drop(text: DemoText): Promise<void> {
    const dataTransfer = await this.page.evaluateHandle((base64) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
      const transfer = new DataTransfer()
      transfer.items.add(new File([bytes], 'dropped.txt', { type: 'text/plain' }))
      return transfer
    }, text.bytes.toString('base64'))
    const zone = this.page.locator('#drop-zone')
    await zone.dispatchEvent('dragover', { dataTransfer })
    await expect(zone).toHaveClass(/over/)
    await zone.dispatchEvent('drop', { dataTransfer })
    await expect(zone).not.toHaveClass(/over/)
  }

  /** What the panel says of its job, in bare numbers. Tabs in the background do not draw: bring it to the front first. */
  job(): Promise<JobNumbers> {
    return this.page.locator('#job').evaluate((panel) => {
      const { state = '', sent, counted, lines, words } = (panel as HTMLElement).dataset
      return { state, sent: Number(sent), counted: Number(counted), lines: Number(lines), words: Number(words) }
    })
  }

  /** Waits until some counts have come back. */
  async expectProgress(): Promise<void> {
    await expect.poll(async () => (await this.job()).counted).toBeGreaterThan(0)
  }

  async expectState(state: string): Promise<void> {
    await expect(this.page.locator('#job')).toHaveAttribute('data-state', state)
  }

  async expectCounted({ expected }: DemoText): Promise<void> {
    await this.expectState('done')
    const { bytes, lines, words } = expected
    expect(await this.job()).toEqual({ state: 'done', sent: bytes, counted: bytes, lines, words })
    await expect(this.page.getByRole('progressbar', { name: 'Counted' })).toHaveJSProperty('position', 1)
    await expect(this.page.locator('#words')).toHaveText(words.toLocaleString('en'))
  }
}
