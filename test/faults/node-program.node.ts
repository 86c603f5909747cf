/**
 * One node as a program, for `NodeProcess`: `relay <port>` or `leaf <url> <name>`. Says `ready <node id> <address>` when it
 * is up. A leaf hosts a public actor of that name.
 */
import { Actor, type ActorContext, createActorSystem, type Message, SystemConfig } from 'pulsing'
import { startRelay } from 'pulsing/node'

class Host extends Actor {
  #told = 0

  receive(msg: Message, ctx: ActorContext): unknown {
    switch (msg.msgType) {
      case 'note':
        this.#told++
        return undefined
      case 'told':
        return this.#told
      case 'hang':
        process.stdout.write('hanging\n')
        return new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve(undefined)))
      case 'endless':
        return naturals()
      default:
        return msg.toObject()
    }
  }
}

async function* naturals(): AsyncGenerator<number> {
  for (let n = 0; ; n++) yield n
}

const [role, where = '', name = ''] = process.argv.slice(2)
if (role === 'relay') {
  const { system, url } = await startRelay({ port: Number(where) })
  process.stdout.write(`ready ${system.nodeId} ${url}\n`)
} else {
  const system = await createActorSystem(SystemConfig.withSeeds([where]))
  await system.spawn(new Host(), name, { public: true, reentrant: true })
  process.stdout.write(`ready ${system.nodeId} ${where}\n`)
}
