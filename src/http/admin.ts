/** Rights that change while people are connected: what the application's own server asks for, with the admin token. */
import { z } from 'zod'
import type { Passes } from '../access/passes.ts'
import { oneOf } from '../base/check.ts'
import { json } from './message.ts'
import { jsonBody, type Route, route } from './route.ts'
import { count, words } from './schemas.ts'

type Parts = { readonly passes: Passes }

const secondsMax = 10 * 366 * 86_400

const whom = z.object({
  user: words('The id of a user.', 'ada').exactOptional(),
  document: words('The name of a document.', 'team/notes').exactOptional()
})

const nobody = 'the body names neither a user nor a document'

/** Nobody named is a mistake, and not everybody. */
const isNamed = ({ user, document }: { readonly user?: string; readonly document?: string }) =>
  user !== undefined || document !== undefined

const revocation = whom.extend({
  access: oneOf('none', 'read', 'write')
    .default('none')
    .meta({ description: 'What is left to them. `write` takes back what was taken away.' }),
  seconds: z
    .number('must be a number above 0')
    .positive('must be a number above 0')
    .max(secondsMax)
    .exactOptional()
    .meta({ description: 'For how long. Without it: 24 hours.' })
})

const rechecked = z.object({
  checked: count('Connections to a document that were looked at again, on this server.'),
  changed: count('Of these: that may do more or less now.'),
  ended: count('Of these: that were closed.')
})

const answers = { 200: { says: 'It is applied.', content: { 'application/json': rechecked } } }

/** Not there where nobody is asked who they are. */
export function rights({ passes }: Parts): Route[] {
  if (!passes.admission.asks) return []
  const shared = { method: 'POST', group: 'Access', who: 'operator', answers, faults: ['ERR_STORE'] } as const
  return [
    route({
      ...shared,
      path: '/api/recheck',
      id: 'recheck',
      says: 'Asks again about everybody who is connected, and applies the answer.',
      body: jsonBody(whom.refine(isNamed, nobody)),
      reply: async ({ body }) => json(200, await passes.recheck(body))
    }),
    route({
      ...shared,
      path: '/api/revoke',
      id: 'revoke',
      says: 'Takes rights away for a time, whatever tokens say.',
      body: jsonBody(revocation.refine(isNamed, nobody)),
      faults: ['ERR_STORE', 'ERR_OVERLOADED'],
      reply: async ({ body }) => json(200, await passes.revoke(body))
    })
  ]
}
