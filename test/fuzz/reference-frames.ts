/** Batches as PROTOCOL.md says they are, read the simple way: the second opinion on `FrameReader`. */
import { FIELD_TYPES, type Frame, LAYOUTS } from '../../src/wire/frame.ts'

/** A frame's fields, in order, after its kind. */
export type PlainFrame = readonly (number | string | string[])[]

export interface PlainBatch {
  readonly frames: readonly PlainFrame[]
  /** Whether the rest is to be refused. */
  readonly isBroken: boolean
}

type Field = { readonly major: number; readonly number: number; readonly content: Uint8Array }

class Broken extends Error {}

export function readBatch(batch: Uint8Array): PlainBatch {
  const frames: PlainFrame[] = []
  let at = 0

  const head = (): { major: number; number: number; size: number } => {
    const initial = batch[at]
    if (initial === undefined) throw new Broken('ends')
    const info = initial & 31
    if (info > 27) throw new Broken('indefinite')
    const size = info < 24 ? 0 : 2 ** (info - 24)
    const bytes = batch.slice(at + 1, at + 1 + size)
    if (bytes.length < size) throw new Broken('ends')
    at += 1 + size
    const number = size === 0 ? info : Number(BigInt(`0x${Buffer.from(bytes).toString('hex')}`))
    if (!Number.isSafeInteger(number)) throw new Broken('beyond 2^53')
    return { major: initial >> 5, number, size }
  }
  const field = (): Field => {
    const { major, number } = head()
    if (major !== 0 && major !== 2 && major !== 3) throw new Broken('not a field')
    if (major === 0) return { major, number, content: new Uint8Array(0) }
    const content = batch.slice(at, at + number)
    if (content.length < number) throw new Broken('ends')
    at += number
    return { major, number, content }
  }
  const frame = (): PlainFrame | undefined => {
    const { major, number: count } = head()
    if (major !== 4 || count < 1 || count > 32) throw new Broken('no frame')
    const kind = field()
    if (kind.major !== 0) throw new Broken('no kind')
    const layout = LAYOUTS[kind.number]
    if (!layout && kind.number % 2 === 1) throw new Broken('critical')
    if (layout && count - 1 < layout.length) throw new Broken('too few')
    const values: (number | string | string[])[] = [kind.number]
    for (let i = 0; i < count - 1; i++) {
      const name = layout?.[i]
      if (name === 'hops' && (batch[at] ?? 0) > 23) throw new Broken('hops')
      const { major: type, number, content } = field()
      if (name === undefined) continue
      const expected = FIELD_TYPES[name]
      if (type !== { uint: 0, bytes: 2, text: 3 }[expected]) throw new Broken('another type')
      if (expected === 'uint') values.push(number)
      else if (expected === 'bytes') values.push([Buffer.from(content).toString('hex')])
      else if (number > 4096) throw new Broken('long')
      else values.push(utf8(content))
    }
    return layout && values
  }

  try {
    while (at < batch.length) {
      const read = frame()
      if (read) frames.push(read)
    }
    return { frames, isBroken: false }
  } catch (error) {
    if (error instanceof Broken) return { frames, isBroken: true }
    throw error
  }
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Broken('not UTF-8')
  }
}

/** The same of a frame that was read. */
export function plainFrame(frame: Frame): PlainFrame {
  return [
    frame.kind,
    ...LAYOUTS[frame.kind]!.map((name) => {
      const value = frame[name]
      return value instanceof Uint8Array ? [Buffer.from(value).toString('hex')] : value
    }),
  ]
}
