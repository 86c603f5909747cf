/** Texts for the word count, from a seed, with what there is to count in them worked out in the plainest way. */

export interface DemoText {
  readonly bytes: Buffer
  readonly expected: { readonly bytes: number; readonly lines: number; readonly words: number }
}

// Letters of one to four bytes: chunks of 64 KiB cut some of them in two.
const LETTERS = [...'abcdefghijklmnopqrstuvwxyzäöéßñλжあ漢😀']
const SPACES = [' ', ' ', ' ', ' ', '\n', '\r\n', '\t', '  ', '\u00a0', '\u3000', '\n\n']

export function demoText(seed: number, minBytes: number): DemoText {
  const random = mulberry32(seed)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const parts: string[] = []
  for (let bytes = 0; bytes < minBytes; ) {
    const word = Array.from({ length: 1 + Math.floor(random() * 9) }, () => pick(LETTERS)).join('')
    const part = word + pick(SPACES)
    parts.push(part)
    bytes += Buffer.byteLength(part)
  }
  const text = `${parts.join('')}the end`
  const bytes = Buffer.from(text)
  const words = text.split(/\s+/).filter((word) => word !== '').length
  return { bytes, expected: { bytes: bytes.length, lines: text.split('\n').length - 1, words } }
}

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
