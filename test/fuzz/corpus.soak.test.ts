/**
 * Millions of payloads and batches, each made of one that brought a reader to a state none had before: which item stands
 * in which, after which, how deep, and why it was refused. What depends on the ones before can be had again by its seed
 * alone, or by the bytes in the message.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeCbor, lower } from '../../src/base/cbor.ts'
import { scanCbor } from '../../src/base/cbor-scan.ts'
import { ProtocolError } from '../../src/base/errors.ts'
import type { SeededRandom } from '../../src/testkit/seeded-random.ts'
import { Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'
import { anyFrame } from '../wire/frame-arbitrary.ts'
import { expectAgreement } from './agreement.ts'
import { fuzz, hexOf, numericSeed } from './fuzz.ts'
import { likelyBytes, mutate, spansOf } from './mutations.ts'
import { plainFrame, readBatch } from './reference-frames.ts'
import { anyValue } from './values.ts'

const CASES = 2_000_000
const BATCHES = 1_000_000
const MAX_CORPUS = 4_000
/** Longer ones are slow, and show nothing shorter ones do not. */
const MAX_BYTES = 2_000

/** Bytes that each go a way no earlier ones went. */
class Corpus {
  readonly entries: Uint8Array[]
  readonly #originals: number
  readonly #seen = new Set<string>()

  constructor(originals: readonly Uint8Array[]) {
    this.entries = [...originals]
    this.#originals = originals.length
    for (const bytes of originals) this.#isNew(bytes, bytes.length, '')
  }

  get features(): number {
    return this.#seen.size
  }

  /** One to make others of: every third time one of those it began with, which are whole. */
  pick(random: SeededRandom): Uint8Array {
    return this.entries[random.int(random.int(3) === 0 ? this.#originals : this.entries.length)]!
  }

  /**
   * Keeps a copy, if there is something new about it.
   *
   * @param reached how far the reader came
   * @param problem what it found there
   */
  offer(random: SeededRandom, bytes: Uint8Array, reached: number, problem: string): void {
    if (bytes.length === 0 || bytes.length > MAX_BYTES || !this.#isNew(bytes, reached, problem)) return
    if (this.entries.length < MAX_CORPUS) this.entries.push(bytes.slice())
    else this.entries[this.#originals + random.int(MAX_CORPUS - this.#originals)] = bytes.slice()
  }

  #isNew(bytes: Uint8Array, reached: number, problem: string): boolean {
    const before = this.#seen.size
    const open: { readonly end: number; readonly kind: string }[] = []
    let previous = ''
    let inside = ''
    for (const { start, end } of spansOf(bytes)) {
      if (start > reached) break
      while (open.length > 0 && open.at(-1)!.end <= start) open.pop()
      const kind = kindOf(bytes, start)
      inside = open.at(-1)?.kind ?? ''
      this.#seen.add(`${inside}:${previous},${kind}`)
      this.#seen.add(`${Math.min(70, open.length)}${inside.slice(0, 1)}`)
      open.push({ end, kind })
      previous = kind
    }
    this.#seen.add(`${inside}>${previous}!${problem.replaceAll(/\d+/g, '')}`)
    return this.#seen.size > before
  }
}

/** Major type; of a number, a tag or a simple value more. */
function kindOf(bytes: Uint8Array, start: number): string {
  const initial = bytes[start]!
  const major = initial >> 5
  const info = initial & 31
  if (major === 7) return `7.${info}`
  if (major !== 6) return `${major}${info > 26 ? `.${info}` : ''}`
  const tag =
    info < 24 ? info : info === 24 ? bytes[start + 1]! : info === 25 ? bytes[start + 1]! * 256 + bytes[start + 2]! : -1
  return `6.${OUR_TAGS.has(tag) ? tag : ''}`
}

const OUR_TAGS = new Set([1, 2, 3, 27, 64, 69, 78, 86, 258, 259, 20_597, 20_599])

test('values', { timeout: 1_800_000 }, () => {
  const corpus = new Corpus(
    fc.sample(anyValue, { numRuns: 400, seed: numericSeed }).map((value) => encodeCbor(lower(value))),
  )
  const before = corpus.features
  let taken = 0
  const ran = fuzz('values', CASES, (random) => {
    const bytes = random.int(20) === 0 ? likelyBytes(random) : mutate(random, corpus.pick(random), corpus.entries)
    if (bytes.length > 3 * MAX_BYTES) return
    const original = bytes.slice()
    const isValue = expectAgreement(bytes)
    if (isValue) taken++
    const { errorAt, problem } = scanCbor(original)
    corpus.offer(random, original, isValue ? original.length : errorAt, problem)
  })
  console.log(
    `${ran} payloads, ${taken} of them values; ${corpus.entries.length} kept, ${corpus.features} features, ${before} of them from the beginning`,
  )
  if (ran > 1000) expect(corpus.features).toBeGreaterThan(before)
})

test('batches', { timeout: 1_800_000 }, () => {
  const corpus = new Corpus(
    fc.sample(fc.array(anyFrame, { minLength: 1, maxLength: 4 }), { numRuns: 300, seed: numericSeed }).map((frames) => {
      const writer = new FrameWriter()
      for (const frame of frames) writer.write(frame)
      return writer.take()
    }),
  )
  const reader = new FrameReader()
  const frame = new Frame()
  let taken = 0
  const ran = fuzz('batches', BATCHES, (random) => {
    const batch = mutate(random, corpus.pick(random), corpus.entries)
    const got: ReturnType<typeof plainFrame>[] = []
    let problem = ''
    let reached = batch.length
    reader.open(batch)
    try {
      while (reader.next(frame)) got.push(plainFrame(frame))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      problem = error.message
      reached = error.offset!
    }
    const { frames, isBroken } = readBatch(batch)
    if (isBroken !== (problem !== '') || JSON.stringify(frames) !== JSON.stringify(got))
      throw new RangeError(`${hexOf(batch)} is read in another way`)
    taken += got.length
    corpus.offer(random, batch, reached, problem)
  })
  console.log(`${ran} batches, ${taken} frames; ${corpus.entries.length} kept, ${corpus.features} features`)
  if (ran > 1000) expect(taken).toBeGreaterThan(ran / 5)
})
