/** Four readers of the same bytes: ours, by its short way and its long one, the reference, and the library as browsers have it. */
import { Encoder } from 'cbor-x/index-no-eval'
import { decodeCbor, decodeCborReferences } from '../../src/base/cbor.ts'
import { scanCbor } from '../../src/base/cbor-scan.ts'
import { ProtocolError } from '../../src/base/errors.ts'
import { hexOf } from './fuzz.ts'
import { readReference } from './reference.ts'
import { isSameValue } from './same-value.ts'

/** The value of some bytes as a reader of ours has it; a ProtocolError as it must be, and nothing else, for undefined. */
function read(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown): { readonly value: unknown } | undefined {
  try {
    return { value: decode(bytes) }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    const { offset = -1, message } = error
    if (offset < 0 || offset > bytes.length || !/^expected one CBOR value, got .* at byte/.test(message))
      throw new RangeError(`${message}, offset ${offset}`)
    return undefined
  }
}

/** The library as browsers have it, where no native part reads texts. */
const inBrowsers = new Encoder({ useRecords: false, copyBuffers: true } as object)

/**
 * Reads some bytes, which are overwritten then.
 *
 * @returns whether they are a value
 * @throws RangeError where the readers do not agree, or ours does anything but read or refuse
 */
export function expectAgreement(bytes: Uint8Array): boolean {
  const copy = bytes.slice()
  const got = read(bytes, decodeCbor)
  const gotByTheLongWay = read(bytes, (all) => decodeCborReferences(all).value)
  const reference = readReference(copy)
  if (!isSameValue(got, gotByTheLongWay)) throw new RangeError(`${hexOf(copy)} is another value by the long way`)
  if ((got === undefined) !== (reference === undefined))
    throw new RangeError(
      `${hexOf(copy)} is ${got ? 'taken' : 'refused'}, the reference says otherwise: ${scanCbor(copy).problem}`,
    )
  if (!isSameValue(bytes, copy) || Object.keys(bytes).length !== bytes.length)
    throw new RangeError(`reading ${hexOf(copy)} changed it`)
  const { marks, hasReferences } = scanCbor(copy)
  if (got && !marks && !hasReferences && !isSameValue(inBrowsers.decode(copy), got.value))
    throw new RangeError(`${hexOf(copy)} is read as another value in browsers`)
  // What was read is nobody else's.
  bytes.fill(0xff)
  if (!isSameValue(got, reference)) throw new RangeError(`${hexOf(copy)} is read as another value`)
  return got !== undefined
}
