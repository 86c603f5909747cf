/**
 * The `auth` setting of a node: its form, and what can be wrong with it. A token is in no text made here or elsewhere,
 * nor is anything that is where a token should be.
 */

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
  if (typeof auth !== 'object' || auth === null)
    return `expected auth as { token?, verify? }, got ${describeSecret(auth)}`
  const { token, verify } = auth as Auth
  if (token !== undefined && typeof token !== 'string' && typeof token !== 'function')
    return `expected auth.token as string or function, got ${describeSecret(token)}`
  if (verify !== undefined && typeof verify !== 'function')
    return `expected auth.verify as function, got ${describeSecret(verify)}`
  if (typeof token === 'string' && (token.length === 0 || token.length > MAX_TOKEN_LENGTH || /[^ -~]/.test(token))) {
    return `expected auth.token of 1 to ${MAX_TOKEN_LENGTH} printable ASCII characters, got ${token.length} characters`
  }
  if (token === undefined && verify === undefined)
    return 'expected auth with a token, a verify function or both, got neither'
  return undefined
}

/** What stands where a token should, without what it is. */
export function describeSecret(value: unknown): string {
  return value === null ? 'null' : `something of type ${typeof value}`
}

/** The setting as a node keeps it: used as it is, and not shown by whatever shows what a node is made of. */
export function sealed(auth: Auth): Auth {
  return new SealedAuth(auth) as Auth
}

class SealedAuth {
  readonly #auth: Auth

  constructor(auth: Auth) {
    this.#auth = auth
  }

  get token(): Auth['token'] {
    const { token } = this.#auth
    return typeof token === 'function' ? () => token.call(this.#auth) : token
  }

  get verify(): Auth['verify'] {
    return this.#auth.verify?.bind(this.#auth)
  }

  toJSON(): string {
    return '[hidden]'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toJSON()
  }
}
