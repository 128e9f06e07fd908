/** Closing connections from outside: what the application's own server asks for, with the admin token. */
import { z } from 'zod'
import type { Disconnects } from '../access/disconnects.ts'
import { json } from './message.ts'
import { jsonBody, type Route, route } from './route.ts'
import { count, words } from './schemas.ts'

type Parts = { readonly disconnects: Disconnects }

const disconnection = z
  .object({
    user: words('The id of a user.', 'ada').exactOptional(),
    document: words('The name of a document.').exactOptional(),
    connection: words('The name of a connection, as the log has it.').exactOptional(),
    reason: words('What the clients are told.').exactOptional()
  })
  .refine(
    ({ user, document, connection }) => [user, document, connection].some(each => each !== undefined),
    'the body names neither a user nor a document nor a connection'
  )

export function disconnecting({ disconnects }: Parts): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/disconnect',
      id: 'disconnect',
      group: 'Access',
      says: 'Closes connections of a user, to a document, or the one of that name.',
      more: 'Of several that are named, those that all fit. Clients come back by themselves.',
      who: 'operator',
      body: jsonBody(disconnection),
      answers: {
        200: {
          says: 'They are being closed.',
          content: { 'application/json': z.object({ ended: count('How many, on this server.') }) }
        }
      },
      reply: ({ body }) => json(200, disconnects.disconnect(body))
    })
  ]
}
