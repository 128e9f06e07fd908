/** Rights that change while people are connected: what the application's own server asks for, with the admin token. */
import type { Passes } from '../access/passes.ts'
import type { Revocation, Whom } from '../access/revocations.ts'
import { Fault } from '../errors.ts'
import { checkBearer } from './bearer.ts'
import { readObject, textOf } from './body.ts'
import { type Handler, json } from './router.ts'

type Parts = { readonly passes: Passes; readonly tokens: readonly string[] }

type Body = Readonly<Record<string, unknown>>

const secondsMax = 10 * 366 * 86_400

/** `POST /api/recheck` and `POST /api/revoke`; not there where nobody is asked who they are. */
export function rights({ passes, tokens }: Parts): Handler {
  return async request => {
    if (request.method !== 'POST' || !passes.admission.asks) return null
    const { path } = request
    if (path !== '/api/recheck' && path !== '/api/revoke') return null
    checkBearer(request, tokens)
    const body = await readObject(request)
    if (path === '/api/recheck') return json(200, await passes.recheck(whomOf(body)))
    return json(200, await passes.revoke(revocationOf(body)))
  }
}

/** Throws TypeError: a token that can be guessed is worse than none. */
export function checkAdminToken(token: string | undefined): void {
  if (token !== undefined && token.length < 32) {
    throw new TypeError(`an admin token of ${token.length} characters; at least 32`)
  }
}

/** Nobody named is a mistake, and not everybody. */
function whomOf(body: Body): Whom {
  const user = textOf(body, 'user')
  const document = textOf(body, 'document')
  if (user === undefined && document === undefined) {
    throw new Fault('ERR_BAD_MESSAGE', 'the body names neither a user nor a document')
  }
  return { ...(user === undefined ? {} : { user }), ...(document === undefined ? {} : { document }) }
}

function revocationOf(body: Body): Revocation {
  const { access = 'none', seconds } = body
  if (access !== 'none' && access !== 'read' && access !== 'write') {
    throw new Fault('ERR_BAD_MESSAGE', 'access is none, read or write')
  }
  if (seconds === undefined) return { ...whomOf(body), access }
  if (typeof seconds === 'number' && seconds > 0 && seconds <= secondsMax) {
    return { ...whomOf(body), access, seconds }
  }
  throw new Fault('ERR_BAD_MESSAGE', 'seconds is a number above 0')
}
