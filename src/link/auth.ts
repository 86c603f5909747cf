/** Who may link to this node, and what this node shows to others. The transport has no part in it: the token goes in a frame, never in a URL. */
import { AuthError, ConfigError } from '../base/errors.ts'
import type { Applicant, Auth } from './auth-setting.ts'
import { describeSecret, MAX_TOKEN_LENGTH } from './auth-setting.ts'

/** The token to show. */
export async function presentToken(auth: Auth | undefined): Promise<string | undefined> {
  const token = typeof auth?.token === 'function' ? await auth.token() : auth?.token
  if (token === undefined) return undefined
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) {
    throw new ConfigError(
      `expected a token of at most ${MAX_TOKEN_LENGTH} characters, got ${typeof token === 'string' ? token.length : describeSecret(token)}`,
    )
  }
  return token
}

/** Settles when the applicant may come in. @throws AuthError when not */
export async function admit(auth: Auth | undefined, applicant: Applicant): Promise<void> {
  if (!auth) return
  let isAdmitted: boolean
  try {
    if (auth.verify) isAdmitted = (await auth.verify(applicant)) === true
    else {
      const own = await presentToken(auth)
      isAdmitted = own !== undefined && applicant.token !== undefined && isSame(applicant.token, own)
    }
  } catch (cause) {
    throw new AuthError('the check of the neighbour’s token failed', { cause })
  }
  if (!isAdmitted)
    throw new AuthError(
      applicant.token === undefined
        ? 'expected a token in the handshake, got none'
        : 'expected a token this node accepts, got another one',
    )
}

/** Comparison whose time does not tell where two texts differ. */
function isSame(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ (b.charCodeAt(i % Math.max(1, b.length)) || 0)
  return difference === 0
}
