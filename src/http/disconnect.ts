/** Closing connections from outside: what the application's own server asks for, with the admin token. */

import type { Disconnection, Disconnects } from '../access/disconnects.ts'
import { Fault } from '../base/errors.ts'
import { readObject, textOf } from './json-body.ts'
import { json, type Route } from './router.ts'

type Parts = { readonly disconnects: Disconnects; readonly tokens: readonly string[] }

const fields = ['user', 'document', 'connection', 'reason'] as const

export function disconnecting({ disconnects, tokens }: Parts): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/disconnect',
      tokens,
      reply: async request => json(200, disconnects.disconnect(disconnectionOf(await readObject(request))))
    }
  ]
}

function disconnectionOf(body: Readonly<Record<string, unknown>>): Disconnection {
  const named = fields.flatMap(field => {
    const value = textOf(body, field)
    return value === undefined ? [] : [[field, value] as const]
  })
  const disconnection: Disconnection = Object.fromEntries(named)
  const { user, document, connection } = disconnection
  if (user === undefined && document === undefined && connection === undefined) {
    throw new Fault('ERR_BAD_MESSAGE', 'the body names neither a user nor a document nor a connection')
  }
  return disconnection
}
