/** `pulsing` in browsers: pages and workers. */

export { createActorSystem } from '../system.browser.ts'
export * from './public.ts'
