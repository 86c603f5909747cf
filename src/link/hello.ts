/** The first frame each side sends: who it is, which versions it speaks, what it can do. Checked before anything else is read. */
import { decodeCbor, encodeCbor, placeOf } from '../base/cbor.ts'
import { describe, ProtocolError } from '../base/errors.ts'
import { isId } from '../base/ids.ts'
import { PROTOCOL_VERSION } from '../wire/frame.ts'
import { describeSecret } from './auth-setting.ts'

/** Largest first frame, in bytes. */
export const MAX_HELLO_BYTES = 4096
const MAX_FEATURES = 16
const MAX_FEATURE_LENGTH = 32

export interface Hello {
  readonly nodeId: string
  readonly kind: 'relay' | 'leaf'
  /** Lowest and highest protocol version spoken. */
  readonly versions: readonly [lowest: number, highest: number]
  readonly features: readonly string[]
  readonly token: string | undefined
  /** How many links this node began before: tells which of two is the later one. */
  readonly serial: number
  /** The largest batch it takes, in bytes. */
  readonly maxBatchBytes?: number | undefined
}

export function encodeHello(hello: Hello): Uint8Array {
  const { nodeId, kind, versions, features, token, serial, maxBatchBytes } = hello
  return encodeCbor({
    pulsing: versions,
    node: nodeId,
    kind,
    features,
    serial,
    ...(maxBatchBytes === undefined ? {} : { batch: maxBatchBytes }),
    ...(token === undefined ? {} : { token }),
  })
}

/** Every side takes batches of so many bytes: parts of what is larger fit. */
export const MIN_BATCH_BYTES: number = 64 * 1024

/** @throws ProtocolError naming the first field that is not as it must be */
export function decodeHello(bytes: Uint8Array): Hello {
  if (bytes.byteLength > MAX_HELLO_BYTES)
    throw new ProtocolError(`expected a hello of at most ${MAX_HELLO_BYTES} bytes, got ${bytes.byteLength}`)
  let value: unknown
  try {
    value = decodeCbor(bytes)
  } catch (cause) {
    throw new ProtocolError('expected a hello as CBOR map, got bytes that are none', { cause, ...placeOf(cause) })
  }
  const get = (key: string): unknown =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, key)
      ? (value as Record<string, unknown>)[key]
      : undefined
  const [versions, nodeId, kind, features, token, serial, batch] = [
    get('pulsing'),
    get('node'),
    get('kind'),
    get('features'),
    get('token'),
    get('serial'),
    get('batch'),
  ]
  if (!Array.isArray(versions) || versions.length !== 2 || !versions.every(isVersion))
    throw expected('versions as two integers from 1', versions)
  if (!isId(nodeId)) throw expected('a node id of 22 characters', nodeId)
  if (kind !== 'relay' && kind !== 'leaf') throw expected('kind "relay" or "leaf"', kind)
  if (!Array.isArray(features) || features.length > MAX_FEATURES || !features.every(isFeature))
    throw expected('a list of features', features)
  if (token !== undefined && typeof token !== 'string')
    throw new ProtocolError(`expected in the hello token as text, got ${describeSecret(token)}`)
  if (serial !== undefined && (!Number.isSafeInteger(serial) || (serial as number) < 0))
    throw expected('a serial number', serial)
  if (batch !== undefined && (!Number.isSafeInteger(batch) || (batch as number) < MIN_BATCH_BYTES))
    throw expected(`the bytes of the largest batch, at least ${MIN_BATCH_BYTES}`, batch)
  return {
    versions: versions as [number, number],
    nodeId,
    kind,
    features: features as string[],
    token,
    serial: (serial as number | undefined) ?? 0,
    maxBatchBytes: batch as number | undefined,
  }
}

/** The highest version both sides speak, or undefined. */
export function commonVersion([lowest, highest]: Hello['versions']): number | undefined {
  return lowest <= PROTOCOL_VERSION && PROTOCOL_VERSION <= highest ? PROTOCOL_VERSION : undefined
}

function isVersion(version: unknown): boolean {
  return Number.isSafeInteger(version) && (version as number) >= 1
}

function isFeature(feature: unknown): boolean {
  return typeof feature === 'string' && feature.length <= MAX_FEATURE_LENGTH
}

function expected(what: string, got: unknown): ProtocolError {
  return new ProtocolError(`expected in the hello ${what}, got ${describe(got)}`)
}
