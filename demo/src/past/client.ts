// The questions of this page to the server's HTTP interface, and what a refusal means to a person.
import type { RoomAddress } from '../room.ts'
import type { Attribution, Burst, Difference, Extent, Piece, TakenBack, Version } from './answers.ts'
import { textName } from './model.ts'

/** `off`: there is no history to ask for; `away`: nobody answers; `empty`: nothing was written yet. */
export type Trouble = 'off' | 'forbidden' | 'away' | 'busy' | 'empty' | 'gone' | 'failed'

/** The message is a sentence for people: what is wrong, and what to do. */
export class PastError extends Error {
  readonly trouble: Trouble

  constructor(trouble: Trouble, message: string) {
    super(message)
    this.trouble = trouble
  }
}

export type PastClient = {
  extent(): Promise<Extent>
  /** `pauseMs`: a longer silence of an author ends a burst. */
  activity(pauseMs: number): Promise<{ bursts: readonly Burst[]; isComplete: boolean }>
  /** Of one root type, after a record of the log. */
  blame(root: string, sequence: number, signal?: AbortSignal): Promise<Difference | undefined>
  diff(range: { from: number; to: number }, signal: AbortSignal): Promise<Difference | undefined>
  name(name: string, sequence: number): Promise<Version>
  unname(id: string): Promise<void>
  /** `key`: asked again with the same one, it is done once. */
  restore(sequence: number, key: string): Promise<TakenBack>
  /** What came over a connection after a moment. */
  undo(connection: string, after: number, key: string): Promise<TakenBack>
}

const busyMs = [300, 900]

type Request = {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly key?: string
  readonly signal?: AbortSignal | undefined
}

/** Every call rejects with PastError, or with an AbortError once `signal` is aborted. */
export function createPastClient({ path }: Pick<RoomAddress, 'path'>): PastClient {
  const base = `./api/documents/${path}/history`
  const differences = async (part: string, request: Request, root: string) => {
    const answer = await ask<SentDifferences>(`${base}/${part}`, request)
    return differenceIn(answer, root)
  }
  const roots = [textName]
  return {
    extent: () => ask(base, {}),
    activity: pauseMs => ask(`${base}/activity`, { query: { pause: String(pauseMs) } }),
    blame: (root, sequence, signal) =>
      differences('blame', { query: { sequence: String(sequence), roots: root }, signal }, root),
    diff: ({ from, to }, signal) =>
      differences(
        'diff',
        { query: { from: `sequence:${from}`, to: `sequence:${to}`, roots: textName }, signal },
        textName
      ),
    name: (name, sequence) => ask(`${base}/versions`, { method: 'POST', body: { name, sequence } }),
    unname: id => ask(`${base}/versions/${encodeURIComponent(id)}`, { method: 'DELETE' }),
    restore: (sequence, key) => insist(`${base}/restore`, { method: 'POST', key, body: { sequence, roots } }),
    undo: (connection, after, key) =>
      insist(`${base}/undo`, { method: 'POST', key, body: { connection, from: `sequence:${after}`, roots } })
  }
}

/** As it is sent: each reason once, and `by` is its place among them, from 1; 0 is nobody known. */
type SentPiece = Omit<Piece, 'by'> & { readonly by: number }
type SentDifferences = {
  readonly reasons: readonly Attribution[]
  readonly types: Readonly<
    Record<string, { pieces: readonly SentPiece[]; entries: Readonly<Record<string, readonly SentPiece[]>> }>
  >
}

function differenceIn({ reasons, types }: SentDifferences, root: string): Difference | undefined {
  const sent = types[root]
  if (sent === undefined) return undefined
  const named = (pieces: readonly SentPiece[]) =>
    pieces.map(({ by, ...piece }): Piece => ({ ...piece, by: reasons[by - 1] ?? null }))
  const entries = Object.entries(sent.entries).map(([key, pieces]) => [key, named(pieces)] as const)
  return { pieces: named(sent.pieces), entries: Object.fromEntries(entries) }
}

/** The answer may have been lost on the way: with the same key nothing is done twice. */
async function insist<Answer>(url: string, request: Request): Promise<Answer> {
  try {
    return await ask<Answer>(url, request)
  } catch (error) {
    if (!(error instanceof PastError) || error.trouble !== 'away') throw error
    return ask<Answer>(url, request)
  }
}

/** A server that is busy is asked again, a few times. */
async function ask<Answer>(url: string, request: Request): Promise<Answer> {
  for (const waitMs of busyMs) {
    try {
      return await askOnce<Answer>(url, request)
    } catch (error) {
      if (!(error instanceof PastError) || error.trouble !== 'busy') throw error
      await new Promise(resolve => setTimeout(resolve, waitMs))
    }
  }
  return askOnce<Answer>(url, request)
}

async function askOnce<Answer>(url: string, request: Request): Promise<Answer> {
  const { method = 'GET', query = {}, body, key, signal = null } = request
  const search = new URLSearchParams(query).toString()
  const headers: Record<string, string> = { accept: 'application/json' }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (key !== undefined) headers['idempotency-key'] = key
  const response = await fetch(search === '' ? url : `${url}?${search}`, {
    method,
    headers,
    signal,
    body: body === undefined ? null : JSON.stringify(body)
  }).catch((error: unknown) => {
    if (signal?.aborted === true) throw error
    throw new PastError('away', 'The server does not answer. This page asks again in a moment.')
  })
  const answer: unknown = response.status === 204 ? null : await response.json().catch(() => null)
  // Our own server's answer, as docs/history.md describes it.
  if (response.ok) return answer as Answer
  throw refusal(response.status, answer)
}

function refusal(status: number, answer: unknown): PastError {
  const { error, message } = typeof answer === 'object' && answer !== null ? (answer as Refusal) : {}
  switch (error) {
    case 'ERR_NO_HISTORY':
      return new PastError('off', 'This server keeps no history of this document.')
    case 'ERR_NO_DOCUMENT':
      return new PastError('empty', 'Nothing has been written here yet.')
    case 'ERR_NOT_AUTHENTICATED':
    case 'ERR_FORBIDDEN':
      return new PastError('forbidden', 'This server shows you no history of this document.')
    case 'ERR_NO_MOMENT':
    case 'ERR_NO_VERSION':
      return new PastError('gone', 'That moment is not kept any more.')
    case 'ERR_OVERLOADED':
      return new PastError('busy', 'The server has too much to do. This page asks again in a moment.')
    default:
      if (status === 404) return new PastError('off', 'This server keeps no histories.')
      return new PastError('failed', `The server could not answer: ${message ?? `status ${status}`}.`)
  }
}

type Refusal = { readonly error?: string; readonly message?: string }
