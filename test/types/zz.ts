import type { ActorProxy, ProxyMethod, ProxyArguments, ProxyResult, Callback, MethodName, DelayedProxy } from '../../src/actor/actor-proxy.ts'
class O {
  x: any
  get acc() { return 1 }
  opt?(): number
  two(a: string): number
  two(a: number, b?: boolean): string
  two(a: any): any { return a }
  async gen<T>(x: T): Promise<T> { return x }
  sgen<T extends {a: 1}>(x: T, ...r: string[]): T { return x }
  th(this: O, n: number) { return n }
  async ath(this: O, n: number) { return n }
  on(cb: Callback<(n: number) => void>) {}
  async aon(e: string, cb?: Callback<(n: number) => string>) {}
  plain(cb: (n: number) => void) {}
  async bare(x: any, y?: {a: 1} | undefined, ...z: Callback<() => void>[]) {}
  toString() { return '' }
  any(): any {}
  vals(m: Map<string, number>) { return m.values() }
  child(): ActorProxy<O> { return null! }
  async achild(): Promise<ActorProxy<O>> { return null! }
}
declare const p: ActorProxy<O>
const n: 0 = null! as MethodName<O>
const a1: 0 = p.two
const a2: 0 = p.gen
const a3: 0 = p.sgen
const a4: 0 = p.th
const a5: 0 = p.ath
const a6: 0 = p.on
const a7: 0 = p.aon
const a8: 0 = p.plain
const a9: 0 = p.bare
const b1: 0 = p.vals
const b2: 0 = p.child
const b3: 0 = p.achild
const b4: 0 = p.any
const b5: 0 = p.delayed(1).aon
const b6: 0 = p.tell
const b7: 0 = null! as ActorProxy<any>
const b8: 0 = null! as MethodName<any>
p.tell('two', 1, true); p.tell('two', 'x'); p.tell('on', n => n.toFixed())
p.tell('gen', 1)
class G { *letters(n: number): Generator<string> {} }
declare const g: ActorProxy<G>
g.tell('letters', 4)
g.delayed(4).letters(4).cancel()
const c1: 0 = g.letters
function generic<C extends object>(q: ActorProxy<C>, m: MethodName<C>) { void q.ref; void q.delayed(3); const x: 0 = q[m]; return q }
async function f(q: ActorProxy<any>) { const x = q.foo!(1, 2); const y: 0 = await x; for await (const i of q.bar!()) {} ; q.tell('x', 1); q.delayed(3).foo!(3).cancel() }
