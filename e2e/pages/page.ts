// The page of the end-to-end tests: a lab, and the worker it may start.

import { Lab } from './lab.mjs'

const createWorker = (isPatient: boolean): Worker =>
  isPatient
    ? new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'patient' })
    : new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })

globalThis.lab = new Lab({ createWorker })
