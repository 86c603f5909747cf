/** The `auth` setting of a node: its form, and what can be wrong with it. */
import { describe } from '../base/errors.ts'

/** What is known of a neighbour when it asks to be let in. */
export interface Applicant {
  /** The id it says it has. */
  readonly nodeId: string
  /** `relay`: says it accepts links and forwards. `leaf`: only dials. */
  readonly kind: 'relay' | 'leaf'
  /** The token it showed, if any. */
  readonly token: string | undefined
}

/**
 * Shows `token` to neighbours, and asks `verify` about theirs. Without `verify`, a neighbour must show the same token.
 */
export interface Auth {
  /**
   * 1 to {@link MAX_TOKEN_LENGTH} printable ASCII characters, or a function that gives them, called anew for every
   * link. It is sent to every neighbour: use `wss://` where others can listen.
   */
  readonly token?: string | (() => string | Promise<string>)
  /** Lets the applicant in by answering true; anything else or a throw refuses it with AuthError. */
  verify?(applicant: Applicant): boolean | Promise<boolean>
}

/** Characters a token may have at most; it must fit in the handshake. */
export const MAX_TOKEN_LENGTH = 2048

/** What is wrong with an `auth` setting, or undefined. */
export function authProblem(auth: unknown): string | undefined {
  if (typeof auth !== 'object' || auth === null) return `expected auth as { token?, verify? }, got ${describe(auth)}`
  const { token, verify } = auth as Auth
  if (token !== undefined && typeof token !== 'string' && typeof token !== 'function')
    return `expected auth.token as string or function, got ${describe(token)}`
  if (verify !== undefined && typeof verify !== 'function')
    return `expected auth.verify as function, got ${describe(verify)}`
  if (typeof token === 'string' && (token.length === 0 || token.length > MAX_TOKEN_LENGTH || /[^ -~]/.test(token))) {
    return `expected auth.token of 1 to ${MAX_TOKEN_LENGTH} printable ASCII characters, got ${token.length} characters`
  }
  if (token === undefined && verify === undefined)
    return 'expected auth with a token, a verify function or both, got neither'
  return undefined
}
