/**
 * The public persistence API: re-exports only.
 */
export { bounds as storeBounds } from './bounds.ts'
export { type LevelStoreOptions, openLevelStore } from './leveldb.ts'
export { createMemoryStore } from './memory.ts'
export type { BatchDurability, Operation, OrderedBackend, OrderedDatabase, OrderedReader } from './ordered.ts'
export { type OrderedStoreOptions, openOrderedStore } from './ordered-store.ts'
export type { OnReport, StoreReport } from './reports.ts'
export type { SimulatedOutcome, SimulatedWrite } from './simulated.ts'
export { createSimulatedDisk, type SimulatedDisk, type SimulatedOptions } from './simulated.ts'
export type {
  AppendEntry,
  CheckpointRequest,
  CheckpointResult,
  CopyProgress,
  DamageReport,
  Incarnation,
  ListOptions,
  LoadedDocument,
  SetAside,
  Store,
  StoredCheckpoint,
  StoredRecord,
  StoredSetAside,
  StoreErrorCode
} from './store.ts'
export { StoreError, storeErrorCodes } from './store.ts'
export type { Schedule } from './tidy.ts'
