/** The requests of the Chaos page, as they are declared. Who may ask hangs on where a request comes from, which no token says. */
import { z } from 'zod'
import type { Reply, Request } from '../http/message.ts'
import { type Route, route } from '../http/route.ts'

type Replies = {
  readonly look: (request: Request) => Reply
  readonly start: (request: Request) => Promise<Reply>
  readonly kill: (request: Request) => Promise<Reply>
}

const refused = z.object({ isAllowed: z.literal(false), refusal: z.string() })

const allowed = z.object({
  isAllowed: z.literal(true),
  phase: z.enum(['none', 'up', 'down', 'stopped']),
  pid: z.number().nullable(),
  restartsLeft: z.number()
})

const state = z.union([refused, allowed])

const killed = z.object({
  pidBefore: z.number(),
  pidAfter: z.number(),
  downMs: z.number().meta({ description: 'From the signal until the new process listened.' }),
  restartsLeft: z.number()
})

const notNow = z.object({ error: z.string(), message: z.string() })

const shared = { group: 'The Chaos page', who: 'anyone' } as const

export function chaosRoutes({ look, start, kill }: Replies): Route[] {
  return [
    route({
      ...shared,
      method: 'GET',
      path: '/chaos',
      id: 'chaos',
      says: 'Says whether a child server may be started and killed, and how it is.',
      answers: { 200: { says: 'The state.', content: { 'application/json': state } } },
      reply: ({ request }) => look(request)
    }),
    route({
      ...shared,
      method: 'POST',
      path: '/chaos/start',
      id: 'startChaos',
      says: 'Starts the child server.',
      more: 'As `--chaos` allows it.',
      answers: { 200: { says: 'It runs.', content: { 'application/json': state } } },
      faults: ['ERR_FORBIDDEN', 'ERR_OVERLOADED'],
      reply: ({ request }) => start(request)
    }),
    route({
      ...shared,
      method: 'POST',
      path: '/chaos/kill',
      id: 'killChaos',
      says: 'Kills the child server and starts it anew.',
      more: 'As `--chaos` allows it.',
      answers: {
        200: { says: 'It runs again.', content: { 'application/json': killed } },
        409: { says: 'None runs.', content: { 'application/json': notNow } },
        429: { says: 'It was killed too often in the last minute.', content: { 'application/json': notNow } }
      },
      faults: ['ERR_FORBIDDEN', 'ERR_OVERLOADED'],
      reply: ({ request }) => kill(request)
    })
  ]
}
