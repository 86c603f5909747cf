/**
 * What happens to a page, told to its node: it is hidden or shown, put aside for "back" (frozen, its sockets closed), taken
 * out again, or gone for good. Workers and Node.js have no such life, and are not followed.
 */

/** What a node does about it. */
export interface PageNode {
  /** Nobody sees the page, or somebody does again. */
  setHidden(isHidden: boolean): void
  /** The page is put aside: links that would keep it from that are given up, and sessions wait. */
  suspend(): void
  /** The page is back, or the network is: links are tried at once. */
  resume(): void
  /** The page is gone for good: the others are told. */
  leave(): void
}

interface EventSource {
  addEventListener(
    type: string,
    listener: (event: { readonly persisted?: boolean }) => void,
    options: { readonly signal: AbortSignal },
  ): void
}

/** The part of a page's globals that is looked at. */
export interface PageLike {
  readonly window?: EventSource
  readonly document?: EventSource & { readonly visibilityState: string }
}

/** Follows a page's life; the returned function ends that. */
export function followPage(node: PageNode, page: PageLike = globalThis as PageLike): () => void {
  const { window, document } = page
  if (!window || !document) return () => undefined
  const listeners = new AbortController()
  const on = (source: EventSource, type: string, listener: (event: { readonly persisted?: boolean }) => void): void =>
    source.addEventListener(type, listener, { signal: listeners.signal })
  const see = (): void => node.setHidden(document.visibilityState === 'hidden')
  see()
  on(document, 'visibilitychange', see)
  on(document, 'resume', () => node.resume())
  on(window, 'online', () => node.resume())
  on(window, 'pagehide', ({ persisted }) => (persisted ? node.suspend() : node.leave()))
  on(window, 'pageshow', ({ persisted }) => {
    if (persisted) node.resume()
  })
  return () => listeners.abort()
}
