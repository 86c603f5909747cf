/** Where others are told to dial a node that is not dialled where it listens: in a container, or behind a proxy. */

/**
 * @param advertised `scheme://host:port/path`; port 0 is the bound one
 * @param bound where the node listens, in the same form
 */
export function advertisedAddress(advertised: string, bound: string): string {
  const [, host, port, path] = partsOf(advertised)
  return `${host}${port === '0' ? partsOf(bound)[2] : port}${path}`
}

const partsOf = (address: string): readonly string[] => /^(\w+:\/\/[^/]*:)(\d+)(.*)$/.exec(address)!
