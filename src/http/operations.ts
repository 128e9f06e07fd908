/** What keeps the server looked after: liveness, readiness, metrics, and the backup that `y-chorus backup` asks for. */
import type { Store } from '../../persistence/store.ts'
import { StoreError } from '../../persistence/store.ts'
import { Fault } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import type { Journal } from '../room/journal.ts'
import { checkBearer } from './bearer.ts'
import { readObject, textOf } from './body.ts'
import { type Handler, json, type Reply, type Request } from './router.ts'

type Parts = {
  readonly store: Store
  readonly journal: Journal
  readonly metrics: Metrics
  readonly isDraining: () => boolean
  /** Who knows it may ask for a backup: it lies in the data directory, readable by the server's own user only. */
  readonly controlToken: string
}

export function operations(parts: Parts): Handler {
  return request => {
    switch (`${request.method} ${request.path}`) {
      case 'GET /healthz':
        return json(200, { status: 'ok' })
      case 'GET /readyz':
        return readiness(parts)
      case 'GET /metrics':
        return exposition(parts)
      case 'POST /api/backup':
        return backup(parts, request)
      default:
        return null
    }
  }
}

/** Not ready while draining, after a failed append that none has followed, and while the store cannot be written. */
async function readiness({ store, journal, isDraining }: Parts): Promise<Reply> {
  if (isDraining()) return json(503, { status: 'draining' })
  try {
    await store.probe()
  } catch (error) {
    return json(503, { status: 'store', reason: error instanceof StoreError ? error.code : 'STORE_FAILED' })
  }
  return json(200, { status: 'ready', lastAppend: journal.lastFailureMs === null ? 'ok' : 'failed' })
}

async function exposition({ metrics }: Parts): Promise<Reply> {
  const { contentType, text } = await metrics.expose()
  return { status: 200, headers: { 'content-type': contentType, 'cache-control': 'no-store' }, body: text }
}

async function backup({ store, controlToken }: Parts, request: Request): Promise<Reply> {
  checkBearer(request, [controlToken])
  const directory = textOf(await readObject(request), 'directory')
  if (directory === undefined) throw new Fault('ERR_BAD_MESSAGE', 'the body names no directory')
  try {
    const { keys, bytes } = await store.copyTo(directory)
    return json(200, { directory, keys, bytes })
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return json(409, { error: error.code, message: error.message })
  }
}
