/** Tells people who do not see the page what changed on it, politely: what comes within a moment is said in one breath. */
import { element } from './element.ts'

/** A tab and its worker join within this time, in milliseconds. */
const BREATH_MS = 400

const waiting: string[] = []

export function announce(sentence: string): void {
  if (waiting.push(sentence) > 1) return
  setTimeout(() => {
    element('announcements', HTMLElement).textContent = waiting.splice(0).join(' ')
  }, BREATH_MS)
}
