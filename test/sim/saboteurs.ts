/**
 * What ships, broken on purpose, in one place each: the simulation must find every one of them, or it proves nothing. A
 * saboteur that later repairs of the protocol make harmless proves nothing either, and belongs out of the list.
 */
import { Mailbox } from '../../src/actor/mailbox.ts'
import { Deadlines } from '../../src/base/deadlines.ts'
import { Heartbeat } from '../../src/link/heartbeat.ts'
import { Link } from '../../src/link/link.ts'
import { InboundStream } from '../../src/remote/inbound-stream.ts'
import { OutboundStream } from '../../src/remote/outbound-stream.ts'
import { noWay, Peers } from '../../src/remote/peers.ts'
import { SendLog } from '../../src/remote/send-log.ts'
import { Sequence } from '../../src/remote/sequence.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { changeOwners, type OwnerChange } from './session-tap.ts'
// The measures must be inside of what is broken here.
import './measures.ts'

/** A way to break what ships. */
export interface Saboteur {
  readonly name: string
  /** Begins; the returned function ends it. */
  begin(): () => void
}

type Methods<T> = { [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] }

/** Puts a method in the place of another, which it is given. */
function replaces<T extends object, K extends keyof Methods<T> & string>(
  name: string,
  { prototype }: { readonly prototype: T },
  method: K,
  make: (original: T[K]) => T[K],
): Saboteur {
  return {
    name,
    begin: () => {
      const original = prototype[method]
      prototype[method] = make(original)
      return () => {
        prototype[method] = original
      }
    },
  }
}

/** Puts a getter in the place of another, which it is given. */
function misreads<T extends object, K extends keyof T & string>(
  name: string,
  { prototype }: { readonly prototype: T },
  property: K,
  make: (self: T, original: () => T[K]) => T[K],
): Saboteur {
  return {
    name,
    begin: () => {
      const original = Object.getOwnPropertyDescriptor(prototype, property)!
      Object.defineProperty(prototype, property, {
        ...original,
        get(this: T) {
          return make(this, () => original.get!.call(this) as T[K])
        },
      })
      return () => void Object.defineProperty(prototype, property, original)
    },
  }
}

/** Changes what sessions find around them. */
function surrounds(name: string, change: OwnerChange): Saboteur {
  return {
    name,
    begin: () => {
      changeOwners(change)
      return () => changeOwners(undefined)
    },
  }
}

/** Logs of which the last frame is left out when they are sent again. */
const shortened = new WeakMap<SendLog, number>()

export const saboteurs: readonly Saboteur[] = [
  misreads('acknowledges a frame that has not come yet', Sequence, 'received', (_, original) => original() + 1),
  replaces(
    'acknowledges, to itself, one frame more than the peer did',
    SendLog,
    'acknowledge',
    (acknowledge) =>
      function (this: SendLog, seq) {
        acknowledge.call(this, seq + 1)
      },
  ),
  replaces(
    'sends again from the second frame on',
    SendLog,
    'rewind',
    (rewind) =>
      function (this: SendLog) {
        rewind.call(this)
        if (this.size > 0) this.markSent(this.unsent!)
      },
  ),
  {
    name: 'sends all again but the last frame',
    begin: () => {
      const ends = [
        replaces(
          '',
          SendLog,
          'rewind',
          (rewind) =>
            function (this: SendLog) {
              rewind.call(this)
              shortened.set(this, this.first! + this.size - 1)
            },
        ).begin(),
        misreads('', SendLog, 'unsent', (log, original) => {
          const unsent = original()
          if (unsent === undefined || unsent.seq !== shortened.get(log)) return unsent
          log.markSent(unsent)
          return original()
        }).begin(),
      ]
      return () => ends.forEach((end) => void end())
    },
  },
  replaces(
    'takes a frame that was taken before',
    Sequence,
    'arrive',
    (arrive) =>
      function (this: Sequence<unknown>, session, seq) {
        const arrival = arrive.call(this, session, seq)
        return arrival === 'drop' && seq <= this.received ? 'deliver' : arrival
      },
  ),
  replaces(
    'takes a frame before those it waits for',
    Sequence,
    'arrive',
    (arrive) =>
      function (this: Sequence<unknown>, session, seq) {
        const arrival = arrive.call(this, session, seq)
        return arrival === 'hold' ? 'deliver' : arrival
      },
  ),
  {
    name: 'delivers frames that waited in the wrong order',
    begin: () => {
      const released = new WeakMap<object, unknown[]>()
      return replaces(
        '',
        Sequence,
        'release',
        (release) =>
          function (this: Sequence<unknown>) {
            const left = released.get(this) ?? []
            released.set(this, left)
            if (left.length === 0)
              for (let frame = release.call(this); frame !== undefined; frame = release.call(this)) left.push(frame)
            return left.pop()
          },
      ).begin()
    },
  },
  surrounds('forgets a reset', () => ({ ended: () => undefined })),
  surrounds('says of everything that it was not sent', (owner) => ({ ended: (error) => owner.ended(error, 0) })),
  surrounds('does not hear that the caller gave up', (owner) => ({
    deliver: (frame) => {
      if (frame.kind !== FRAME.cancel) owner.deliver(frame)
    },
  })),
  replaces(
    'grants credit for an item that was not read',
    OutboundStream,
    'consumed',
    (consumed) =>
      function (this: OutboundStream, items, bytes) {
        consumed.call(this, items + 1, bytes)
      },
  ),
  replaces(
    'grants credit twice',
    OutboundStream,
    'consumed',
    (consumed) =>
      function (this: OutboundStream, items, bytes) {
        consumed.call(this, items, bytes)
        consumed.call(this, 2 * items, 2 * bytes)
      },
  ),
  replaces(
    'forgets to grant the last credit',
    InboundStream,
    'granted',
    (granted) =>
      function (this: InboundStream) {
        granted.call(this)
        this.items--
      },
  ),
  replaces(
    'calls a stream that broke a stream that ended',
    InboundStream,
    'end',
    (end) =>
      function (this: InboundStream) {
        end.call(this, undefined)
      },
  ),
  replaces(
    'keeps what was acknowledged',
    Peers,
    'kept',
    (kept) =>
      function (this: Peers, bytes) {
        if (bytes > 0) kept.call(this, bytes)
      },
  ),
  replaces('keeps no deadline', Deadlines, 'add', () => () => undefined),
  replaces('does not hear that there is room', Link, 'drained', () => () => undefined),
  replaces(
    'never finds a neighbour gone',
    Heartbeat,
    'check',
    (check) =>
      function (this: Heartbeat, now) {
        const verdict = check.call(this, now)
        return verdict === 'gone' ? 'alive' : verdict
      },
  ),
  replaces(
    'gives up a peer as soon as no way leads there',
    Peers,
    'lost',
    () =>
      function (this: Peers, nodeId) {
        this.gone(nodeId, noWay(nodeId))
      },
  ),
  replaces(
    'tells of an end before the last message',
    Mailbox,
    'signal',
    () =>
      function (this: Mailbox, signal) {
        this.putBack(signal)
      },
  ),
]
