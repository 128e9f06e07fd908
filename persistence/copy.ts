/**
 * A consistent copy of everything while the store is in use: one snapshot, walked in bounded steps into a
 * fresh database whose marker is written last.
 */
import { bounds } from './bounds.ts'
import { everything } from './format.ts'
import type { Operation, OrderedBackend, OrderedDatabase, OrderedReader } from './ordered.ts'
import type { Session } from './session.ts'
import { type CopyProgress, StoreError } from './store.ts'

/** Where a copy goes. `finish` makes it a valid store; `abandon` removes what was written. */
export type CopyTarget = {
  readonly backend: OrderedBackend
  finish(): Promise<void>
  abandon(): Promise<void>
}

/**
 * Copies all keys. Ends with STORE_CLOSED when the store closes and STORE_FAILED when it is reopened
 * meanwhile.
 */
export async function copyEverything(
  session: Session,
  target: CopyTarget,
  onProgress: (progress: CopyProgress) => void
): Promise<CopyProgress> {
  const database = await session.borrow()
  const snapshot = database.snapshot()
  try {
    const progress = await fillTarget(session, snapshot, target, onProgress)
    await target.finish()
    return progress
  } catch (error) {
    await target.abandon()
    throw error
  } finally {
    // A reopen has released it already.
    await snapshot.release().catch(() => {})
  }
}

async function fillTarget(
  session: Session,
  snapshot: OrderedReader,
  target: CopyTarget,
  onProgress: (progress: CopyProgress) => void
): Promise<CopyProgress> {
  const copy = await target.backend.open()
  try {
    const progress = await copyKeys(session, snapshot, copy, onProgress)
    await copy.close()
    return progress
  } catch (error) {
    // The first error is the one to tell.
    await copy.close().catch(() => {})
    throw error
  }
}

async function copyKeys(
  session: Session,
  snapshot: OrderedReader,
  copy: OrderedDatabase,
  onProgress: (progress: CopyProgress) => void
): Promise<CopyProgress> {
  let keys = 0
  let bytes = 0
  let step: Operation[] = []
  let stepBytes = 0
  const flush = async () => {
    if (step.length === 0) return
    await copy.batch(step, 'synced')
    keys += step.length
    bytes += stepBytes
    step = []
    stepBytes = 0
    onProgress({ keys, bytes })
  }
  for await (const page of snapshot.range(everything)) {
    for (const [key, value] of page) {
      if (stepBytes > 0 && stepBytes + key.length + value.length > bounds.batchBytesMax) await flush()
      if (session.isClosing) throw new StoreError('STORE_CLOSED', 'The store was closed during the copy')
      step.push({ type: 'put', key, value })
      stepBytes += key.length + value.length
    }
  }
  await flush()
  return { keys, bytes }
}
