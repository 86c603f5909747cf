/** The byte examples of PROTOCOL.md are what this implementation writes and reads. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encodeCbor } from '../../src/base/cbor.ts'
import { FRAME, Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'

const document = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8')
const examples = [...document.matchAll(/```hex\n([\s\S]*?)```/g)].map(([, lines]) => bytesOf(lines!))

/** The hexadecimal words each line begins with. */
function bytesOf(lines: string): Uint8Array {
  const words = lines
    .split('\n')
    .flatMap((line) => /^((?:[0-9a-f]{2})+(?: (?:[0-9a-f]{2})+)*)(?= {2,}|$)/.exec(line)?.[1]?.split(' ') ?? [])
  return Uint8Array.from(Buffer.from(words.join(''), 'hex'))
}

const ping = Object.assign(new Frame(), { kind: FRAME.ping, id: 0 })
const tell = Object.assign(new Frame(), {
  kind: FRAME.tell,
  session: 1,
  seq: 1,
  actor: 'A'.repeat(22),
  flags: 6,
  payload: encodeCbor('hi'),
})

test.each([
  ['ping', ping, 0],
  ['tell', tell, 1],
] as const)('the example of a %s is the frame it says it is', (_name, frame, index) => {
  expect(examples).toHaveLength(2)
  const writer = new FrameWriter()
  writer.write(frame)
  expect(writer.take()).toEqual(examples[index])
  const read = new Frame()
  const reader = new FrameReader()
  reader.open(examples[index]!)
  expect(reader.next(read)).toBe(true)
  expect(read).toMatchObject({ kind: frame.kind, id: frame.id, actor: frame.actor, flags: frame.flags })
})
