/** A text of any size for people without a file at hand. It has letters of one to four bytes, so that chunks cut some in two. */

const MIB = 1024 * 1024
const WORDS = 'every tab and worker is a peer; messages keep their order — naïve café, Καλημέρα, 世界, 🜁 done'.split(
  ' ',
)
const WORDS_PER_LINE = 11

/** A file of about `megabytes` MiB. */
export function sampleText(megabytes: number): File {
  const page = new TextEncoder().encode(onePage())
  const pages = Array.from({ length: Math.round((megabytes * MIB) / page.byteLength) }, () => page)
  return new File(pages, `sample-${megabytes}-MiB.txt`, { type: 'text/plain' })
}

/** About 100 KB, no divisor of which is the size of a chunk. */
function onePage(): string {
  let text = ''
  for (let i = 1; i <= 16_000; i++) text += WORDS[(i * i) % WORDS.length] + (i % WORDS_PER_LINE === 0 ? '\n' : ' ')
  return `${text}\n`
}
