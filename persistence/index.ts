/**
 * The public persistence API: re-exports only.
 */
export {
  checkAppend,
  checkBlobNumbers,
  checkCheckpoint,
  checkHeads,
  checkHistory,
  checkLease,
  checkList,
  checkMarkWrites,
  checkRecordsAfter,
  checkReleased,
  checkValue
} from './arguments.ts'
export type { Author, Origin } from './author.ts'
export { bounds as storeBounds } from './bounds.ts'
export type {
  HistoryBlob,
  HistoryListOptions,
  HistoryRecord,
  HistoryRequest,
  HistoryResult,
  HistoryStore,
  StoredHistory,
  UnreleasedRecords
} from './history.ts'
export { type LevelStoreOptions, openLevelStore } from './leveldb.ts'
export type { ChangeMark, MarkListOptions, MarkPlace, MarkStore, MarkWrite } from './marks.ts'
export { createMemoryStore } from './memory.ts'
export { directoryOfStore, type OpenStoreOptions, openStore, shownStore } from './open.ts'
export type { BatchDurability, Operation, OrderedBackend, OrderedDatabase, OrderedReader } from './ordered.ts'
export { type OrderedStoreOptions, openOrderedStore } from './ordered-store.ts'
export { openPostgresStore, type PostgresStoreOptions } from './postgres/postgres-store.ts'
export type { OnReport, StoreReport } from './reports.ts'
export type { SimulatedOutcome, SimulatedWrite } from './simulated.ts'
export { createSimulatedDisk, type SimulatedDisk, type SimulatedOptions } from './simulated.ts'
export type {
  AppendAnswer,
  AppendEntry,
  CheckpointRequest,
  CheckpointResult,
  CopyProgress,
  CopySource,
  DamageReport,
  Deletion,
  DocumentHead,
  DocumentLog,
  Floor,
  Gone,
  HeadQuery,
  Incarnation,
  LeaseStore,
  ListOptions,
  LoadedDocument,
  MetadataStore,
  RecordIdentity,
  RecordLimits,
  RecordsAfter,
  SetAside,
  SetAsideStore,
  Store,
  StoredCheckpoint,
  StoredRecord,
  StoredSetAside,
  StoreErrorCode,
  Tombstone
} from './store.ts'
export { copyStore, StoreError, singleWriter, storeErrorCodes } from './store.ts'
export type { Schedule } from './tidy.ts'
