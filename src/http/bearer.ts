/** Who may use the operator's part of the HTTP API: whoever knows a token, as `Authorization: Bearer`. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Fault } from '../errors.ts'
import type { Request } from './router.ts'

/** Throws ERR_NOT_AUTHENTICATED unless the request has one of the tokens. Takes as long whichever it is. */
export function checkBearer(request: Request, tokens: readonly string[]): void {
  const given = hashOf(request.header('authorization') ?? '')
  const matches = tokens.map(token => timingSafeEqual(given, hashOf(`Bearer ${token}`)))
  if (!matches.includes(true)) throw new Fault('ERR_NOT_AUTHENTICATED')
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
