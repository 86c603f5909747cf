/** Numbers as people read them. */

const KIB = 1024
const MIB = KIB * KIB

const whole = new Intl.NumberFormat('en')
const oneDigit = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 })

export function formatNumber(value: number): string {
  return whole.format(value)
}

/** `512 B`, `96 KiB`, `12.5 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < KIB) return `${bytes} B`
  if (bytes < MIB) return `${whole.format(Math.round(bytes / KIB))} KiB`
  return `${oneDigit.format(bytes / MIB)} MiB`
}

export function formatSpeed(bytesPerSecond: number): string {
  return `${oneDigit.format(bytesPerSecond / MIB)} MiB/s`
}

export function formatCount(count: number, noun: string): string {
  return `${whole.format(count)} ${noun}${count === 1 ? '' : 's'}`
}
