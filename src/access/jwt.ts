/**
 * Grants out of JSON Web Tokens. Which algorithms count is a matter of the key that was configured, never of the token:
 * so neither `none` nor a public key taken for a secret can pass. With jwks.ts and
 * sign.ts the only place that imports jose: when a token is looked at, as `require` cannot load it in Node 20.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { JWTPayload, JWTVerifyGetKey, JWTVerifyOptions } from 'jose'
import {
  callback,
  checkOptions,
  either,
  limitsOption,
  listOf as list,
  matching,
  secret,
  text,
  whole
} from '../base/check.ts'
import { Fault } from '../base/errors.ts'
import { type Limits, withLimits } from '../base/limits.ts'
import { type Access, type Authorize, type Grant, isHistoryAccess, type User } from './grant.ts'
import { KeysUnavailable, RemoteKeys } from './jwks.ts'
import { accessTo, historyTo, type RoomRights } from './patterns.ts'

/** Where the key comes from: one of the three. */
export type JwtKey =
  /** HS256 to HS512: at least 32 bytes, or as many characters, that only you and whoever signs know. */
  | { readonly secret: string | Uint8Array }
  /** RS256, PS256, ES256, EdDSA and their kin, by the kind of key: a PEM `PUBLIC KEY` or certificate. */
  | { readonly publicKey: string }
  /** The same algorithms; `http:` or `https:`, answered with a JSON Web Key Set. */
  | { readonly jwksUrl: string | URL }

export type JwtOptions = JwtKey & {
  /** The `iss` a token must have; with none, any or none. */
  readonly issuer?: string | readonly string[]
  /** One of these must be among the token's `aud`; with none, any or none. */
  readonly audience?: string | readonly string[]
  /** How far clocks may differ, for `exp` and `nbf`. Default 5. */
  readonly clockToleranceSeconds?: number
  /** The claim that says which rooms: an object of patterns and `read`, `write` or `none`. Default `rooms`. */
  readonly claim?: string
  /**
   * The claim that says of which rooms somebody may ask for the history: an object of patterns and `read`, `restore` or
   * `none`. Default `history`.
   */
  readonly historyClaim?: string
  /** Bounds that differ from the defaults: those whose names begin with `jwt` and `jwks` count here. */
  readonly limits?: Partial<Limits>
  /** Is told when keys could not be had from `jwksUrl`. */
  readonly onFailure?: (error: Error) => void
}

type JwksLimits = Pick<
  Limits,
  'jwksTimeoutMs' | 'jwksCooldownMs' | 'jwksFreshMs' | 'jwksStaleMsMax' | 'jwksBytesMax'
>

const names = (what: string) => either(text(`${what}`, /./), list(`a list of them`, text('a string', /./)))

/** Every option of `jwt`, and what it may be. */
export const jwtShape = {
  secret: either(
    secret('a string', /./),
    matching<Uint8Array>('a Uint8Array, of at least 32 bytes', value => value instanceof Uint8Array)
  ),
  publicKey: text('a public key or certificate as PEM', /./),
  jwksUrl: either(
    text('an http or https URL', /^https?:\/\/\S+$/),
    matching<URL>('a URL', value => value instanceof URL)
  ),
  issuer: names('an issuer'),
  audience: names('an audience'),
  clockToleranceSeconds: whole(0, 600),
  claim: text('the name of a claim', /./),
  historyClaim: text('the name of a claim', /./),
  limits: limitsOption,
  onFailure: callback<(error: Error) => void>()
}

