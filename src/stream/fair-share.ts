/**
 * Streams inside a process run on promises alone, and would keep the event loop from everything else for as long as
 * there are items: now and then a reader lets the loop have its turn. The count belongs to the event loop, hence to the
 * module; a second copy of it does no harm.
 */
import { macrotask } from '../base/macrotask.ts'

/** Items after which the clock is read. */
const ITEMS_PER_LOOK = 256
/** Milliseconds of items after which the event loop gets its turn. */
const MAX_SLICE_MS = 4

let items = 0
let sliceStartedAt = 0

/** Called for every item; the turn to wait for before it is handed over, if it is time for one. */
export function dueTurn(): Promise<void> | undefined {
  if (++items < ITEMS_PER_LOOK) return undefined
  items = 0
  if (performance.now() - sliceStartedAt < MAX_SLICE_MS) return undefined
  return new Promise((resolve) =>
    macrotask(() => {
      sliceStartedAt = performance.now()
      resolve()
    }),
  )
}
