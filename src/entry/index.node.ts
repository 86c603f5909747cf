/** `pulsing` in Node.js: as in browsers, and a system can listen. */

export { createActorSystem } from '../system.node.ts'
export * from './public.ts'
