/** The routes that change a document by its past, or its past: restores, undos, names of versions, pruning. */
import { z } from 'zod'
import { Fault } from '../base/errors.ts'
import type { DocumentHistories } from '../documents/document-histories.ts'
import type { HistoryMoment, RestoreOptions } from '../documents/history-api.ts'
import type { HistoryParts, Question } from './history.ts'
import { asking, historyFaults, historyRoot } from './history.ts'
import { momentFrom, timeFrom } from './history-query.ts'
import * as schemas from './history-schemas.ts'
import { json } from './message.ts'
import { jsonBody, type Route, route } from './route.ts'
import { wrong } from './router.ts'
import { document, words } from './schemas.ts'

type Parts = Pick<HistoryParts, 'askers'> & { readonly histories: DocumentHistories }

const shared = { group: 'History', who: 'restore', faults: historyFaults } as const

const key = z.string().optional().meta({ description: 'Asked again with the same key, it is done once.' })

const restoredAnswer = {
  200: { says: 'It is done, and on disk.', content: { 'application/json': schemas.restored } }
}

export function historyChanging(parts: Parts): Route[] {
  return [naming(parts), unnaming(parts), restoring(parts), undoing(parts), pruning(parts)]
}

function naming(parts: Parts): Route {
  const { momentBody, authorBody, version } = schemas
  return route({
    ...shared,
    method: 'POST',
    path: `${historyRoot}/versions`,
    id: 'nameVersion',
    says: 'Names a moment of the document; without one: now.',
    parameters: { document },
    body: jsonBody(
      z.object({ name: words('The name.', 'sent to print'), author: authorBody, ...momentBody })
    ),
    answers: { 201: { says: 'The version.', content: { 'application/json': version } } },
    faults: [...historyFaults, 'ERR_TOO_MANY_VERSIONS'],
    reply: ({ request, asker, body, parameters: { document } }) =>
      asking(parts, { request, asker, document }, async question => {
        const moment = momentIn(body)
        const author = authorOf(body, question.asker)
        const options = { ...(moment === null ? {} : { moment }), ...(author === null ? {} : { author }) }
        const { changes } = parts.histories
        return json(201, await saying(() => changes.name(document, body.name, options)))
      })
  })
}

function unnaming(parts: Parts): Route {
  return route({
    ...shared,
    method: 'DELETE',
    path: `${historyRoot}/versions/:version`,
    id: 'unnameVersion',
    says: 'Takes a version away; the document stays as it is.',
    parameters: { document, version: z.string().meta({ description: 'The id of the version.' }) },
    answers: {
      200: { says: 'It is gone.', content: { 'application/json': z.object({ id: z.string() }) } }
    },
    reply: ({ request, asker, parameters: { document, version } }) =>
      asking(parts, { request, asker, document }, async () => {
        const isGone = await parts.histories.changes.unname(document, version)
        if (isGone) return json(200, { id: version })
        throw new Fault('ERR_NO_VERSION')
      })
  })
}

function restoring(parts: Parts): Route {
  const { momentBody, authorBody, rootsBody } = schemas
  return route({
    ...shared,
    method: 'POST',
    path: `${historyRoot}/restore`,
    id: 'restore',
    says: 'Brings the document back to what it was at a moment, as one ordinary edit.',
    parameters: { document },
    headers: { 'idempotency-key': key },
    body: jsonBody(z.object({ ...momentBody, author: authorBody, roots: rootsBody })),
    answers: restoredAnswer,
    faults: [...historyFaults, 'ERR_KEY_REUSED', 'ERR_UPDATE_TOO_LARGE'],
    reply: ({ request, asker, body, parameters: { document } }) =>
      asking(parts, { request, asker, document }, async question => {
        const moment = momentIn(body)
        if (moment === null) throw wrong('the body has no moment: time, sequence or version')
        const { changes } = parts.histories
        const options = restoreOptions(body, question)
        return json(200, await saying(() => changes.restore(document, moment, options)))
      })
  })
}

const undoBody = z
  .object({
    user: words('What this user did.').optional(),
    connection: words('What came over this connection.').optional(),
    from: words('After this moment.', 'sequence:12'),
    to: words('Up to this moment. Without it: now.').optional(),
    author: schemas.authorBody,
    roots: schemas.rootsBody
  })
  .refine(
    ({ user, connection }) => (user === undefined) !== (connection === undefined),
    'the body names a user or a connection'
  )

function undoing(parts: Parts): Route {
  return route({
    ...shared,
    method: 'POST',
    path: `${historyRoot}/undo`,
    id: 'undo',
    says: 'Takes back what somebody did, wherever others have gone on since.',
    parameters: { document },
    headers: { 'idempotency-key': key },
    body: jsonBody(undoBody),
    answers: restoredAnswer,
    faults: [...historyFaults, 'ERR_KEY_REUSED', 'ERR_UPDATE_TOO_LARGE'],
    reply: ({ request, asker, body, parameters: { document } }) =>
      asking(parts, { request, asker, document }, async question => {
        const { user, connection, from, to } = body
        const by = user === undefined ? { connection: connection ?? '' } : { user }
        const asked = { ...by, from: momentFrom(from), ...(to === undefined ? {} : { to: momentFrom(to) }) }
        const options = restoreOptions(body, question)
        return json(200, await saying(() => parts.histories.changes.undo(document, asked, options)))
      })
  })
}

function pruning(parts: Parts): Route {
  return route({
    ...shared,
    who: 'operator',
    method: 'POST',
    path: `${historyRoot}/prune`,
    id: 'prune',
    says: 'Removes contents from before a time for good; who did what when stays.',
    parameters: { document },
    body: jsonBody(z.object({ before: words('A time.', '2026-11-30T10:00:00Z') })),
    answers: { 200: { says: 'They are gone.', content: { 'application/json': schemas.pruned } } },
    faults: [...historyFaults, 'ERR_OVERLOADED', 'ERR_ROOM_NAME'],
    reply: ({ request, asker, body: { before }, parameters: { document } }) =>
      asking(parts, { request, asker, document }, async () =>
        json(200, await parts.histories.prune(document, { timeMs: timeFrom(before) }))
      )
  })
}

type MomentBody = {
  readonly time?: string | number | undefined
  readonly sequence?: string | number | undefined
  readonly version?: string | undefined
}

/** One of `time`, `sequence` and `version`; null: none is there. */
function momentIn(body: MomentBody): HistoryMoment | null {
  const named = (['time', 'sequence', 'version'] as const).filter(each => body[each] !== undefined)
  const [kind] = named
  if (kind === undefined) return null
  if (named.length > 1) throw wrong('the body has one moment: time, sequence or version')
  return momentFrom(`${kind}:${body[kind]}`)
}

type OptionsBody = { readonly author?: string | undefined; readonly roots?: readonly string[] | undefined }

/** A person restores in their own name, the operator in whose they like. */
function authorOf({ author }: OptionsBody, { isOperator, user }: Question['asker']): string | null {
  return isOperator ? (author ?? null) : user
}

function restoreOptions(body: OptionsBody, { request, asker, signal }: Question): RestoreOptions {
  const { roots } = body
  const author = authorOf(body, asker)
  const key = request.header('idempotency-key')
  return {
    signal,
    ...(author === null ? {} : { author }),
    ...(key === undefined ? {} : { key }),
    ...(roots === undefined ? {} : { roots })
  }
}

/** What a call takes as an option and refuses with a TypeError is the fault of who asks. */
async function saying<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof TypeError) throw wrong(error.message)
    throw error
  }
}
