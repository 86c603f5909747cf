/** What the README says is held by a test is held by one: the file is there, and a title in it says what the link says. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)
const links = [...readFileSync(new URL('README.md', root), 'utf8').matchAll(/\[([^\]]+)\]\((test\/[^)]+)\)/g)]

test('the table of promises links to tests', () => {
  expect(links.length).toBeGreaterThan(20)
})

test.each(links.map(([, text, file]) => [text!, file!]))('“%s” is in %s', (text, file) => {
  expect(existsSync(new URL(file, root)), file).toBe(true)
  expect(readFileSync(new URL(file, root), 'utf8')).toContain(text)
})
