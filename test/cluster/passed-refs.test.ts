/** Refs that were passed on: good for as long as the actor lives, whatever becomes of who passed them on. */
import type { ActorRef, Message } from 'pulsing'
import { SystemConfig } from 'pulsing'
import { createTestSystem, ManualClock, simulatedNetwork, type TestSystem } from 'pulsing/testkit'
import { expect, test } from 'vitest'
import { QUIET } from '../system/systems.ts'

test.each([false, true])(
  'a ref works after its introducer and the relay of that have died, silently: %s',
  async (isSilent) => {
    const clock = new ManualClock()
    const network = simulatedNetwork({ clock })
    const start = (host: string, config: SystemConfig): Promise<TestSystem> =>
      network.during(
        createTestSystem({ clock, config: config.withLogger(QUIET).withTransports(network.transport(host)) }),
      )
    const near = await start('near', SystemConfig.withAddr('ws://near:1'))
    const far = await start('far', SystemConfig.withAddr('ws://far:1').withSeeds(['ws://near:1']))
    const introducer = await start('introducer', SystemConfig.withSeeds(['ws://near:1']))
    const [owner, holder] = [
      await start('owner', SystemConfig.withSeeds(['ws://far:1'])),
      await start('holder', SystemConfig.withSeeds(['ws://far:1'])),
    ]
    const refs: ActorRef[] = []
    await holder.system.spawn({ receive: (msg: Message) => void refs.push(msg.toObject<ActorRef>()) }, 'keeps', {
      public: true,
    })
    const secret = await owner.system.spawn({ receive: () => 'secret' })
    // Nobody but the introducer knows of it, and the holder only by way of that.
    await owner.system.spawn({ receive: () => secret }, 'tells', { public: true })
    await network.during(
      (async () => {
        const ref = await (await introducer.system.resolve('tells')).ask<ActorRef>('who')
        await (await introducer.system.resolve('keeps')).ask(ref)
      })(),
    )
    for (const host of ['introducer', 'near']) network.crash(host, { isSilent })
    await clock.advanceAsync(120_000)
    expect(holder.system.members()).toHaveLength(3)
    expect(await network.during(refs[0]!.ask('x'))).toBe('secret')
    await network.during(Promise.all([far, owner, holder, near, introducer].map(({ system }) => system.shutdown())))
  },
)
