import { expect, test } from 'vitest'
import { advertisedAddress } from '../../src/cluster/advertised-address.ts'
import { hasWildcardHost } from '../../src/cluster/wildcard.ts'

test.each([
  ['ws://host:0', 'ws://0.0.0.0:8000', 'ws://host:8000'],
  ['wss://host:0/path', 'ws://[::]:8000/own', 'wss://host:8000/path'],
  ['ws://[::1]:0', 'ws://[::]:80', 'ws://[::1]:80'],
  ['ws://host:5', 'ws://0.0.0.0:8000', 'ws://host:5'],
  ['ws://host:10', 'ws://0.0.0.0:8000', 'ws://host:10'],
  ['ws://host:5/a:0/b', 'ws://0.0.0.0:8000/a:7', 'ws://host:5/a:0/b'],
  ['ws://host:0/a:0', 'ws://0.0.0.0:8000/a:7', 'ws://host:8000/a:0'],
])('%s of a node at %s is %s', (advertised, bound, expected) => {
  expect(advertisedAddress(advertised, bound)).toBe(expected)
})

test.each(['0.0.0.0', '[::]', '0', '0x0', '0.0', '0.0.0.0.', '[0:0:0:0:0:0:0:0]', '[::0.0.0.0]'])(
  '%s stands for all addresses',
  (host) => {
    for (const scheme of ['ws', 'wss']) expect(hasWildcardHost(`${scheme}://${host}:80/path`)).toBe(true)
  },
)

test.each(['127.0.0.1', '[::1]', '10.0.0.0', '[fe80::]', '0.example', 'f'])('%s is one address', (host) => {
  expect(hasWildcardHost(`ws://${host}:80`)).toBe(false)
})
