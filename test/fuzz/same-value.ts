/** Whether two values are the same, down to −0, invalid dates, the class of a typed array and the order of a Map. */

export function isSameValue(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return false
  if (one instanceof Date) return Object.is(one.getTime(), (other as Date).getTime())
  if (one instanceof RegExp) return String(one) === String(other)
  if (one instanceof Error) return one.name === (other as Error).name && one.message === (other as Error).message
  if (ArrayBuffer.isView(one)) return areSame([...(one as Uint8Array)], [...(other as Uint8Array)])
  if (one instanceof Set) return areSame([...one], [...(other as Set<unknown>)])
  if (one instanceof Map)
    return areSame(
      [...one.keys(), ...one.values()],
      [...(other as typeof one).keys(), ...(other as typeof one).values()],
    )
  if (Array.isArray(one)) return areSame(one, other as unknown[])
  const keys = Object.keys(one)
  return (
    areSame(keys, Object.keys(other)) &&
    areSame(
      keys.map((key) => (one as Record<string, unknown>)[key]),
      keys.map((key) => (other as Record<string, unknown>)[key]),
    )
  )
}

function areSame(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((item, i) => isSameValue(item, others[i]))
}
