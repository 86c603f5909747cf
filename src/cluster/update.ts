/**
 * What nodes tell each other about the cluster, as CBOR arrays: a node's whole record, or one change of it. Every node
 * writes only its own record and numbers its changes, so that news can come twice or by several ways without harm.
 */
import { joinBytes } from '../base/bytes.ts'
import { decodeCbor, encodeCbor, placeOf } from '../base/cbor.ts'
import { describe, ProtocolError } from '../base/errors.ts'
import { isId } from '../base/ids.ts'
import { MAX_NAME_LENGTH } from '../message/address.ts'

export interface NodeSnapshot {
  readonly op: 'node'
  readonly nodeId: string
  readonly version: number
  readonly kind: 'relay' | 'leaf'
  readonly addr: string | undefined
  readonly features: readonly string[]
  readonly classes: readonly string[]
  readonly links: readonly string[]
  readonly names: readonly (readonly [name: string, actorId: string])[]
  /** Whether it is a page nobody sees now. */
  readonly isHidden: boolean
  /** Neighbours whose platform answers it, and whose program does not. */
  readonly suspended?: readonly string[]
}

/**
 * One change of a node's record: a neighbour came or went, a public name appeared (`actorId`) or went (undefined), its
 * page was hidden or shown.
 */
export type NodeChange =
  | {
      readonly op: 'link'
      readonly nodeId: string
      readonly version: number
      readonly other: string
      readonly isUp: boolean
      /** Its platform answers, and its program does not. */
      readonly isSuspended?: boolean
    }
  | {
      readonly op: 'name'
      readonly nodeId: string
      readonly version: number
      readonly name: string
      readonly actorId: string | undefined
    }
  | {
      readonly op: 'state'
      readonly nodeId: string
      readonly version: number
      readonly isHidden: boolean
    }

/** News, that a node has ended, a request for a node's whole record, or the end of what a new neighbour is told first. */
export type Update =
  | NodeSnapshot
  | NodeChange
  | { readonly op: 'want'; readonly nodeId: string }
  | { readonly op: 'gone'; readonly nodeId: string }
  | { readonly op: 'synced' }

const MAX_UPDATES = 1024
/** Updates that go into one frame. */
const UPDATES_PER_FRAME = 64
/** Their bytes, unless one alone has more: so that no reader finds a frame too large, or too many items in it. */
const UPDATE_BYTES_PER_FRAME = 64 * 1024
/** Neighbours of a node, and public names: its record is to fit into what a reader takes. */
export const MAX_LINKS = 20_000
export const MAX_NAMES = 10_000
/** Its features, and its classes. */
const MAX_LIST = 1_000
const MAX_TEXT = 256
const HIDDEN = 'hidden'
const VISIBLE = 'visible'
const SUSPENDED = 'suspended'

export function encodeUpdates(updates: readonly Update[]): Uint8Array {
  return joinUpdates(updates.map(encodeUpdate))
}

export function encodeUpdate(update: Update): Uint8Array {
  return encodeCbor(toArray(update))
}

/** Updates that are encoded already, as payloads of as many frames as they need. */
export function packUpdates(updates: readonly Uint8Array[]): Uint8Array[] {
  const payloads: Uint8Array[] = []
  let start = 0
  let bytes = 0
  for (const [i, { byteLength }] of updates.entries()) {
    if (i > start && (i - start === UPDATES_PER_FRAME || bytes + byteLength > UPDATE_BYTES_PER_FRAME)) {
      payloads.push(joinUpdates(updates.slice(start, i)))
      start = i
      bytes = 0
    }
    bytes += byteLength
  }
  if (start < updates.length) payloads.push(joinUpdates(updates.slice(start)))
  return payloads
}

function joinUpdates(updates: readonly Uint8Array[]): Uint8Array {
  const count = updates.length
  const head = count < 24 ? [0x80 | count] : count < 256 ? [0x98, count] : [0x99, count >> 8, count & 0xff]
  return joinBytes([Uint8Array.of(...head), ...updates])
}

