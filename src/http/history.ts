/**
 * The routes that ask about a document's past. Answers that a worker wrote are sent as they are. What has not changed since
 * it was asked last is answered with 304.
 */
import { createHash } from 'node:crypto'
import type { Limits } from '../base/limits.ts'
import { activityDefaults, type HistoryQuestioning } from '../documents/history.ts'
import type { HistoryMoment } from '../documents/history-api.ts'
import type { Asker, Askers, Needed } from './askers.ts'
import { momentFrom, momentOf, rootsOf, timeFrom, typesOf, wholeOf, wrong } from './history-query.ts'
import { json, type Parameters, type Reply, type Request, type Route } from './router.ts'

export type HistoryParts = {
  readonly questioning: HistoryQuestioning
  readonly askers: Askers
  readonly limits: Limits
}

/** A request whose asker may ask. */
export type Asked = {
  readonly request: Request
  readonly document: string
  readonly parameters: Parameters
  readonly asker: Asker
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal
}

const burstsMax = 10_000
const root = '/api/documents/:name/history'

export function historyReading(parts: HistoryParts): Route[] {
  return [
    reading(parts, '', asked => extent(parts, asked)),
    reading(parts, '/activity', asked => activity(parts, asked)),
    reading(parts, '/at', asked => at(parts, asked)),
    reading(parts, '/diff', asked => diff(parts, asked)),
    reading(parts, '/blame', asked => blame(parts, asked))
  ]
}

/** A route below a document's history, for who has what is needed. */
export function historyRoute(
  { askers }: Pick<HistoryParts, 'askers'>,
  { method, path, needed }: Pick<Route, 'method' | 'path'> & { readonly needed: Needed },
  reply: (asked: Asked) => Promise<Reply>
): Route {
  return {
    method,
    path: `${root}${path}`,
    // Who may is looked at here: people may ask as well, and what they may depends on the document.
    tokens: 'anyone',
    reply: async (request, parameters) => {
      const document = parameters.name ?? ''
      const asker = await askers.askerOf(request, document, needed)
      const signal = request.gone()
      return askers.bounded(asker, () => reply({ request, document, parameters, asker, signal }))
    }
  }
}

function reading(parts: HistoryParts, path: string, reply: (asked: Asked) => Promise<Reply>): Route {
  return historyRoute(parts, { method: 'GET', path, needed: 'read' }, async asked => {
    const tag = tagOf(await parts.questioning.stamp(asked.document), asked.request)
    if (asked.request.header('if-none-match') === tag) return { status: 304, headers: cached(tag), body: '' }
    const answer = await reply(asked)
    return { ...answer, headers: { ...answer.headers, ...cached(tag) } }
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

async function extent({ questioning }: HistoryParts, { document }: Asked): Promise<Reply> {
  return json(200, await questioning.extent(document))
}

async function activity({ questioning }: HistoryParts, { request, document, signal }: Asked): Promise<Reply> {
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
  { request, document, signal }: Asked
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
  { request, document, signal }: Asked
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
  { request, document, signal }: Asked
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
