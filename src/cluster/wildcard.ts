/**
 * Addresses that say where a node listens, but not where it can be found. Apart from who asks: the configuration, which
 * takes none to advertise, and the mesh, which dials none.
 */

/** Whether the host of a `ws:` or `wss:` URL, in any notation, stands for all addresses of a machine. */
export function hasWildcardHost(url: string): boolean {
  // URLs write it in one way only: 0.0.0.0 or [::].
  return URL.canParse(url) && /^[[\]:.0]+$/.test(new URL(url).hostname)
}