/** @throws ProtocolError naming what is not as it must be */
export function decodeUpdates(bytes: Uint8Array): Update[] {
  let value: unknown
  try {
    value = decodeCbor(bytes)
  } catch (cause) {
    throw new ProtocolError('expected cluster updates as CBOR array, got bytes that are none', {
      cause,
      ...placeOf(cause),
    })
  }
  if (!Array.isArray(value) || value.length > MAX_UPDATES)
    throw new ProtocolError(`expected at most ${MAX_UPDATES} cluster updates, got ${describe(value)}`)
  return value.map(fromArray)
}

function toArray(update: Update): unknown[] {
  switch (update.op) {
    case 'node': {
      const { nodeId, version, kind, addr, features, classes, links, names, isHidden, suspended = [] } = update
      const record = ['node', nodeId, version, kind, addr ?? null, features, classes, links, names]
      if (suspended.length > 0) return [...record, isHidden ? HIDDEN : VISIBLE, suspended]
      return isHidden ? [...record, HIDDEN] : record
    }
    case 'link':
      return update.isSuspended
        ? ['link', update.nodeId, update.version, update.other, update.isUp, SUSPENDED]
        : ['link', update.nodeId, update.version, update.other, update.isUp]
    case 'name':
      return ['name', update.nodeId, update.version, update.name, update.actorId ?? null]
    case 'state':
      return ['state', update.nodeId, update.version, update.isHidden ? HIDDEN : VISIBLE]
    case 'want':
    case 'gone':
      return [update.op, update.nodeId]
    default:
      return ['synced']
  }
}

function fromArray(value: unknown): Update {
  const [op, nodeId, version, ...rest]: unknown[] = Array.isArray(value) ? value : []
  if (op === 'synced') return { op }
  if (!isId(nodeId)) throw new ProtocolError(`expected a node id in a cluster update, got ${describe(nodeId)}`)
  if (op === 'want' || op === 'gone') return { op, nodeId }
  if (!Number.isSafeInteger(version) || (version as number) < 1)
    throw new ProtocolError(`expected a version in a cluster update, got ${describe(version)}`)
  const head = { nodeId, version: version as number }
  switch (op) {
    case 'node': {
      const [kind, addr, features, classes, links, names, state, suspended = []] = rest
      if (kind !== 'relay' && kind !== 'leaf')
        throw new ProtocolError(`expected kind "relay" or "leaf", got ${describe(kind)}`)
      if (addr !== null && !isText(addr)) throw new ProtocolError(`expected an address or null, got ${describe(addr)}`)
      return {
        op,
        ...head,
        kind,
        addr: addr ?? undefined,
        features: list(features, isText),
        classes: list(classes, isText),
        links: list(links, isId, MAX_LINKS),
        names: list(names, isNameEntry, MAX_NAMES),
        isHidden: state === HIDDEN,
        suspended: list(suspended, isId, MAX_LINKS),
      }
    }
    case 'link': {
      const [other, isUp, state] = rest
      if (!isId(other) || typeof isUp !== 'boolean')
        throw new ProtocolError(`expected a neighbour and its state, got ${describe(rest)}`)
      return { op, ...head, other, isUp, isSuspended: state === SUSPENDED }
    }
    case 'name': {
      const [name, actorId] = rest
      if (!isName(name) || (actorId !== null && !isId(actorId)))
        throw new ProtocolError(`expected a name and an actor id or null, got ${describe(rest)}`)
      return { op, ...head, name, actorId: actorId ?? undefined }
    }
    case 'state':
      // A state that is not known is none of those that matter.
      return { op, ...head, isHidden: rest[0] === HIDDEN }
    default:
      throw new ProtocolError(`expected a cluster update, got ${describe(op)}`)
  }
}

function list<T>(value: unknown, isItem: (item: unknown) => item is T, max: number = MAX_LIST): T[] {
  if (!Array.isArray(value) || value.length > max || !value.every(isItem))
    throw new ProtocolError(`expected a list of at most ${max} well-formed entries, got ${describe(value)}`)
  return value
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME_LENGTH
}

function isNameEntry(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && isName(value[0]) && isId(value[1])
}
