/**
 * Tokens for trying a server out. Those of an application are signed by the application. A server never needs this, and
 * the command that does is not to make the start of one longer: jose is loaded when a token is signed.
 */
import type { Access, HistoryAccess, User } from './grant.ts'

type Claims = {
  readonly user: User['id']
  readonly rooms: Readonly<Record<string, Access>>
  /** The name of the claim that `rooms` goes in. */
  readonly claim: string
  readonly lifeSeconds: number
  /** Goes in the claim `history`. */
  readonly histories?: Readonly<Record<string, HistoryAccess>>
  readonly issuer?: string
  readonly audience?: string
}

/** A JSON Web Token for `jwt({ secret })`, HS256. */
export async function signToken(
  secret: string,
  { user, rooms, histories, claim, lifeSeconds, issuer, audience }: Claims
): Promise<string> {
  const { SignJWT } = await import('jose')
  const token = new SignJWT({
    name: user,
    [claim]: rooms,
    ...(histories === undefined ? {} : { history: histories })
  })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user)
    .setIssuedAt()
    .setExpirationTime(`${lifeSeconds} seconds`)
  if (issuer !== undefined) token.setIssuer(issuer)
  if (audience !== undefined) token.setAudience(audience)
  return token.sign(new TextEncoder().encode(secret))
}
