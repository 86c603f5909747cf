/** What went wrong, in words for people. */
import { isPulsingError } from 'pulsing'

const WORDS: Readonly<Record<string, string>> = {
  unreachable: 'The other side went away, or cannot be reached.',
  session_reset: 'The connection was lost for too long. What was on its way may be gone.',
  actor_not_found: 'The actor is not there any more.',
  actor_stopped: 'The actor was stopped.',
  timeout: 'No answer in time.',
  stream_closed: 'The other side stopped reading.',
}

export function inWords(error: unknown): string {
  if (isPulsingError(error)) return WORDS[error.code] ?? `${error.message}.`
  // What the browser throws when a file was changed or removed after it was chosen.
  if (error instanceof DOMException && error.name === 'NotReadableError') return 'The file cannot be read any more.'
  return error instanceof Error ? error.message : String(error)
}
