/** Probes, which answer who they are, and asks to them. */
import type { Participant } from './participant.ts'

/** Gives `host` a public probe. */
export async function hostProbe(host: Participant, name: string): Promise<void> {
  await host.run(
    async ({ actors, system }, name) => void (await actors.Probe.options({ name, public: true }).local(system)),
    name,
  )
}

/** Has `asker` say `to <name>` to a probe; what it answers, and on which node. */
export function ask(asker: Participant, name: string): Promise<unknown> {
  return asker.run(async ({ actors, system }, name) => {
    const probe = await actors.Probe.resolve(system, name)
    return probe.echo(`to ${name}`)
  }, name)
}
