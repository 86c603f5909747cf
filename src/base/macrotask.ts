/**
 * "After this turn of the event loop": runs a callback as soon as the platform has handled what is already waiting
 * (input, sockets, timers), without the delay browsers put on nested timers.
 */

let post: ((callback: () => void) => void) | undefined

export function macrotask(callback: () => void): void {
  post ??= choosePost()
  post(callback)
}

function choosePost(): (callback: () => void) => void {
  const immediate = (globalThis as { setImmediate?: (callback: () => void) => unknown }).setImmediate
  if (typeof immediate === 'function') return (callback) => void immediate(callback)
  const channel = new MessageChannel()
  const callbacks: (() => void)[] = []
  ;(channel.port1 as unknown as { onmessage: () => void }).onmessage = () => callbacks.shift()?.()
  return (callback) => {
    callbacks.push(callback)
    channel.port2.postMessage(0)
  }
}
