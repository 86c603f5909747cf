import type { ActorProxy } from './zz-old.ts'
declare class Even<T> {
  other(): ActorProxy<Odd<T[]>>
  value(): T
}
declare class Odd<T> {
  other(): Promise<ActorProxy<Even<{ readonly inner: T }>>>
  value(): T
}
declare const even: ActorProxy<Even<string>>
async function f() {
    const first = await even.other()
    const second = await first.other()
    const v = second.value()
    const fourth = await (await second.other()).other()
    const fv: 0 = fourth.value()
}