const secretAlgorithms = ['HS256', 'HS384', 'HS512'] as const
const rsaAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const
const publicAlgorithms = [...rsaAlgorithms, 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const

type Algorithm = (typeof secretAlgorithms)[number] | (typeof publicAlgorithms)[number]

type Trusted = {
  readonly key: Uint8Array | KeyObject | JWTVerifyGetKey
  readonly algorithms: readonly Algorithm[]
}

/**
 * A function for the option `authorize`, and to be called by one of your own. Throws TypeError when the key is none
 * that could be trusted.
 */
export function jwt(options: JwtOptions): Authorize {
  checkOptions('jwt', options, jwtShape)
  const limits = withLimits(options.limits)
  const { key, algorithms } = trusted(options, limits)
  const { issuer, audience, clockToleranceSeconds = 5, claim = 'rooms', historyClaim = 'history' } = options
  const checks = {
    algorithms: [...algorithms],
    clockTolerance: clockToleranceSeconds,
    ...(issuer === undefined ? {} : { issuer: listOf(issuer) }),
    ...(audience === undefined ? {} : { audience: listOf(audience) })
  }
  return async ({ token, document }) => {
    if (token === null || token === '') throw new Fault('ERR_NOT_AUTHENTICATED')
    if (token.length > limits.jwtBytesMax) {
      throw new Fault('ERR_NOT_AUTHENTICATED', `a token of ${token.length} characters`)
    }
    const payload = await verified(token, key, checks)
    const toleranceMs = clockToleranceSeconds * 1000
    return grantOf(payload, { document, claim, historyClaim, toleranceMs, roomsMax: limits.jwtRoomsMax })
  }
}

/** The claims of a token that holds. Rejects with a Fault. */
async function verified(token: string, key: Trusted['key'], checks: JWTVerifyOptions): Promise<JWTPayload> {
  const { errors, jwtVerify } = await import('jose')
  try {
    // jose tells a function from a key by itself; its types want to know.
    if (typeof key === 'function') return (await jwtVerify(token, key, checks)).payload
    return (await jwtVerify(token, key, checks)).payload
  } catch (error) {
    throw refusal(error, errors)
  }
}

function trusted(options: JwtOptions, limits: JwksLimits): Trusted {
  const given = ['secret', 'publicKey', 'jwksUrl'].filter(name => name in options)
  if (given.length !== 1) throw new TypeError('jwt takes one of secret, publicKey and jwksUrl')
  if ('secret' in options) return { key: secretOf(options.secret), algorithms: secretAlgorithms }
  if ('publicKey' in options) return publicKeyOf(options.publicKey)
  const keys = new RemoteKeys({
    url: httpUrl(options.jwksUrl),
    timeoutMs: limits.jwksTimeoutMs,
    cooldownMs: limits.jwksCooldownMs,
    freshMs: limits.jwksFreshMs,
    staleMsMax: limits.jwksStaleMsMax,
    bytesMax: limits.jwksBytesMax,
    nowMs: () => performance.now(),
    onFailure: options.onFailure ?? (() => {})
  })
  return { key: keys.find, algorithms: publicAlgorithms }
}

/** RFC 7518, 3.2: no shorter than the hash. And what the whole world may read is no secret. */
function secretOf(secret: string | Uint8Array): Uint8Array {
  const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : Uint8Array.from(secret)
  if (bytes.length < 32) throw new TypeError(`a secret of ${bytes.length} bytes; at least 32`)
  if (Buffer.from(bytes).includes('-----BEGIN'))
    throw new TypeError('a PEM key is no secret; it goes in publicKey')
  return bytes
}

function publicKeyOf(pem: string): Trusted {
  if (pem.includes('PRIVATE KEY')) throw new TypeError('a private key; the server needs the public one only')
  const key = readPublicKey(pem)
  const curve = key.asymmetricKeyDetails?.namedCurve
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (bits < 2048) throw new TypeError(`an RSA key of ${bits} bits; at least 2048`)
      return { key, algorithms: rsaAlgorithms }
    case 'ed25519':
      return { key, algorithms: ['EdDSA', 'Ed25519'] }
    case 'ec':
      if (curve === 'prime256v1') return { key, algorithms: ['ES256'] }
      if (curve === 'secp384r1') return { key, algorithms: ['ES384'] }
      if (curve === 'secp521r1') return { key, algorithms: ['ES512'] }
      throw new TypeError(`no algorithm for the curve ${curve}`)
    default:
      throw new TypeError(`no algorithm for a key of type ${key.asymmetricKeyType}`)
  }
}

function readPublicKey(pem: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch (cause) {
    throw new TypeError('publicKey is no PEM public key', { cause })
  }
}

function httpUrl(given: string | URL): URL {
  const url = new URL(given)
  if (url.protocol === 'http:' || url.protocol === 'https:') return url
  throw new TypeError(`${url.protocol} is neither http: nor https:`)
}

function listOf(value: string | readonly string[]): string[] {
  return typeof value === 'string' ? [value] : [...value]
}

/** What jose says is about the token and quotes nothing of it but the names of claims. */
function refusal(error: unknown, errors: typeof import('jose').errors): Error {
  if (error instanceof KeysUnavailable) return new Fault('ERR_AUTHENTICATION_UNAVAILABLE', error.message)
  if (error instanceof errors.JWTExpired) return new Fault('ERR_EXPIRED', 'the token has expired')
  // Its time has yet to come: the same token is good then.
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf') {
    return new Fault(error.reason === 'check_failed' ? 'ERR_NOT_NOW' : 'ERR_NOT_AUTHENTICATED', error.message)
  }
  if (error instanceof errors.JOSEError) return new Fault('ERR_NOT_AUTHENTICATED', error.message)
  return new Fault('ERR_NOT_AUTHENTICATED', 'the token could not be read')
}

type Wanted = {
  readonly document: string
  readonly claim: string
  readonly historyClaim: string
  readonly toleranceMs: number
  readonly roomsMax: number
}

function grantOf(payload: JWTPayload, wanted: Wanted): Grant {
  const { document, claim, historyClaim, toleranceMs, roomsMax } = wanted
  const rooms = rightsOf(payload[claim], isAccess, roomsMax)
  const histories = rightsOf(payload[historyClaim], isHistoryAccess, roomsMax)
  const access = accessTo(document, rooms)
  const history = historyTo(document, histories)
  const grant = { user: userOf(payload), access, ...(history === 'none' ? {} : { history }) }
  if (payload.exp === undefined) return grant
  return { ...grant, expiresAt: payload.exp * 1000 + toleranceMs }
}

/** Whatever is not plainly a right is none. */
function rightsOf<Right>(
  value: unknown,
  isRight: (value: unknown) => value is Right,
  roomsMax: number
): RoomRights<Right> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Map()
  const rights = Object.entries(value).filter((each): each is [string, Right] => isRight(each[1]))
  return new Map(rights.length > roomsMax ? [] : rights)
}

function isAccess(value: unknown): value is Access {
  return value === 'read' || value === 'write' || value === 'none'
}

/** `sub` and `name`, the registered claims. */
function userOf({ sub, name }: JWTPayload): User | null {
  if (typeof sub !== 'string' || sub === '') return null
  return typeof name === 'string' ? { id: sub, name } : { id: sub }
}
