import { expect, test } from 'vitest'
import { asActor, DeadlockError } from 'pulsing'
import { obedient, outcomeOf, startLab } from './supervision-lab.ts'
import { stateOf } from './systems.ts'
test('delayed survives', async () => {
  const { system, clock, log } = await startLab()
  const A = asActor(class A { hi() { log.push('hi') } boom() { throw new Error('x') } })
  const a = await A.options({ restart: { policy: 'on-failure', methodErrors: 'failure', minBackoffMs: 0 } }).local(system)
  a.delayed(1000).hi()
  await outcomeOf(a.boom())
  await clock.advanceAsync(5000)
  console.log(log)
})
