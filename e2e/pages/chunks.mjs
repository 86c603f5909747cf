// Test data for streams: chunks that differ from each other in every place, and a digest that knows their order.

/** A chunk made from its number. */
export function chunkOf(number, bytes) {
  const words = new Uint32Array(bytes / 4)
  let state = number + 1
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    words[i] = state
  }
  return new Uint8Array(words.buffer)
}

/** SHA-256 over the digest so far and the next chunk: the same chunks in the same order give the same digest. */
export class Digest {
  #items = 0
  #bytes = 0
  #state = new Uint8Array(32)

  async add(chunk) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError(`expected a chunk as Uint8Array, got ${typeof chunk}`)
    const joined = new Uint8Array(this.#state.byteLength + chunk.byteLength)
    joined.set(this.#state)
    joined.set(chunk, this.#state.byteLength)
    this.#state = new Uint8Array(await crypto.subtle.digest('SHA-256', joined))
    this.#items++
    this.#bytes += chunk.byteLength
  }

  result() {
    const sha256 = Array.from(this.#state, (byte) => byte.toString(16).padStart(2, '0')).join('')
    return { items: this.#items, bytes: this.#bytes, sha256 }
  }
}
