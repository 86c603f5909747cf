/** Which nodes a node tells about itself, as its configuration says. Apart from those who hold to it: browsers load them later. */

/**
 * Nodes, apart from itself, that a node tells about itself: relays, and neighbours whose link comes from this machine;
 * relays only; every node of the cluster; or none, relays included.
 */
export type InspectionRule = 'this-machine' | 'relays' | 'all' | 'none'

/** All of them. */
export const INSPECTION_RULES: readonly InspectionRule[] = ['this-machine', 'relays', 'all', 'none']

/** What a node's limits say of it. */
export interface InspectionLimits {
  readonly inspect: InspectionRule
  /** Whether those nodes may also stop actors. Relays among them may where this node lets in nobody without a token. */
  readonly management: boolean
}
