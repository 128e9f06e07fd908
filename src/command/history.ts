/** `y-chorus history`: asks a running server about the past of a document, and tells people what it says. */
import { randomUUID } from 'node:crypto'
import { directoryOfStore } from '../../persistence/index.ts'
import { readControl } from '../http/control.ts'
import { type Ask, askOf, HistoryUsage, historyUsage, isKeyed, usageOf } from './history-asks.ts'
import { type Answer, shown } from './history-text.ts'

export type HistoryCall = {
  /** Where the documents are: a server there has left its address. */
  readonly data: string
  /** Of a server elsewhere, with the token of whoever asks; null: the one at `data`. */
  readonly url: string | null
  readonly token: string | null
  /** Under which a restore or undo happens once; null: one is made. */
  readonly key: string | null
  readonly isJson: boolean
  readonly isColoured: boolean
  readonly nowMs: number
}

/** What is to be printed. Throws HistoryUsage, and Error with what the server says. */
export async function askHistory(
  operands: readonly string[],
  call: HistoryCall
): Promise<string | Uint8Array> {
  const [action = '', document = '', ...rest] = operands
  const ask = askOf(action, rest, call.nowMs)
  if (ask === null || document === '') throw new HistoryUsage(usageOf(action))
  if (call.key !== null && !isKeyed(action)) throw new HistoryUsage('only restore and undo take --key')
  const key = isKeyed(action) ? (call.key ?? randomUUID()) : null
  const again = ['y-chorus', 'history', action, document, ...ask.again].map(quoted).join(' ')
  const body = await send(document, { ...ask, key }, call).catch((error: unknown) => {
    if (key === null || !(error instanceof Lost)) throw error
    const hint = `It may have been done. To find out, and to have it done once, ask again:\n${again} --key ${quoted(key)}`
    throw new Error(`${error.message}. ${hint}`, { cause: error })
  })
  if (action === 'export') return body
  const text = new TextDecoder().decode(body)
  // What the server of the same version says.
  return call.isJson ? text.trimEnd() : shown(action, JSON.parse(text) as Answer, call.isColoured)
}

export { HistoryUsage, historyUsage, usageOf }

/** Whether the server has done it is not known. */
class Lost extends Error {}

type Sent = Ask & { readonly key: string | null }

async function send(
  document: string,
  { method, path, body, key }: Sent,
  call: HistoryCall
): Promise<Uint8Array> {
  const { url, token } = await serverOf(call)
  const address = `${url}/api/documents/${encodeURIComponent(document)}/history${path}`
  const headers = {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(key === null ? {} : { 'idempotency-key': key })
  }
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
  const answer = await fetch(address, init).catch((cause: unknown) => {
    if (isRefused(cause)) throw new Error(`no server answers at ${url}`, { cause })
    throw new Lost(`no answer came from ${url}`, { cause })
  })
  const bytes = await answer.arrayBuffer().catch((cause: unknown) => {
    throw new Lost(`the answer from ${url} broke off`, { cause })
  })
  if (answer.ok) return new Uint8Array(bytes)
  const message = messageOf(bytes) ?? `the server answered ${answer.status}`
  throw answer.status >= 500 ? new Lost(message) : new Error(message)
}

/** Nothing was sent. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : null
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : null
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EHOSTUNREACH'
}

function messageOf(bytes: ArrayBuffer): string | null {
  try {
    const said: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof said === 'object' && said !== null && 'message' in said ? String(said.message) : null
  } catch {
    // No JSON: it came from something between this and the server.
    return null
  }
}

/** As a shell takes it. */
function quoted(word: string): string {
  return /^[\w.:/@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
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
