/** Who may link to this node, and what this node shows to others. The transport has no part in it: the token goes in a frame, never in a URL. */
import { AuthError, ConfigError, describe } from '../base/errors.ts'

/** What is known of a neighbour when it asks to be let in. */
export interface Applicant {
  readonly nodeId: string
  readonly kind: 'relay' | 'leaf'
  /** The token it showed, if any. */
  readonly token: string | undefined
}

/**
 * Shows `token` to neighbours, and asks `verify` about theirs. Without `verify`, a neighbour must show the same token.
 */
export interface Auth {
  readonly token?: string | (() => string | Promise<string>)
  /** Lets the applicant in by answering true; false or a throw refuses it. */
  verify?(applicant: Applicant): boolean | Promise<boolean>
}

/** Characters a token may have at most; it must fit in the handshake. */
export const MAX_TOKEN_LENGTH = 2048

/** What is wrong with an `auth` setting, or undefined. */
export function authProblem(auth: unknown): string | undefined {
  if (typeof auth !== 'object' || auth === null) return `expected auth as { token?, verify? }, got ${describe(auth)}`
  const { token, verify } = auth as Auth
  if (token !== undefined && typeof token !== 'string' && typeof token !== 'function') return `expected auth.token as string or function, got ${describe(token)}`
  if (verify !== undefined && typeof verify !== 'function') return `expected auth.verify as function, got ${describe(verify)}`
  if (typeof token === 'string' && (token.length > MAX_TOKEN_LENGTH || /[^ -~]/.test(token))) {
    return `expected auth.token of at most ${MAX_TOKEN_LENGTH} printable ASCII characters, got ${token.length} characters`
  }
  if (token === undefined && verify === undefined) return 'expected auth with a token, a verify function or both, got neither'
  return undefined
}

/** The token to show. */
export async function presentToken(auth: Auth | undefined): Promise<string | undefined> {
  const token = typeof auth?.token === 'function' ? await auth.token() : auth?.token
  if (token === undefined) return undefined
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) {
    throw new ConfigError(`expected a token of at most ${MAX_TOKEN_LENGTH} characters, got ${typeof token === 'string' ? token.length : describe(token)}`)
  }
  return token
}

/** Settles when the applicant may come in. @throws AuthError when not */
export async function admit(auth: Auth | undefined, applicant: Applicant): Promise<void> {
  if (!auth) return
  let isAdmitted: boolean
  try {
    if (auth.verify) isAdmitted = (await auth.verify(applicant)) === true
    else isAdmitted = applicant.token !== undefined && isSame(applicant.token, (await presentToken(auth)) ?? '')
  } catch (cause) {
    throw new AuthError('the check of the neighbour’s token failed', { cause })
  }
  if (!isAdmitted) throw new AuthError(applicant.token === undefined ? 'expected a token in the handshake, got none' : 'expected a token this node accepts, got another one')
}

/** Comparison whose time does not tell where two texts differ. */
function isSame(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ (b.charCodeAt(i % Math.max(1, b.length)) || 0)
  return difference === 0
}
