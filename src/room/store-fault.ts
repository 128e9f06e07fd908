/** What a store throws, as faults: a failure of the store is no bug of ours, and worth another try. */
import { StoreError } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'

/** What opening threw: the store, or what read the bytes that it gave. */
export function openingFault(error: unknown): Fault {
  if (error instanceof StoreError) return storeFault(error)
  return new Fault('ERR_DOCUMENT_DAMAGED', 'the stored document could not be read', { cause: error })
}

/** What a store threw. */
export function storeFault(error: unknown): Fault {
  const isDamage = error instanceof StoreError && error.code === 'STORE_DAMAGED'
  const message = error instanceof Error ? error.message : String(error)
  return new Fault(isDamage ? 'ERR_DOCUMENT_DAMAGED' : 'ERR_STORE', message, { cause: error })
}

/** The same of an error that may be anything else, which stays what it is. */
export function orStoreFault(error: unknown): unknown {
  return error instanceof StoreError ? storeFault(error) : error
}
