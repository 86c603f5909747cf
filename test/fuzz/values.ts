/** Random values of everything that can travel, as they are before and as they must be after. */
import fc from 'fast-check'

const number = fc
  .oneof(
    fc.double(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.constantFrom(
      0,
      23,
      24,
      255,
      256,
      65_535,
      65_536,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 53,
      -1,
      -24,
      -25,
      -(2 ** 31),
      -(2 ** 32),
      NaN,
      Infinity,
      -Infinity,
      5e-324,
    ),
  )
  .map((value) => (Object.is(value, -0) ? 0 : value))

const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ maxLength: 24 }),
    fc.string({ minLength: 60, maxLength: 70 }),
    fc.constantFrom(
      '',
      '\ufeff',
      `\ufeff${'a'.repeat(61)}`,
      `\ufeff${'a'.repeat(62)}`,
      `\ufeff\ufeff${'é'.repeat(80)}`,
      'constructor',
      'then',
      '1',
      'toString',
      'é'.repeat(12),
    ),
  )
  .filter((value) => !/\p{Surrogate}/u.test(value))

const bigint = fc.oneof(
  fc.bigInt({ max: 2n ** 200n, min: -(2n ** 200n) }),
  fc.constantFrom(
    0n,
    -1n,
    2n ** 64n - 1n,
    2n ** 64n,
    -(2n ** 64n),
    -(2n ** 64n) - 1n,
    2n ** 8192n - 1n,
    -(2n ** 8192n),
  ),
)

// Seconds are a float on the wire: beyond this a millisecond is less than what it can tell apart.
const date = fc.date({ min: new Date(-(2 ** 50)), max: new Date(2 ** 50), noInvalidDate: false })

const bytes = fc.uint8Array({ maxLength: 40 })
const views = fc.oneof(
  fc.uint8ClampedArray({ maxLength: 9 }),
  fc.uint16Array({ maxLength: 9 }),
  fc.uint32Array({ maxLength: 9 }),
  fc.int8Array({ maxLength: 9 }),
  fc.int16Array({ maxLength: 9 }),
  fc.int32Array({ maxLength: 9 }),
  fc.float32Array({ maxLength: 9 }),
  fc.float64Array({ maxLength: 9 }),
  fc.bigInt64Array({ maxLength: 9 }),
  fc.bigUint64Array({ maxLength: 9 }),
)

const regExp = fc.constantFrom(/a+b/gi, /^(?<year>\d{4})\/\w*$/u, /\p{Lu}/u, /[/]\n/, /(?:)/)
const error = text.map((message) => new Error(message))

const key = text.filter((name) => name !== '__proto__')

/** Values that arrive as they were, deeply. */
export const { value: anyValue } = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(
    { weight: 4, arbitrary: number },
    { weight: 5, arbitrary: text },
    { weight: 3, arbitrary: fc.constantFrom(undefined, null, true, false) },
    bigint,
    date,
    bytes,
    views,
    regExp,
    error,
  ),
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'values' },
    { weight: 4, arbitrary: tie('leaf') },
    fc.array(tie('value'), { maxLength: 6, depthIdentifier: 'values' }),
    fc.dictionary(key, tie('value'), { maxKeys: 6, depthIdentifier: 'values', noNullPrototype: true }),
    fc.dictionary(key, tie('leaf'), { minKeys: 15, maxKeys: 20, noNullPrototype: true }),
    fc.uniqueArray(tie('leaf'), { maxLength: 6, comparator: 'SameValueZero' }).map((items) => new Set(items)),
    fc
      .uniqueArray(fc.tuple(tie('leaf'), tie('value')), {
        maxLength: 6,
        selector: ([name]) => name,
        comparator: 'SameValueZero',
      })
      .map((entries) => new Map(entries)),
  ),
}))
