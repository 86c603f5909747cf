// The actors of the end-to-end tests. They count in their lab, where the specs read it. Types: actors.d.mts.

import { Actor, asActor, contextOf, StreamMessage } from 'pulsing'

/** @param lab the lab whose node the actors run on */
export function actors(lab) {
  const Probe = asActor({ type: 'Probe' })(
    class {
      /** The node this ran on and what came, so that the caller knows who answered. */
      echo(value) {
        return { nodeId: contextOf(this).system.nodeId, value }
      }

      /** Asks the actor behind a ref that came in a message. */
      askOther(ref, value) {
        return ref.asType(Probe).echo(value)
      }

      note(value) {
        lab.note(value)
      }

      fail(message) {
        throw new TypeError(message)
      }

      /** Answers once its lab counted `name`. */
      async answerAfter(name, value) {
        lab.count('waiting')
        await lab.until(() => lab.counted(name) > 0)
        return value
      }
    },
  )

  /** Answers never; ends when its caller gave up, or it is stopped. */
  class Silent extends Actor {
    receive(_, { signal }) {
      lab.count('hanging')
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          lab.count('gaveUp')
          reject(signal.reason)
        })
      })
    }
  }

  /** Sends every message back as it came. */
  class Mirror extends Actor {
    receive(msg) {
      return msg
    }
  }

  /** Reads the stream it is sent as far as its lab allows, and answers what came. */
  class Sink extends Actor {
    async receive(msg) {
      const outcome = await lab.outcomeOf(() => lab.drain(msg.streamReader()))
      lab.kept.drained = outcome
      lab.count('drained')
      return outcome
    }
  }

  /** Reads so many items of the stream it is sent, then leaves the loop. */
  class Taster extends Actor {
    async receive(msg) {
      for await (const _ of msg.streamReader()) {
        lab.count('read')
        if (lab.counted('read') === lab.allowedReads) break
      }
      return 'enough'
    }
  }

  /** Answers with a stream of chunks. */
  class Source extends Actor {
    receive(msg) {
      const { bufferSize, ...chunks } = msg.toObject()
      const [reply, writer] = StreamMessage.create('chunks', bufferSize)
      lab.begin('poured', () => lab.pour(writer, chunks))
      return reply
    }
  }

  return { Probe, Silent, Mirror, Sink, Taster, Source }
}
