/** `pulsing` in Node.js: as in browsers, and a system can listen. */
export * from './public.ts'
export { createActorSystem } from '../system.node.ts'
