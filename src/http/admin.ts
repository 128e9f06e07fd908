/** Rights that change while people are connected: what the application's own server asks for, with the admin token. */
import type { Passes } from '../access/passes.ts'
import type { Revocation, Whom } from '../access/revocations.ts'
import { Fault } from '../base/errors.ts'
import { readObject, textOf } from './json-body.ts'
import { json, type Route } from './router.ts'

type Parts = { readonly passes: Passes; readonly tokens: readonly string[] }

type Body = Readonly<Record<string, unknown>>

const secondsMax = 10 * 366 * 86_400

/** Not there where nobody is asked who they are. */
export function rights({ passes, tokens }: Parts): Route[] {
  if (!passes.admission.asks) return []
  return [
    {
      method: 'POST',
      path: '/api/recheck',
      tokens,
      reply: async request => json(200, await passes.recheck(whomOf(await readObject(request))))
    },
    {
      method: 'POST',
      path: '/api/revoke',
      tokens,
      reply: async request => json(200, await passes.revoke(revocationOf(await readObject(request))))
    }
  ]
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
