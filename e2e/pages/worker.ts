// The worker of the end-to-end tests: a node of its own that knows its page and nobody else.

import { Lab } from './lab.mjs'

const lab = new Lab()
globalThis.lab = lab
await lab.start({ isPatient: self.name === 'patient' })
await lab.system.connect(self)
