/** Who may use the operator's part of the HTTP API: whoever knows a token, as `Authorization: Bearer`. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Fault } from '../base/errors.ts'

/** Throws ERR_NOT_AUTHENTICATED unless the header `Authorization` has one of the tokens. Takes as long whichever it is. */
export function checkBearer(authorization: string | undefined, tokens: readonly string[]): void {
  if (!isBearer(authorization, tokens)) throw new Fault('ERR_NOT_AUTHENTICATED')
}

/** Whether the header has one of the tokens. Takes as long whichever it is. */
export function isBearer(authorization: string | undefined, tokens: readonly string[]): boolean {
  const given = hashOf(authorization ?? '')
  return tokens.map(token => timingSafeEqual(given, hashOf(`Bearer ${token}`))).includes(true)
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
