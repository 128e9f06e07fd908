/** What keeps the server looked after: liveness, readiness, metrics, and the backup that `y-chorus backup` asks for. */

import type { Store } from '../../persistence/store.ts'
import { copyStore, StoreError } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Metrics } from '../base/metrics.ts'
import type { CompactionSchedule } from '../room/compaction-schedule.ts'
import type { Journal } from '../room/journal.ts'
import { readObject, textOf } from './json-body.ts'
import type { Readiness } from './readiness.ts'
import { json, type Reply, type Request, type Route } from './router.ts'

/** This server among others. */
export type NodeState = {
  /** Null: it has no name, as it is alone. */
  readonly name: string | null
  /** Null: there is no bus. */
  readonly bus: { readonly state: 'well' | 'away' } | null
}

type Parts = {
  readonly node: NodeState
  readonly store: Store
  readonly readiness: Readiness
  readonly journal: Journal
  readonly compactions: Pick<CompactionSchedule, 'uncompacted'>
  readonly metrics: Metrics
  readonly isDraining: () => boolean
  /** Who knows it may ask for a backup: it lies in the data directory, readable by the server's own user only. */
  readonly controlToken: string
}

export function operations(parts: Parts): Route[] {
  const { controlToken } = parts
  return [
    { method: 'GET', path: '/healthz', tokens: 'anyone', reply: () => json(200, { status: 'ok' }) },
    { method: 'GET', path: '/readyz', tokens: 'anyone', reply: () => ready(parts) },
    { method: 'GET', path: '/metrics', tokens: 'anyone', reply: () => exposition(parts) },
    {
      method: 'POST',
      path: '/api/backup',
      tokens: [controlToken],
      reply: request => backup(parts, request)
    }
  ]
}

/**
 * Not ready while draining and while the store cannot be written. A bus that is away, a failed append, and documents that
 * cannot be compacted keep nobody away: they are told in the answer.
 */
async function ready({ node, readiness, journal, compactions, isDraining }: Parts): Promise<Reply> {
  const name = node.name === null ? {} : { node: node.name }
  if (isDraining()) return json(503, { status: 'draining', ...name })
  const reason = await readiness.look()
  if (reason !== null) return json(503, { status: 'store', reason, ...name })
  const status = node.bus?.state === 'away' ? 'degraded' : 'ready'
  const bus = node.bus === null ? {} : { bus: node.bus.state }
  const lastAppend = journal.lastFailureMs === null ? 'ok' : 'failed'
  return json(200, { status, ...name, ...bus, lastAppend, uncompacted: compactions.uncompacted })
}

async function exposition({ metrics }: Parts): Promise<Reply> {
  const { contentType, text } = await metrics.expose()
  return { status: 200, headers: { 'content-type': contentType, 'cache-control': 'no-store' }, body: text }
}

async function backup({ store }: Parts, request: Request): Promise<Reply> {
  const directory = textOf(await readObject(request), 'directory')
  if (directory === undefined) throw new Fault('ERR_BAD_MESSAGE', 'the body names no directory')
  try {
    const { keys, bytes } = await copyStore(store, directory)
    return json(200, { directory, keys, bytes })
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return json(409, { error: error.code, message: error.message })
  }
}
