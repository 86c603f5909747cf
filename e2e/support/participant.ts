// A node under test, wherever it runs. A story is a function that runs there; it reaches its lab and its argument only.

import type { Lab } from '../pages/lab.mjs'

export interface Participant {
  readonly nodeId: string
  run<R>(story: (lab: Lab) => R | Promise<R>): Promise<R>
  run<R, A>(story: (lab: Lab, arg: A) => R | Promise<R>, arg: A): Promise<R>
}
