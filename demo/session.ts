/** This tab's place in the cluster: the page is one node, dialling the relay; its worker another, linked to the page. */
import { type ActorSystem, createActorSystem, SystemConfig } from 'pulsing'
import { webRTC } from 'pulsing/webrtc'
import { introduce } from './card.ts'

const RELAY_PATH = '/pulsing'
/** A tab that is closed takes its worker along, and nobody says so: a person does not wait long to be told. */
const GRACE_MS = 3_000

export interface Session {
  readonly system: ActorSystem
  /** Four hexadecimal digits, new for every load of the page. */
  readonly tab: string
}

/** Resolves when the relay has let this page in. Without a relay it goes on trying. */
export async function openSession(): Promise<Session> {
  const tab = newTabId()
  const config = SystemConfig.withSeeds([relayAddress()])
    .withTransports(webRTC())
    .withLimits({ sessionGraceMs: GRACE_MS })
  const system = await createActorSystem(config)
  const worker = new Worker(new URL('./word-count.worker.ts', import.meta.url), { type: 'module', name: tab })
  // A tab that goes away says so, instead of leaving it to others to find out.
  addEventListener('pagehide', () => {
    void system.shutdown()
    worker.terminate()
  })
  await introduce(system, { role: 'tab', tab })
  await system.connect(worker)
  return { system, tab }
}

/** Whether the relay is reached right now. */
export function isConnected(system: ActorSystem): boolean {
  return system.members().some(({ kind }) => kind === 'relay')
}

/** The relay is on the page's own server. Seeds name their port. */
function relayAddress(): string {
  const { protocol, hostname, port } = location
  const isSecure = protocol === 'https:'
  return `${isSecure ? 'wss' : 'ws'}://${hostname}:${port || (isSecure ? 443 : 80)}${RELAY_PATH}`
}

function newTabId(): string {
  const [number = 0] = crypto.getRandomValues(new Uint16Array(1))
  return number.toString(16).padStart(4, '0')
}
