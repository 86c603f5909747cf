/** The same as the platform's own decoder says, wherever in the text, in the array, and in its memory it stands. */
import { expect, test } from 'vitest'
import { findBadUtf8, mendSurrogate } from '../../src/base/utf8.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

function isUtf8(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes)
    return true
  } catch {
    return false
  }
}

test('every text of up to two bytes, and every beginning of three', () => {
  for (let number = 0; number < 65_536; number++) {
    const bytes = Uint8Array.of(number >> 8, number & 255)
    if (findBadUtf8(bytes, 0, 2) < 0 !== isUtf8(bytes)) throw new RangeError(`${bytes}`)
    const three = Uint8Array.of(number >> 8, number & 255, 0x80)
    if (findBadUtf8(three, 0, 3) < 0 !== isUtf8(three)) throw new RangeError(`${three}`)
    const four = Uint8Array.of(0xf0 | (number & 15), number >> 8, 0x80 | ((number >> 4) & 15), 0xbf)
    if (findBadUtf8(four, 0, 4) < 0 !== isUtf8(four)) throw new RangeError(`${four}`)
  }
})

test('texts of all lengths, with one byte that is wrong or none, at all places in memory', () => {
  const random = seededRandom(7)
  const letters = ['a', 'é', '漢', '🎭', 'aaaa', 'b'.repeat(40)].map((letter) => [...Buffer.from(letter)])
  for (let round = 0; round < 5_000; round++) {
    const text: number[] = []
    for (let i = random.int(60); i > 0; i--) text.push(...random.pick(random.int(2) ? letters : letters.slice(0, 1)))
    const shift = random.int(9)
    const memory = new Uint8Array(shift + text.length + 5).fill(0xff)
    memory.set(text, shift)
    const view = memory.subarray(random.int(shift + 1))
    const start = memory.length - view.length
    const from = shift - start
    expect(findBadUtf8(view, from, from + text.length)).toBe(-1)
    if (text.length === 0) continue
    const at = random.int(text.length)
    view[from + at] = random.pick([0x80, 0xff, 0xc0, 0xed, 0xf4, 0x61])
    const bytes = view.slice(from, from + text.length)
    const badAt = findBadUtf8(view, from, from + text.length)
    expect(badAt < 0).toBe(isUtf8(bytes))
    if (badAt < 0) continue
    // What stands before it is whole, and nothing in it is more.
    expect(isUtf8(view.slice(from, badAt))).toBe(true)
    expect(isUtf8(view.slice(from, badAt + 1))).toBe(false)
  }
})

test('half a surrogate pair becomes what TextEncoder makes of it; nothing else is touched', () => {
  const bytes = Uint8Array.of(0x61, 0xed, 0xa0, 0x80, 0xed, 0x9f, 0xbf)
  expect(findBadUtf8(bytes, 0, 7)).toBe(1)
  expect(mendSurrogate(bytes, 1)).toBe(true)
  expect(findBadUtf8(bytes, 0, 7)).toBe(-1)
  expect(new TextDecoder().decode(bytes)).toBe('a\ufffd\ud7ff')
  for (const other of [[0xed, 0x9f, 0xff], [0xff, 0xa0, 0x80], [0xed], [0xed, 0xa0]]) {
    const wrong = Uint8Array.from(other)
    expect(mendSurrogate(wrong, 0)).toBe(false)
    expect([...wrong]).toEqual(other)
  }
})
