/** `pulsing/testkit`: what tests of actors and of transports need; no test framework in it. */
export { ManualClock } from '../testkit/manual-clock.ts'
export type { Saboteur } from '../testkit/saboteur.ts'
export { saboteurs } from '../testkit/saboteur.ts'
export type { ConnectionPair, TransportCase, TransportCaseOptions } from '../testkit/transport-cases.ts'
export { transportCases } from '../testkit/transport-cases.ts'
export type { MemoryNetwork, MemoryOptions } from '../transport/memory/memory-transport.ts'
export { memoryNetwork, memoryPair } from '../transport/memory/memory-transport.ts'
