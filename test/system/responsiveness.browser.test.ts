/** A page and a worker whose actors are at full load still draw, and hear whoever calls. Events are counted, not time. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { startLoad } from './responsiveness-load.browser.ts'
import type { Answer, Request } from './responsiveness-worker.browser.ts'

/** Frames, messages, clicks that have to get through. */
const ROUNDS = 20

const event = (target: EventTarget, name: string): Promise<Event> =>
  new Promise((resolve) => target.addEventListener(name, resolve, { once: true }))

const rounds: [string, () => Promise<unknown>][] = [
  ['animation frames come', () => new Promise((resolve) => requestAnimationFrame(resolve))],
  ['timers come', () => new Promise((resolve) => setTimeout(resolve, 0))],
  [
    'messages of a port arrive',
    async () => {
      const { port1, port2 } = new MessageChannel()
      port2.start()
      const arrived = event(port2, 'message')
      port1.postMessage('hello')
      await arrived
      port1.close()
    },
  ],
  [
    'messages posted to the window arrive',
    async () => {
      const arrived = event(window, 'message')
      window.postMessage('hello', '*')
      await arrived
    },
  ],
  [
    'messages of another page of this origin arrive',
    async () => {
      const [here, there] = [new BroadcastChannel('responsiveness'), new BroadcastChannel('responsiveness')]
      const arrived = event(here, 'message')
      there.postMessage('hello')
      await arrived
      here.close()
      there.close()
    },
  ],
  [
    'images load',
    async () => {
      const image = new Image()
      const loaded = event(image, 'load')
      const svg = new Blob(['<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'], {
        type: 'image/svg+xml',
      })
      image.src = URL.createObjectURL(svg)
      await loaded
      URL.revokeObjectURL(image.src)
    },
  ],
  [
    'what comes into view is seen to',
    async () => {
      const box = document.createElement('div')
      const seen = new Promise<void>((resolve) => {
        const observer = new IntersectionObserver(() => {
          observer.disconnect()
          resolve()
        })
        observer.observe(box)
      })
      document.body.append(box)
      await seen
      box.remove()
    },
  ],
]

describe('in a page whose actors are at full load', () => {
  test.each(rounds)('%s', async (_what, round) => {
    const load = await startLoad()
    const counts: number[] = []
    try {
      for (let i = 0; i < ROUNDS; i++) {
        await round()
        counts.push(load.handled)
      }
      expect(load.isExhausted).toBe(false)
      // It did go on meanwhile.
      expect(counts.at(-1)).toBeGreaterThan(counts[0]!)
    } finally {
      await load.end()
    }
  })

  test('frames and timers come side by side: neither waits for all of the others', async () => {
    const load = await startLoad()
    const counts = { frames: 0, timers: 0, messages: 0 }
    const enough = (): boolean => Object.values(counts).every((count) => count >= ROUNDS)
    const { port1, port2 } = new MessageChannel()
    port2.onmessage = () => {
      counts.messages++
      port1.postMessage(0)
    }
    try {
      await new Promise<void>((resolve) => {
        const look = (): void => {
          if (enough() || load.isExhausted) resolve()
        }
        const frame = (): void => {
          counts.frames++
          look()
          if (!enough() && !load.isExhausted) requestAnimationFrame(frame)
        }
        const timer = (): void => {
          counts.timers++
          look()
          if (!enough() && !load.isExhausted) setTimeout(timer, 0)
        }
        frame()
        timer()
        port1.postMessage(0)
      })
      expect([load.isExhausted, enough()]).toEqual([false, true])
    } finally {
      port1.close()
      await load.end()
    }
  })
})

describe('a worker whose actors are at full load', () => {
  async function startWorker(): Promise<(request: Request) => Promise<Answer>> {
    const worker = new Worker(new URL('./responsiveness-worker.browser.ts', import.meta.url), { type: 'module' })
    onTestFinished(() => worker.terminate())
    const send = async (request: Request): Promise<Answer> => {
      const answered = event(worker, 'message')
      worker.postMessage(request)
      return ((await answered) as MessageEvent<Answer>).data
    }
    await send('load')
    return send
  }

  test('answers what is posted to it', async () => {
    const send = await startWorker()
    const answers: Answer[] = []
    for (let i = 0; i < ROUNDS; i++) answers.push(await send('answer'))
    const last = await send('end')
    expect(answers.at(-1)!.handled).toBeGreaterThan(answers[0]!.handled)
    expect(last.isExhausted).toBe(false)
  })

  test('has its timers', async () => {
    const send = await startWorker()
    const before = await send('answer')
    const after = await send('timers')
    const last = await send('end')
    expect(after.handled).toBeGreaterThan(before.handled)
    expect(last.isExhausted).toBe(false)
  })

  test('leaves the page its frames', async () => {
    const send = await startWorker()
    for (let i = 0; i < ROUNDS; i++) await new Promise((resolve) => requestAnimationFrame(resolve))
    expect((await send('end')).isExhausted).toBe(false)
  })
})
