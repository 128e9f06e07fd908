/** `y-chorus history`: asks a running server about the past of a document, and tells people what it says. */
import { directoryOfStore } from '../../persistence/index.ts'
import { readControl } from '../http/control.ts'
import { type Answer, shown } from './history-text.ts'

export type HistoryCall = {
  /** Where the documents are: a server there has left its address. */
  readonly data: string
  /** Of a server elsewhere, with the token of whoever asks; null: the one at `data`. */
  readonly url: string | null
  readonly token: string | null
  readonly isJson: boolean
  readonly isColoured: boolean
  readonly nowMs: number
}

/** Somebody has called it wrongly: how it is called. */
export class HistoryUsage extends Error {}

export const historyUsage = `history takes one of
  list <document>                            how far its history goes, and its versions
  show <document> <moment> <name>:<kind> …   root types as they were; a kind is text, map, array or xml
  export <document> <moment>                 the document as it was, a Yjs update, to standard output
  diff <document> <from> [to]                what changed, and who did it
  blame <document> [moment]                  who wrote what stands
  name <document> <name> [moment]            give a moment a name
  restore <document> <moment>                bring the document back to what it was
  prune <document> <time>                    contents from before go for good
A moment is a time (2026-11-30T10:00, or 10m, 2h, 3d ago), sequence:<number> or version:<id>`

type Ask = { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: object }

/** What is to be printed. Throws HistoryUsage, and Error with what the server says. */
export async function askHistory(
  operands: readonly string[],
  call: HistoryCall
): Promise<string | Uint8Array> {
  const [action = '', document = '', ...rest] = operands
  const ask = askOf(action, rest, call.nowMs)
  if (ask === null || document === '') throw new HistoryUsage(historyUsage)
  const answer = await send(document, ask, call)
  if (action === 'export') return new Uint8Array(await answer.arrayBuffer())
  const text = await answer.text()
  // What the server of the same version says.
  return call.isJson ? text.trimEnd() : shown(action, JSON.parse(text) as Answer, call.isColoured)
}

function askOf(action: string, rest: readonly string[], nowMs: number): Ask | null {
  const [first, second, ...more] = rest
  const moment = (text: string) => momentOf(text, nowMs)
  const get = (path: string, query: Readonly<Record<string, string>> = {}): Ask => ({
    method: 'GET',
    path: `${path}?${new URLSearchParams(query)}`
  })
  const post = (path: string, body: object): Ask => ({ method: 'POST', path, body })
  const atMost = (count: number) => rest.length <= count
  switch (action) {
    case 'list':
      return atMost(0) ? get('') : null
    case 'show':
      if (first === undefined || second === undefined) return null
      return get('/at', { ...asMember(moment(first)), types: [second, ...more].join(',') })
    case 'export':
      return first === undefined || !atMost(1) ? null : get('/at', asMember(moment(first)))
    case 'diff':
      if (first === undefined || !atMost(2)) return null
      return get('/diff', { from: moment(first), ...(second === undefined ? {} : { to: moment(second) }) })
    case 'blame':
      return atMost(1) ? get('/blame', first === undefined ? {} : asMember(moment(first))) : null
    case 'name':
      if (first === undefined || !atMost(2)) return null
      return post('/versions', { name: first, ...(second === undefined ? {} : asMember(moment(second))) })
    case 'restore':
      return first === undefined || !atMost(1) ? null : post('/restore', asMember(moment(first)))
    case 'prune':
      return first === undefined || !atMost(1) ? null : post('/prune', { before: timeOf(first, nowMs) })
    default:
      return null
  }
}

/** `time:…`, `sequence:…` or `version:…`. */
function momentOf(text: string, nowMs: number): string {
  return /^(sequence|version):/.test(text) ? text : `time:${timeOf(text, nowMs)}`
}

function asMember(moment: string): Readonly<Record<string, string>> {
  const colon = moment.indexOf(':')
  return { [moment.slice(0, colon)]: moment.slice(colon + 1) }
}

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** In milliseconds since 1970; a time without a zone is local. */
function timeOf(text: string, nowMs: number): string {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const timeMs = count === undefined ? Date.parse(text) : nowMs - Number(count) * (unitsMs[unit ?? ''] ?? 0)
  if (Number.isNaN(timeMs) || timeMs < 0) throw new HistoryUsage(`"${text}" is no time.\n${historyUsage}`)
  return String(timeMs)
}

async function send(document: string, { method, path, body }: Ask, call: HistoryCall): Promise<Response> {
  const { url, token } = await serverOf(call)
  const address = `${url}/api/documents/${encodeURIComponent(document)}/history${path}`
  const headers = token === null ? {} : { authorization: `Bearer ${token}` }
  const answer = await fetch(address, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  }).catch((cause: unknown) => {
    throw new Error(`no server answers at ${url}`, { cause })
  })
  if (answer.ok) return answer
  const said: unknown = await answer.json().catch(() => null)
  const message = typeof said === 'object' && said !== null && 'message' in said ? String(said.message) : null
  throw new Error(message ?? `the server answered ${answer.status}`)
}

async function serverOf({ data, url, token }: HistoryCall): Promise<{ url: string; token: string | null }> {
  if (url !== null) return { url: url.replace(/\/+$/, ''), token }
  const directory = directoryOfStore(data)
  const control = directory === null ? null : await readControl(directory)
  if (control !== null) return control
  throw new Error(
    'no server runs on these documents; say where one is with --url, and CHORUS_TOKEN for its token'
  )
}
