/** Random frames of every kind, and the CBOR array each must be on the wire. */
import fc from 'fast-check'
import { FIELD_TYPES, type FieldName, FRAME, Frame, LAYOUTS } from '../../src/wire/frame.ts'

export const KINDS: readonly number[] = Object.values(FRAME)

const uint = fc.oneof(
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
)
const text = fc.oneof(
  fc.constantFrom(
    '',
    'a'.repeat(32),
    'a'.repeat(33),
    'a'.repeat(64),
    'a'.repeat(65),
    'é'.repeat(40),
    '漢字 🎭 \0 \u{10ffff}',
  ),
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.string({ maxLength: 40 }),
)
const bytes = fc.uint8Array({ maxLength: 300 })

function fieldArbitrary(field: FieldName): fc.Arbitrary<number | string | Uint8Array> {
  if (field === 'hops') return fc.integer({ min: 0, max: 23 })
  const type = FIELD_TYPES[field]
  return type === 'uint' ? uint : type === 'text' ? text : bytes
}

/** A frame of the given kind with random fields. */
export function frameOf(kind: number): fc.Arbitrary<Frame> {
  const fields = LAYOUTS[kind]!
  return fc
    .tuple(...fields.map(fieldArbitrary))
    .map((values) =>
      Object.assign(new Frame(), { kind }, Object.fromEntries(fields.map((field, i) => [field, values[i]]))),
    )
}

export const anyFrame: fc.Arbitrary<Frame> = fc.constantFrom(...KINDS).chain(frameOf)

/** The frame as the array it is on the wire. */
export function asArray(frame: Frame): unknown[] {
  return [frame.kind, ...LAYOUTS[frame.kind]!.map((field) => frame[field])]
}
