import { asActor, Message, StreamMessage, StreamReader } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { Lab, isKind, settle, until } from '../remote/lab.ts'
import { MAX_CALLBACKS } from '../../src/remote/lent-callbacks.ts'
import { afterCollection, collectAll } from './garbage.ts'
import { PLACES } from './places.ts'
import { FRAME } from '../../src/wire/frame.ts'

const out = (p: Promise<unknown>) => p.then((v) => v, (e) => e)

test('late reply nested stream', async () => {
  const lab = new Lab()
  let returned = 0
  const ref = await lab.b.host(() => ({ items: (async function* () { try { for (;;) yield 1 } finally { returned++ } })() }))
  const c = new AbortController()
  const held: any[] = []
  lab.fate = (f, from) => { if (from === lab.b && f.kind === FRAME.reply) { held.push(f); return [] } if (from===lab.b) {held.push(f); return []} return [f] }
  const asked = out(ref.ask('x', { signal: c.signal }))
  await until(() => held.length > 0)
  await settle()
  c.abort()
  await asked
  await settle()
  lab.fate = (f) => [f]
  for (const f of held) lab.deliver(f, lab.b)
  await settle(20)
  await collectAll()
  await settle(20)
  console.log('late reply nested', returned, lab.b.association.pending)
})

test('item nested in flight', async () => {
  const lab = new Lab()
  let returned = 0
  const ref = await lab.b.host(() => (async function* () {
    for (;;) yield { inner: (async function* () { try { for (;;) yield 1 } finally { returned++ } })() }
  })())
  const r = ref.askStream<any>('x')
  await r.next()
  await r.cancel()
  await settle(20)
  await collectAll()
  await settle(20)
  console.log('item nested', returned, lab.b.association.pending, lab.a.association.pending)
})

test('callback limit', async () => {
  const lab = new Lab()
  const kept: any[] = []
  const ref = await lab.b.host((msg) => void kept.push(msg.toObject()))
  for (let i = 0; i < MAX_CALLBACKS; i += 1000) await ref.ask(Array.from({ length: 1000 }, () => () => 1))
  const e: any = await out(ref.ask(() => 1))
  console.log('limit', e?.name, e?.message, e?.cause?.name)
})

test('delayed inspect', async () => {
  const lab = new Lab()
  class C { inspect() { return 1 } }
  const ref = await lab.a.runtime.spawn(() => new (asActor(C))() as any, undefined, undefined)
  try { (ref.asType(C) as any).delayed(5).inspect() ; console.log('ok')} catch (e) { console.log('delayed inspect', String(e)) }
})

test('double dispose dead letters', async () => {
  const lab = new Lab()
  let cb: any
  class C { take(f: any) { cb = f } }
  const ref = await lab.a.runtime.spawn(() => new (asActor(C))() as any, undefined, undefined)
  await (ref.asType(C) as any).take(() => 1)
  cb[Symbol.dispose](); await settle(); cb[Symbol.dispose](); await settle()
  console.log('double dispose', lab.a.deadLetters)
})

test('class actor keeps last message', async () => {
  const lab = new Lab()
  class C { take(_f: any) { } other() {} }
  const ref = await lab.a.runtime.spawn(() => new (asActor(C))() as any, undefined, undefined)
  const p = ref.asType(C) as any
  const writer = await (async () => { const [m, w] = StreamMessage.create(); await p.take(m.streamReader()); void w.signal; return w })()
  await collectAll()
  console.log('after ignored arg', writer.signal.aborted)
  await p.other()
  await collectAll()
  console.log('after next call', writer.signal.aborted)
})

test('class pass-through backpressure', async () => {
  const lab = new Lab()
  class C { pass(f: any) { return f } }
  for (const kind of ['class', 'fn']) {
    const ref = kind === 'class' ? await lab.b.runtime.spawn(() => new (asActor(C))() as any, undefined, undefined) : await lab.b.runtime.spawn({ receive: (m) => (m.toObject() as any)[1][0] }, undefined, undefined)
    const remote = lab.a.peers.refTo(ref.nodeId, ref.id, undefined)
    const [m, w] = StreamMessage.create<number>('', 2)
    const reader: any = await (remote.asAny() as any).pass(m.streamReader())
    let written = 0
    void (async () => { for (let i = 0; i < 100; i++) { await w.write(i); written++ } })()
    await settle(30)
    console.log(kind, 'written', written)
    await reader.next()
    await settle(30)
    console.log(kind, 'written after 1', written)
    await reader.cancel()
  }
})

test('remote delayed and close', async () => {
  const lab = new Lab()
  class C { tick() { } }
  const ref = await lab.b.runtime.spawn(() => new (asActor(C))() as any, undefined, undefined)
  const p = lab.a.peers.refTo(ref.nodeId, ref.id, undefined).asType(C) as any
  p.delayed(100000).tick()
  try { p.delayed(NaN).tick(); console.log('no error for NaN') } catch (e) { console.log(String(e)) }
  try { p.delayed(-1).tick(); console.log('no error for -1') } catch (e) { console.log(String(e)) }
  console.log('pending', lab.clock.pending, lab.a.runtime.census())
  await lab.a.runtime.close()
  lab.a.peers.close(new Error('x') as any)
  console.log('pending after close', lab.clock.pending)
})

test('10001 streams', async () => {
  const lab = new Lab()
  const ref = await lab.b.host(() => (async function* () { yield 1; await new Promise(() => 0) })())
  const keep = []
  const results: any = {}
  for (let i = 0; i < 10_001; i++) { const r = ref.askStream('x'); keep.push(r); }
  const firsts = await Promise.all(keep.map(r => out(r.next())))
  for (const f of firsts as any[]) results[f?.name ?? 'ok'] = (results[f?.name ?? 'ok'] ?? 0) + 1
  console.log(results, (firsts.find((f: any) => f instanceof Error) as any)?.message)
}, 60000)

test('pending counted', async () => {
  const lab = new Lab()
  const ref = await lab.b.host((m) => m.toObject())
  for (const v of [new WeakMap(), new ReadableStream(), (() => { const r = new ReadableStream(); r.getReader(); return r })(), { f: () => 1, bad: Symbol('x') }]) {
    const e: any = await out(ref.ask(v))
    console.log(e?.name ?? e, e?.message)
  }
})
test('item nested truly in flight', async () => {
  const lab = new Lab()
  const ref = await lab.b.host(() => (async function* () {
    for (;;) yield { inner: (async function* () { for (;;) yield 1 })(), cb: () => 1 }
  })())
  const held: any[] = []
  lab.fate = (f, from) => { if (from === lab.b && f.seq >= 3) { held.push(f); return [] } return [f] }
  const r = ref.askStream<any>('x')
  await r.next()
  await settle()
  await r.cancel()
  lab.fate = (f) => [f]
  for (const f of held) lab.deliver(f, lab.b)
  await settle(20)
  await collectAll()
  await settle(20)
  console.log('item nested in flight', lab.b.association.pending, lab.a.association.pending)
})
test('10001 streams in a request', async () => {
  const lab = new Lab()
  const ref = await lab.b.host(() => new Promise(() => 0))
  const reasons: any = {}
  const all = []
  for (let i = 0; i < 10_001; i++) { const [m] = StreamMessage.create(); all.push(out(ref.ask(m, {timeout: Infinity})).then((e: any) => { reasons[e.name + e.message] = (reasons[e.name + e.message] ?? 0) + 1 })) }
  process.once('uncaughtException', (e) => console.log('uncaught', e))
  await settle(50)
  console.log(reasons)
}, 60000)
