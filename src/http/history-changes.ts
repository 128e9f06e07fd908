/** The routes that change a document by its past, or its past: restores, undos, names of versions, pruning. */
import type { DocumentHistories } from '../documents/document-histories.ts'
import type { HistoryMoment, RestoreOptions } from '../documents/history-api.ts'
import type { Asked, HistoryParts } from './history.ts'
import { historyRoute } from './history.ts'
import { momentFrom, timeFrom, wrong } from './history-query.ts'
import { readObject, textOf } from './json-body.ts'
import { json, type Reply, type Route } from './router.ts'

type Parts = Pick<HistoryParts, 'askers'> & { readonly histories: DocumentHistories }

type Body = Readonly<Record<string, unknown>>

const rootsMax = 100

export function historyChanging(parts: Parts): Route[] {
  const route = (
    method: 'POST' | 'DELETE',
    path: string,
    needed: 'restore' | 'operator',
    reply: (asked: Asked) => Promise<Reply>
  ) => historyRoute(parts, { method, path, needed }, reply)
  return [
    route('POST', '/versions', 'restore', asked => name(parts, asked)),
    route('DELETE', '/versions/:version', 'restore', asked => unname(parts, asked)),
    route('POST', '/restore', 'restore', asked => restore(parts, asked)),
    route('POST', '/undo', 'restore', asked => undo(parts, asked)),
    route('POST', '/prune', 'operator', asked => prune(parts, asked))
  ]
}

async function name({ histories }: Parts, { request, document, asker }: Asked): Promise<Reply> {
  const body = await readObject(request)
  const given = textOf(body, 'name')
  if (given === undefined) throw wrong('the body has no name')
  const moment = momentIn(body)
  const author = authorOf(body, asker)
  const options = { ...(moment === null ? {} : { moment }), ...(author === null ? {} : { author }) }
  return json(201, await saying(() => histories.changes.name(document, given, options)))
}

async function unname({ histories }: Parts, { document, parameters }: Asked): Promise<Reply> {
  const isGone = await histories.changes.unname(document, parameters.version ?? '')
  if (isGone) return json(200, { id: parameters.version })
  return json(404, { error: 'ERR_NO_VERSION', message: 'there is no such version of this document' })
}

async function restore({ histories }: Parts, asked: Asked): Promise<Reply> {
  const body = await readObject(asked.request)
  const moment = momentIn(body)
  if (moment === null) throw wrong('the body has no moment: time, sequence or version')
  const options = restoreOptions(body, asked)
  return json(200, await saying(() => histories.changes.restore(asked.document, moment, options)))
}

async function undo({ histories }: Parts, asked: Asked): Promise<Reply> {
  const body = await readObject(asked.request)
  const [user, connection] = [textOf(body, 'user'), textOf(body, 'connection')]
  const [from, to] = [textOf(body, 'from'), textOf(body, 'to')]
  if (from === undefined) throw wrong('the body has no from: a time, sequence:<number> or version:<id>')
  if ((user === undefined) === (connection === undefined))
    throw wrong('the body names a user or a connection')
  const by = user === undefined ? { connection: connection ?? '' } : { user }
  const question = { ...by, from: momentFrom(from), ...(to === undefined ? {} : { to: momentFrom(to) }) }
  const options = restoreOptions(body, asked)
  return json(200, await saying(() => histories.changes.undo(asked.document, question, options)))
}

async function prune({ histories }: Parts, { request, document }: Asked): Promise<Reply> {
  const before = textOf(await readObject(request), 'before')
  if (before === undefined) throw wrong('the body has no before: a time')
  return json(200, await histories.prune(document, { timeMs: timeFrom(before) }))
}

/** One of `time`, `sequence` and `version`; null: none is there. */
function momentIn(body: Body): HistoryMoment | null {
  const named = ['time', 'sequence', 'version'].filter(each => body[each] !== undefined)
  const [kind] = named
  if (kind === undefined) return null
  const value = body[kind]
  const isText = typeof value === 'string' || typeof value === 'number'
  if (named.length > 1 || !isText) throw wrong('the body has one moment: time, sequence or version')
  return momentFrom(`${kind}:${value}`)
}

/** A person restores in their own name, the operator in whose they like. */
function authorOf(body: Body, { isOperator, user }: Asked['asker']): string | null {
  return isOperator ? (textOf(body, 'author') ?? null) : user
}

function restoreOptions(body: Body, { request, asker, signal }: Asked): RestoreOptions {
  const { roots } = body
  if (roots !== undefined && !isNames(roots)) throw wrong(`roots is a list of 1 to ${rootsMax} names`)
  const author = authorOf(body, asker)
  const key = request.header('idempotency-key')
  return {
    signal,
    ...(author === null ? {} : { author }),
    ...(key === undefined ? {} : { key }),
    ...(roots === undefined ? {} : { roots })
  }
}

function isNames(value: unknown): value is readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > rootsMax) return false
  return value.every(each => typeof each === 'string')
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
