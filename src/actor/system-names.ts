/** How nodes speak to each other's own actor. */

/** The name of the actor every node runs for the others, which serves as its id too. */
export const SYSTEM_ACTOR = 'system/core'
/** Type of a request to create an actor. */
export const CREATE_TYPE = '@create'
/** Type of a request to be answered, with the reason, when an actor has ended; its value is the actor's id. */
export const WATCH_TYPE = '@watch'

/** The public name of the actor that grants exclusive names, on the node that is their authority. */
export const LEASES_ACTOR = 'system/leases'
/** Type of a request for an exclusive name. */
export const ACQUIRE_LEASE_TYPE = '@acquire'
/** Type of a request to keep one. */
export const RENEW_LEASE_TYPE = '@renew'
/** Type of a request that frees one. */
export const RELEASE_LEASE_TYPE = '@free'

/** Types of requests about the node itself that change nothing there. */
export const READ = {
  ping: '@ping',
  health: '@health',
  info: '@info',
  metrics: '@metrics',
  actors: '@actors',
  actor: '@actor',
  members: '@members',
} as const
/** Type of a request to stop an actor. */
export const STOP_TYPE = '@stop'
/** Type of a request to pass one of the above on to another member. */
export const ON_TYPE = '@on'

/** Whether a request is about the node: one that may be passed on, or {@link ON_TYPE} itself. */
export function isInspection(type: string): boolean {
  return type === ON_TYPE || isPassable(type)
}

/** Whether {@link ON_TYPE} passes a request on. */
export function isPassable(type: string): boolean {
  return type === STOP_TYPE || (Object.values(READ) as readonly string[]).includes(type)
}
