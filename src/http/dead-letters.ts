/** Dead letters of the change feed, for an operator with the token: to list, to be told again, to remove. */
import { Fault } from '../base/errors.ts'
import type { DeadLetters, WhichLetter } from '../feed/dead-letters.ts'
import { readObject, textOf } from './json-body.ts'
import { json, type Reply, type Route } from './router.ts'

type Parts = { readonly deadLetters: DeadLetters; readonly tokens: readonly string[] }

/** `POST /api/dead-letters/list`, and `…/repeat` and `…/drop` with `{ document, outlet }`. */
export function deadLetterRoutes({ deadLetters, tokens }: Parts): Route[] {
  const route = (action: string, reply: Route['reply']): Route => ({
    method: 'POST',
    path: `/api/dead-letters/${action}`,
    tokens,
    reply
  })
  const ofOne = (act: (which: WhichLetter) => Promise<boolean>): Route['reply'] => {
    return async request => {
      const which = letterOf(await readObject(request))
      return (await act(which)) ? json(200, which) : none()
    }
  }
  return [
    route('list', async () => json(200, await deadLetters.list())),
    route(
      'repeat',
      ofOne(which => deadLetters.repeat(which))
    ),
    route(
      'drop',
      ofOne(which => deadLetters.drop(which))
    )
  ]
}

function letterOf(body: Readonly<Record<string, unknown>>): WhichLetter {
  const [document, outlet] = [textOf(body, 'document'), textOf(body, 'outlet')]
  if (document === undefined || outlet === undefined) {
    throw new Fault('ERR_BAD_MESSAGE', 'the body names no document and outlet')
  }
  return { document, outlet }
}

function none(): Reply {
  return json(404, { error: 'ERR_NOT_FOUND', message: 'there is no such dead letter' })
}
