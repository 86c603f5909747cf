/** `pulsing/testkit`: what tests of actors and of transports need; no test framework in it. */
export { ManualClock } from '../testkit/manual-clock.ts'
export type { Saboteur } from '../testkit/saboteur.ts'
export { saboteurs } from '../testkit/saboteur.ts'
export type { ConnectionPair, TransportCase } from '../testkit/transport-cases.ts'
export { transportCases } from '../testkit/transport-cases.ts'
export { memoryNetwork, memoryPair } from '../transport/memory/memory-transport.ts'
