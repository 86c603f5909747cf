/** Two thousand leaves whose relay is killed, twice as many as return within 10 s: on two cores the last take some 40 s. */
import { testReturn } from './light-leaves.ts'

testReturn('2000 leaves of a relay that is killed are found over another one before anybody gives them up', {
  count: 2_000,
  withinMs: 60_000,
})
