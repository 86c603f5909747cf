/**
 * What a message port connection can be made of, recognised by shape alone so that one file serves browsers and Node.js:
 * ports, workers seen from outside and from inside, shared workers, frames.
 */
import { ConfigError, describe } from '../../base/errors.ts'

/** A message port of a browser or of `node:worker_threads`. */
export interface PortLike {
  postMessage(message: unknown, transfer: readonly object[]): void
  addEventListener(type: string, listener: (event: PortEvent) => void): void
  removeEventListener(type: string, listener: (event: PortEvent) => void): void
  start(): void
  close(): void
}

export interface PortEvent {
  readonly data?: unknown
  readonly origin?: string
  readonly source?: unknown
}

/** A place to meet the other side before there is a connection. */
export interface MeetingPoint {
  /** A port nobody else uses can become the connection itself; undefined where the user's own messages pass too. */
  readonly port: PortLike | undefined
  /** Whether both sides certainly share one storage partition: a worker and its creator do, frames and holders of a port may not. */
  readonly sharesStorage: boolean
  post(message: unknown, transfer: readonly object[]): void
  /** Hears every message of the other side, the user's own included, and whether the other side can no longer answer. The returned function ends it. */
  listen(heard: (message: unknown) => void, gone: (reason: string) => void): () => void
}

/** A Node.js Worker: an emitter instead of an event target. */
interface EmitterLike {
  postMessage(message: unknown, transfer: readonly object[]): void
  on(name: string, listener: (value: unknown) => void): void
  off(name: string, listener: (value: unknown) => void): void
}

interface WindowLike {
  postMessage(message: unknown, options: { readonly targetOrigin: string; readonly transfer: readonly object[] }): void
}

/** Whether {@link meetingPoint} knows what to do with `endpoint`. */
export function isEndpoint(endpoint: unknown): endpoint is object {
  return isWindow(endpoint) ? (endpoint as unknown) !== globalThis : isPoster(portOf(endpoint))
}

/**
 * Where to meet the other side of an endpoint, or undefined if it is none.
 *
 * @param targetOrigin for windows: the other side's origin; undefined for our own
 * @throws ConfigError when that is needed and there is none
 */
export function meetingPoint(endpoint: unknown, targetOrigin: string | undefined): MeetingPoint | undefined {
  if (!isEndpoint(endpoint)) return undefined
  if (isWindow(endpoint)) return windowPoint(endpoint, targetOrigin ?? ownOrigin())
  const poster = portOf(endpoint) as PortLike | EmitterLike
  return 'addEventListener' in poster ? targetPoint(poster) : emitterPoint(poster)
}

function targetPoint(target: PortLike): MeetingPoint {
  return {
    // Only ports must be started. `parentPort` of Node.js looks like any port; its other side, a Worker, does not.
    port: typeof target.start === 'function' ? target : undefined,
    sharesStorage: typeof target.start !== 'function',
    post: (message, transfer) => target.postMessage(message, transfer),
    listen(heard, gone) {
      const onMessage = (event: PortEvent): void => heard(event.data)
      const onClose = (): void => gone('it is closed')
      // A script that cannot be loaded is reported without the message an error thrown by a script has.
      const onError = (event: object): void => {
        if (!('message' in event)) gone('its script could not be loaded')
      }
      target.addEventListener('message', onMessage)
      target.addEventListener('close', onClose)
      target.addEventListener('error', onError)
      if (typeof target.start === 'function') target.start()
      return () => {
        target.removeEventListener('message', onMessage)
        target.removeEventListener('close', onClose)
        target.removeEventListener('error', onError)
      }
    },
  }
}

function emitterPoint(worker: EmitterLike): MeetingPoint {
  return {
    port: undefined,
    sharesStorage: true,
    post: (message, transfer) => worker.postMessage(message, transfer),
    listen(heard, gone) {
      const onExit = (code: unknown): void => gone(`it exited with code ${String(code)}`)
      worker.on('message', heard)
      worker.on('exit', onExit)
      return () => {
        worker.off('message', heard)
        worker.off('exit', onExit)
      }
    },
  }
}

/** Messages to a window are posted on it, messages from it arrive at our own. */
function windowPoint(window: WindowLike, targetOrigin: string): MeetingPoint {
  const own = globalThis as unknown as Pick<PortLike, 'addEventListener' | 'removeEventListener'>
  return {
    port: undefined,
    sharesStorage: false,
    post: (message, transfer) => window.postMessage(message, { targetOrigin, transfer }),
    listen(heard) {
      const onMessage = (event: PortEvent): void => {
        if (event.source === window && (targetOrigin === '*' || event.origin === targetOrigin)) heard(event.data)
      }
      own.addEventListener('message', onMessage)
      return () => own.removeEventListener('message', onMessage)
    },
  }
}

function ownOrigin(): string {
  const { origin } = globalThis as { readonly origin?: unknown }
  if (typeof origin === 'string' && origin !== 'null') return origin
  throw new ConfigError(
    `expected targetOrigin to be set where the page has no origin of its own, got ${describe(origin)}`,
  )
}

/** Asked first: a window of another origin throws at the touch of most other properties. */
function isWindow(value: unknown): value is WindowLike {
  return typeof value === 'object' && value !== null && (value as { window?: unknown }).window === value
}

function isPoster(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { postMessage, addEventListener, on } = value as Record<string, unknown>
  return typeof postMessage === 'function' && (typeof addEventListener === 'function' || typeof on === 'function')
}

/** The port of a SharedWorker; anything else as it is. */
function portOf(endpoint: unknown): unknown {
  if (typeof endpoint !== 'object' || endpoint === null || 'postMessage' in endpoint || !('port' in endpoint))
    return endpoint
  return endpoint.port
}
