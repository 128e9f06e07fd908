/** Dead letters of the change feed, for an operator with the token: to list, to be told again, to remove. */
import { z } from 'zod'
import { Fault } from '../base/errors.ts'
import type { DeadLetters, WhichLetter } from '../feed/dead-letters.ts'
import { json } from './message.ts'
import { jsonBody, type Route, route } from './route.ts'
import { time, versionText, words } from './schemas.ts'

type Parts = { readonly deadLetters: DeadLetters }

const which = z.object({
  document: words('The name of the document.'),
  outlet: words('The name of the outlet that could not be told.')
})

const letter = which.extend({
  id: z.string().meta({ description: 'The same at each attempt.' }),
  type: z.string().meta({ description: 'What happened.', example: 'document.changed' }),
  version: versionText,
  at: time,
  deadAt: time.meta({ description: 'When it was given up.' }),
  reason: z.string().meta({ description: 'What was said at the last attempt.' })
})

const shared = { method: 'POST', group: 'Operation', who: 'operator' } as const

export function deadLetterRoutes({ deadLetters }: Parts): Route[] {
  return [
    route({
      ...shared,
      path: '/api/dead-letters/list',
      id: 'listDeadLetters',
      says: 'Lists the events that an outlet was not told of and that were given up.',
      answers: {
        200: {
          says: 'The dead letters, in no order.',
          content: { 'application/json': z.object({ letters: z.array(letter), isComplete: z.boolean() }) }
        }
      },
      reply: async () => json(200, await deadLetters.list())
    }),
    ofOne({
      action: 'repeat',
      id: 'repeatDeadLetter',
      says: 'Has an outlet told again of an event that was given up.',
      act: one => deadLetters.repeat(one)
    }),
    ofOne({
      action: 'drop',
      id: 'dropDeadLetter',
      says: 'Removes an event that was given up, for good.',
      act: one => deadLetters.drop(one)
    })
  ]
}

type OfOne = {
  readonly action: string
  readonly id: string
  readonly says: string
  readonly act: (one: WhichLetter) => Promise<boolean>
}

function ofOne({ action, id, says, act }: OfOne): Route {
  return route({
    ...shared,
    path: `/api/dead-letters/${action}`,
    id,
    says,
    body: jsonBody(which),
    answers: { 200: { says: 'It is done.', content: { 'application/json': which } } },
    faults: ['ERR_NOT_FOUND'],
    reply: async ({ body }) => {
      if (await act(body)) return json(200, body)
      const publicReason = 'there is no such dead letter'
      throw new Fault('ERR_NOT_FOUND', publicReason, { publicReason })
    }
  })
}
