/**
 * The store in a directory: a marker that says the directory is ours, and the ordered store over LevelDB
 * beside it.
 */
import { claimForCopy, claimForStore } from './directory.ts'
import { createLevelBackend } from './level-backend.ts'
import { type OrderedStoreOptions, openOrderedStore } from './ordered-store.ts'
import type { Store } from './store.ts'

export type LevelStoreOptions = Omit<OrderedStoreOptions, 'claimCopy'> & {
  /** Whether a missing store is made. Default true; with false the call rejects with STORE_MISSING. */
  readonly create?: boolean
}

/**
 * Opens the store in `directory`, which is created when it is missing or empty. One process at a time.
 * Rejects with STORE_MISSING, STORE_FOREIGN, STORE_FORMAT, STORE_LOCKED, STORE_UNWRITABLE, STORE_FULL, STORE_DAMAGED or
 * STORE_FAILED.
 */
export async function openLevelStore(
  directory: string,
  { create = true, ...options }: LevelStoreOptions = {}
): Promise<Store> {
  const claimed = await claimForStore(directory, { mustExist: !create })
  const store = await openOrderedStore(createLevelBackend(claimed.logPath), { ...options, claimCopy })
  try {
    await claimed.finish()
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

async function claimCopy(directory: string) {
  const claimed = await claimForCopy(directory)
  return { ...claimed, backend: createLevelBackend(claimed.logPath) }
}
