import { expect, test, vi } from 'vitest'
import { simulate } from './simulation.ts'

vi.mock('../../src/base/macrotask.ts', () => import('./turns.ts'))
vi.mock('../../src/base/random.ts', () => import('./seeded-ids.ts'))
vi.mock('../../src/remote/session.ts', async (original) => (await import('./session-tap.ts')).tapped(await original()))

test('x', { timeout: 120_000 }, async () => {
  const n = Number(process.env.N ?? 1)
  const topology = (process.env.T ?? 'pair') as 'pair'
  const from = Number(process.env.FROM ?? 1)
  const started = performance.now()
  let steps = 0,
    bytes = 0,
    endings = 0,
    bad = 0,
    items = 0
  const kinds = new Map<string, string[]>()
  for (let i = from; i < from + n; i++) {
    const o = await simulate(String(i), topology)
    steps += o.steps
    bytes += o.bytes
    endings += o.endings
    items += o.trace.length / 3
    if (process.env.AGAIN) {
      const again = await simulate(String(i), topology)
      const at = o.trace.findIndex((x, k) => x !== again.trace[k])
      if (at >= 0 || again.trace.length !== o.trace.length)
        console.log('DIFFERS', i, at, o.trace.slice(at - 6, at + 3), again.trace.slice(at - 6, at + 3))
    }
    if (o.violations.length) {
      bad++
      const k = o.violations[0]!.replace(/[\d.]+/g, '#')
      kinds.set(k, [...(kinds.get(k) ?? []), String(i)])
    }
    if (process.env.SHOW) {
      for (let k = 0; k < o.trace.length; k += 3) console.log(o.trace.slice(k, k + 3).join(' '))
      console.log(o.violations)
    }
  }
  console.log({ n, bad, ms: performance.now() - started, steps, bytes, endings, items })
  for (const [k, v] of [...kinds].sort((a, b) => b[1].length - a[1].length))
    console.log(v.length, k, v.slice(0, 8).join(','))
})
