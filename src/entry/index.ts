/** `pulsing` in browsers: pages and workers. */
export * from './public.ts'
export { createActorSystem } from '../system.browser.ts'
