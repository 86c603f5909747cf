// Counts a text that arrives as a stream of byte chunks, and answers with a stream of running counts, one for each
// chunk. Plain JavaScript, because two worlds load this very file: the server, and a worker of the page.

import { Actor, StreamMessage } from 'pulsing'

/** Counts that may wait unread by the asker. Small, so that an asker who pauses is felt at once. */
export const REPLY_BUFFER = 3

const LINE_FEED = 0x0a
const SPACE = 0x20
const LAST_ASCII = 0x7f

/**
 * Counts of a text in UTF-8, whole whatever the chunks cut in two. A line is a line feed, as for `wc -l`. A word is the
 * longest run of characters that are not white space (JavaScript's `\s`).
 */
export class Tally {
  #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #isInWord = false
  #bytes = 0
  #lines = 0
  #words = 0

  /** @param {Uint8Array} chunk */
  add(chunk) {
    this.#bytes += chunk.byteLength
    this.#read(this.#decoder.decode(chunk, { stream: true }))
  }

  /** Takes in what the last chunk left unfinished: half a character counts as one. */
  end() {
    this.#read(this.#decoder.decode())
  }

  /** @param {boolean} done whether these are the counts of the whole text */
  counts(done) {
    return { bytes: this.#bytes, lines: this.#lines, words: this.#words, done }
  }

  /** @param {string} text */
  #read(text) {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code === LINE_FEED) this.#lines++
      if (isWhiteSpace(code)) this.#isInWord = false
      else if (!this.#isInWord) {
        this.#isInWord = true
        this.#words++
      }
    }
  }
}

/** @param {number} code a UTF-16 code unit; no white space needs two */
function isWhiteSpace(code) {
  if (code <= LAST_ASCII) return code === SPACE || (code >= 0x09 && code <= 0x0d)
  return /\s/.test(String.fromCharCode(code))
}

/** Takes a stream of `Uint8Array` and answers with a stream of counts; the last one has `done`. Any number at a time. */
export class WordCount extends Actor {
  /** @param {import('pulsing').Message} message */
  receive(message) {
    const chunks = message.streamReader()
    const [reply, counts] = StreamMessage.create('counts', REPLY_BUFFER)
    void count(chunks, counts)
    return reply
  }
}

/**
 * Back-pressure is the `await`: while nobody reads the counts this does not read the chunks, and their sender waits.
 * When the reader of the counts is gone, writing throws, which ends the loop and so cancels the chunks as well.
 *
 * @param {import('pulsing').StreamReader<Uint8Array>} chunks
 * @param {import('pulsing').StreamWriter<import('./word-count.mjs').Counts>} counts
 */
async function count(chunks, counts) {
  const tally = new Tally()
  try {
    for await (const chunk of chunks) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError(`expected chunks as Uint8Array, got ${typeof chunk}`)
      tally.add(chunk)
      await counts.write(tally.counts(false))
    }
    tally.end()
    await counts.write(tally.counts(true))
    await counts.close()
  } catch (error) {
    await counts.error(error instanceof Error ? error.message : String(error))
  }
}
