/** Keys and tokens, made by jose as an application would make them. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type JWTPayload, SignJWT } from 'jose'

export const secret = 'a secret that is long enough for HS256, and then some'

/** A token signed with the secret; `rooms` and times are as given. */
export function signed(
  claims: JWTPayload = {},
  key: string | KeyObject = secret,
  alg = 'HS256'
): Promise<string> {
  const signer = new SignJWT(claims).setProtectedHeader({ alg, kid: 'one' })
  return signer.sign(typeof key === 'string' ? new TextEncoder().encode(key) : key)
}

/** The claims of somebody who may write everywhere, for an hour. */
export function writer(sub: string, more: JWTPayload = {}): JWTPayload {
  return { sub, rooms: { '**': 'write' }, exp: inSeconds(3_600), ...more }
}

export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds
}

/** A token put together by hand, as nobody honest would. */
export function assembled(header: object, claims: object, signature = ''): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part(header)}.${part(claims)}.${signature}`
}

export type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject; readonly pem: string }

export function keyPair(type: 'rsa' | 'ec' | 'ed25519'): Pair {
  const pair =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : type === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519')
  return { ...pair, pem: pair.publicKey.export({ type: 'spki', format: 'pem' }) as string }
}
