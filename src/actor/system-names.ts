/** How nodes speak to each other's own actor. */

/** The name of the actor every node runs for the others, which serves as its id too. */
export const SYSTEM_ACTOR = 'system/core'
/** Type of a request to create an actor. */
export const CREATE_TYPE = '@create'
/** Type of a request to be answered, with the reason, when an actor has ended; its value is the actor's id. */
export const WATCH_TYPE = '@watch'
