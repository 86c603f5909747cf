/** Which nodes a node tells about itself, as its configuration says. Apart from those who hold to it: browsers load them later. */

/**
 * Nodes, apart from itself and relays, that a node tells about itself: neighbours whose link comes from this machine,
 * every node of the cluster, or none.
 */
export type InspectionRule = 'this-machine' | 'all' | 'none'

/** All of them. */
export const INSPECTION_RULES: readonly InspectionRule[] = ['this-machine', 'all', 'none']

/** What a node's limits say of it. */
export interface InspectionLimits {
  readonly inspect: InspectionRule
  /** Whether those nodes may also stop actors. */
  readonly management: boolean
}
