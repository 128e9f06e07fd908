/** What keeps the server looked after: liveness, readiness, metrics, and the backup that `y-chorus backup` asks for. */
import { z } from 'zod'
import type { Store } from '../../persistence/store.ts'
import { copyStore, StoreError } from '../../persistence/store.ts'
import type { Metrics } from '../base/metrics.ts'
import type { CompactionSchedule } from '../room/compaction-schedule.ts'
import type { Journal } from '../room/journal.ts'
import { json, type Reply } from './message.ts'
import type { Readiness } from './readiness.ts'
import { jsonBody, type Route, route } from './route.ts'
import { count, words } from './schemas.ts'

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
}

const node = z.string().optional().meta({ description: 'How the server is called among others.' })

const readyAnswer = z.object({
  status: z
    .enum(['ready', 'degraded'])
    .meta({ description: '`degraded`: the bus is away, and all is served all the same.' }),
  node,
  bus: z.enum(['well', 'away']).optional(),
  lastAppend: z.enum(['ok', 'failed']).meta({ description: '`failed` until one succeeds again.' }),
  uncompacted: count('Documents that could not be compacted.')
})

const notReady = z.object({
  status: z.enum(['draining', 'store']).meta({ description: '`store`: it cannot be written.' }),
  reason: z.string().optional(),
  node
})

const shared = { group: 'Operation', who: 'anyone' } as const

export function operations(parts: Parts): Route[] {
  return [
    route({
      ...shared,
      method: 'GET',
      path: '/healthz',
      id: 'health',
      says: 'Says that the process lives.',
      answers: {
        200: { says: 'It does.', content: { 'application/json': z.object({ status: z.literal('ok') }) } }
      },
      reply: () => json(200, { status: 'ok' })
    }),
    route({
      ...shared,
      method: 'GET',
      path: '/readyz',
      id: 'ready',
      says: 'Says whether the server can take and keep changes.',
      answers: {
        200: { says: 'It can.', content: { 'application/json': readyAnswer } },
        503: { says: 'It cannot.', content: { 'application/json': notReady } }
      },
      reply: () => ready(parts)
    }),
    route({
      ...shared,
      method: 'GET',
      path: '/metrics',
      id: 'metrics',
      says: 'Says what the server has counted.',
      answers: { 200: { says: 'The metrics.', content: { 'text/plain': 'Prometheus text.' } } },
      reply: () => exposition(parts)
    }),
    backup(parts)
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

const copied = z.object({
  directory: z.string(),
  keys: count('Entries of the store that were copied.'),
  bytes: count('Their bytes.')
})

const notCopied = z.object({ error: z.string(), message: z.string() })

function backup({ store }: Parts): Route {
  return route({
    method: 'POST',
    path: '/api/backup',
    id: 'backup',
    group: 'Operation',
    says: 'Writes a consistent copy of all documents to a directory of the server, while it serves.',
    who: 'machine',
    body: jsonBody(z.object({ directory: words('It is empty, or does not exist.') })),
    answers: {
      200: { says: 'The copy is complete.', content: { 'application/json': copied } },
      409: {
        says: 'The store could not write it: `error` is a code of the store.',
        content: { 'application/json': notCopied }
      }
    },
    reply: async ({ body: { directory } }) => {
      try {
        const { keys, bytes } = await copyStore(store, directory)
        return json(200, { directory, keys, bytes })
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        return json(409, { error: error.code, message: error.message })
      }
    }
  })
}
