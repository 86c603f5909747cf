import type { ActorProxy } from './zz-old.ts'
declare class Even<T> {
  next(): ActorProxy<Odd<T[]>>
  value(): T
}
declare class Odd<T> {
  next(): Promise<ActorProxy<Even<{ readonly inner: T }>>>
  value(): T
}
declare const even: ActorProxy<Even<string>>
async function f() {
    const first = await even.next()
    const second = await first.next()
    const v = second.value()
    const fourth = await (await second.next()).next()
    const fv: 0 = fourth.value()
}
