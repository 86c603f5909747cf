/** `pulsing/testkit`: what tests of actors and of transports need; no test framework in it. */
export { ManualClock } from '../testkit/manual-clock.ts'
