/**
 * Which web pages may open a WebSocket to a listener. Browsers send `Origin` and let no page forge it; programs outside
 * a browser send none and are not what this protects from.
 *
 * The default trusts pages of this machine only. Comparing `Origin` with `Host` would not do: a page whose name is made
 * to resolve to a private address (DNS rebinding) sends the same name in both.
 */
const LOOPBACK_HOSTS: ReadonlySet<string> = /* @__PURE__ */ new Set(['localhost', '127.0.0.1', '[::1]'])

/** What is known of a request before it becomes a WebSocket. */
export interface Visitor {
  /** The `Origin` header; undefined for programs that are no browsers. */
  readonly origin: string | undefined
  /** The address of the other end of the TCP connection. */
  readonly remoteAddress: string | undefined
}

/**
 * @param allowed exact origins (`https://app.example`), or `'*'`; undefined: pages of `localhost`, `127.0.0.1` and `[::1]`, from this machine
 */
export function admits(allowed: readonly string[] | '*' | undefined, visitor: Visitor): boolean {
  const { origin, remoteAddress } = visitor
  if (origin === undefined || allowed === '*') return true
  if (allowed !== undefined) return allowed.includes(origin)
  return isLoopbackAddress(remoteAddress) && isLoopbackOrigin(origin)
}

/** Whether it is a program of this machine, or a page that this machine serves to one. */
export function isLocal(visitor: Visitor): boolean {
  return isLoopbackAddress(visitor.remoteAddress) && admits(undefined, visitor)
}

function isLoopbackOrigin(origin: string): boolean {
  return URL.canParse(origin) && LOOPBACK_HOSTS.has(new URL(origin).hostname)
}

function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false
  return address === '::1' || /^(::ffff:)?127\./.test(address)
}
