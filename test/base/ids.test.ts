/** Identifiers: unpredictable, and of one form. */
import { expect, test } from 'vitest'
import { isId, newId, shortHex } from '../../src/base/ids.ts'

test('an id is 22 base64url characters, and no two are alike', () => {
  const ids = Array.from({ length: 5000 }, newId)
  for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/)
  expect(new Set(ids).size).toBe(ids.length)
})

test('every bit of an id varies', () => {
  const seen = Array.from({ length: 21 }, () => new Set<string>())
  for (let i = 0; i < 5000; i++) {
    const id = newId()
    seen.forEach((characters, position) => characters.add(id[position]!))
  }
  for (const characters of seen) expect(characters.size).toBe(64)
})

test('isId knows the form', () => {
  expect(isId(newId())).toBe(true)
  for (const other of ['', 'x', newId() + 'x', 'a'.repeat(21) + '+', 5, undefined, null])
    expect(isId(other)).toBe(false)
})

test('shortHex is eight hexadecimal digits', () => {
  for (let i = 0; i < 1000; i++) expect(shortHex()).toMatch(/^[0-9a-f]{8}$/)
})
