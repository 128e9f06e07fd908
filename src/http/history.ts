/**
 * The routes that ask about a document's past. Answers that a worker wrote are sent as they are. What has not changed since
 * it was asked last is answered with 304.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Fault, type FaultCode } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { activityDefaults, type HistoryQuestioning } from '../documents/history.ts'
import type { HistoryMoment } from '../documents/history-api.ts'
import type { Asker, Askers } from './askers.ts'
import { momentFrom, momentOf, rootsOf, timeFrom, typesOf, wholeOf } from './history-query.ts'
import * as schemas from './history-schemas.ts'
import { json, type Reply, type Request } from './message.ts'
import { type Answer, type Fields, type Route, route } from './route.ts'
import { wrong } from './router.ts'
import { document as documentField } from './schemas.ts'

export type HistoryParts = {
  readonly questioning: HistoryQuestioning
  readonly askers: Askers
  readonly limits: Limits
}

/** A request whose asker may ask. */
export type Question = {
  readonly request: Request
  readonly document: string
  readonly asker: Asker
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal
}

const burstsMax = 10_000
export const historyRoot = '/api/documents/*document/history'

/** Beside those of every route for people. */
export const historyFaults: readonly FaultCode[] = [
  'ERR_NO_HISTORY',
  'ERR_NO_DOCUMENT',
  'ERR_NO_MOMENT',
  'ERR_NO_VERSION',
  'ERR_ANSWER_TOO_LARGE',
  'ERR_DEADLINE',
  'ERR_CANCELLED',
  'ERR_STORE',
  'ERR_DOCUMENT_DAMAGED'
]

export function historyReading(parts: HistoryParts): Route[] {
  const { momentFields, rootsField, typesField, from, to } = schemas
  const bytes = { 'application/octet-stream': 'A Yjs update (V1).', 'application/json': schemas.contents }
  return [
    reading(parts, {
      path: '',
      id: 'historyExtent',
      says: 'Says how far the history of a document goes, with its holes and versions.',
      content: { 'application/json': schemas.extent },
      reply: asked => extent(parts, asked)
    }),
    reading(parts, {
      path: '/activity',
      id: 'historyActivity',
      says: 'Says who worked when, and how much.',
      query: {
        from: z.string().optional().meta({ description: 'A time. Without it: from the beginning.' }),
        to: z.string().optional().meta({ description: 'A time. Without it: until now.' }),
        pause: z
          .string()
          .optional()
          .meta({ description: 'A longer pause ends a burst, in ms.', example: '1000' }),
        limit: z
          .string()
          .optional()
          .meta({ description: 'Of more bursts the newest are given.', example: '100' })
      },
      content: { 'application/json': schemas.activity },
      reply: asked => activity(parts, asked)
    }),
    reading(parts, {
      path: '/at',
      id: 'historyAt',
      says: 'Gives the document as it was at a moment.',
      more: 'With `types` as JSON, else as an update. One of `time`, `sequence` and `version` says the moment.',
      query: { ...momentFields, types: typesField },
      content: bytes,
      reply: asked => at(parts, asked)
    }),
    reading(parts, {
      path: '/diff',
      id: 'historyDiff',
      says: 'Says what lies between two moments, piece by piece, with who did it.',
      query: { from, to, roots: rootsField },
      content: { 'application/json': schemas.differences },
      reply: asked => diff(parts, asked)
    }),
    reading(parts, {
      path: '/blame',
      id: 'historyBlame',
      says: 'Says who wrote what stands at a moment; without one: now.',
      query: { ...momentFields, roots: rootsField },
      content: { 'application/json': schemas.differences },
      reply: asked => blame(parts, asked)
    })
  ]
}

/** Does the work for who asks, if they have not too much under way. */
export function asking(
  { askers }: Pick<HistoryParts, 'askers'>,
  { request, asker, document }: { request: Request; asker: Asker | null; document: string },
  work: (question: Question) => Promise<Reply>
): Promise<Reply> {
  if (asker === null) throw new Fault('ERR_INTERNAL', 'a history was asked by nobody')
  const signal = request.gone()
  return askers.bounded(asker, () => work({ request, document, asker, signal }))
}

type Reading = {
  readonly path: string
  readonly id: string
  readonly says: string
  readonly more?: string
  readonly query?: Fields
  readonly content: NonNullable<Answer['content']>
  readonly reply: (question: Question) => Promise<Reply>
}

