/** A thousand leaves whose relay is killed. */
import { testReturn } from './light-leaves.ts'

testReturn(
  '1000 leaves of a relay that is killed are found over another one within 10 s, or three times what they took to come',
  { count: 1_000, withinMs: 10_000 },
  { timeout: 120_000 },
)
