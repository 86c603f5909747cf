/** What is different between two looks at a cluster. Pure. */

/** Something that comes and goes, with what identifies it. */
export interface Sighting {
  readonly what: 'node' | 'actor'
  readonly key: string
  /** The node it is, or is on. */
  readonly nodeId: string
  /** What a person reads about it; a change of it is a change. */
  readonly text: string
  /** What a program reads about it. */
  readonly value: unknown
}

export interface Change extends Sighting {
  readonly change: 'appeared' | 'changed' | 'gone'
}

const SIGNS = { appeared: '+', changed: '~', gone: '-' } as const

/** Changes from one look to the next; from the first, everything has appeared. */
export class Changes {
  #before = new Map<string, Sighting>()

  /** @param silent nodes that did not answer: what was seen of their actors before stays as it was */
  look(sightings: readonly Sighting[], silent: ReadonlySet<string> = new Set()): Change[] {
    const now = new Map(sightings.map((sighting) => [`${sighting.what} ${sighting.key}`, sighting]))
    for (const [key, sighting] of this.#before)
      if (sighting.what === 'actor' && silent.has(sighting.nodeId)) now.set(key, sighting)
    const gone = [...this.#before].filter(([key]) => !now.has(key)).map(([, sighting]) => sighting)
    const changes: Change[] = gone.map((sighting) => ({ ...sighting, change: 'gone' }))
    for (const [key, sighting] of now) {
      const before = this.#before.get(key)
      if (!before) changes.push({ ...sighting, change: 'appeared' })
      else if (before.text !== sighting.text) changes.push({ ...sighting, change: 'changed' })
    }
    this.#before = now
    return changes
  }
}

/** A change in one line. */
export function changeLine({ change, what, text }: Change): string {
  return `${SIGNS[change]} ${what} ${text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')}`
}