const tagHeader = { etag: 'Sent back as If-None-Match, it asks only for what has changed.' }

function reading(parts: HistoryParts, { path, content, query = {}, reply, ...said }: Reading): Route {
  return route({
    ...said,
    method: 'GET',
    path: `${historyRoot}${path}`,
    group: 'History',
    who: 'history',
    parameters: { document: documentField },
    query,
    headers: {
      'if-none-match': z.string().optional().meta({ description: 'The ETag of an earlier answer.' })
    },
    answers: {
      200: { says: 'The answer.', content, headers: tagHeader },
      304: { says: 'It is as it was.', headers: tagHeader }
    },
    faults: historyFaults,
    reply: ({ request, asker, parameters: { document } }) =>
      asking(parts, { request, asker, document }, async question => {
        const tag = tagOf(await parts.questioning.stamp(document), request)
        if (request.header('if-none-match') === tag) return { status: 304, headers: cached(tag), body: '' }
        const answer = await reply(question)
        return { ...answer, headers: { ...answer.headers, ...cached(tag) } }
      })
  })
}

/** Of everything that the answer hangs on. */
function tagOf(stamp: string, { path, query, header }: Request): string {
  const asked = [stamp, path, query.toString(), header('accept') ?? '']
  return `"${createHash('sha256').update(JSON.stringify(asked)).digest('base64url').slice(0, 22)}"`
}

/** Only whoever asked may keep it, and asks again each time. */
function cached(etag: string): Readonly<Record<string, string>> {
  return { etag, 'cache-control': 'private, no-cache', vary: 'authorization, accept' }
}

async function extent({ questioning }: HistoryParts, { document }: Question): Promise<Reply> {
  return json(200, await questioning.extent(document))
}

async function activity(
  { questioning }: HistoryParts,
  { request, document, signal }: Question
): Promise<Reply> {
  const { query } = request
  const [from, to] = [query.get('from'), query.get('to')]
  const question = {
    fromMs: from === null ? activityDefaults.fromMs : timeFrom(from),
    toMs: to === null ? activityDefaults.toMs : timeFrom(to),
    pauseMs: wholeOf(query, 'pause', Number.MAX_SAFE_INTEGER) ?? activityDefaults.pauseMs,
    burstsMax: wholeOf(query, 'limit', burstsMax) ?? activityDefaults.limit
  }
  return jsonBytes(await questioning.reads.activity({ document, signal }, question))
}

async function at(
  { questioning, limits }: HistoryParts,
  { request, document, signal }: Question
): Promise<Reply> {
  const moment = momentOf(request.query)
  if (moment === null) throw wrong('the moment is missing: time, sequence or version')
  const types = typesOf(request.query)
  if (types !== null) {
    const question = { moment, types, answerBytesMax: limits.historyAnswerBytesMax }
    return jsonBytes(await questioning.reads.contents({ document, signal }, question))
  }
  if (/^application\/json/.test(request.header('accept') ?? '')) {
    throw wrong('for JSON, types says which root types are wanted, like types=body:text')
  }
  const update = await questioning.reads.at({ document, signal }, moment)
  return { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: update }
}

async function diff(
  { questioning, limits }: HistoryParts,
  { request, document, signal }: Question
): Promise<Reply> {
  const { query } = request
  const [from, to] = [query.get('from'), query.get('to')]
  if (from === null) throw wrong('from is missing: a time, sequence:<number> or version:<id>')
  const question = {
    from: momentFrom(from),
    to: to === null ? null : momentFrom(to),
    roots: rootsOf(query),
    answerBytesMax: limits.historyAnswerBytesMax
  }
  return jsonBytes(await questioning.reads.differences({ document, signal }, question))
}

async function blame(
  { questioning, limits }: HistoryParts,
  { request, document, signal }: Question
): Promise<Reply> {
  const moment: HistoryMoment | null = momentOf(request.query)
  const question = {
    from: moment,
    roots: rootsOf(request.query),
    answerBytesMax: limits.historyAnswerBytesMax
  }
  return jsonBytes(await questioning.reads.blame({ document, signal }, question))
}

function jsonBytes(body: Uint8Array): Reply {
  return { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body }
}
