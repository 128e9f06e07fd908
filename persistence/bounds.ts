/**
 * Every bound of the stores in this folder, with its unit in its name. What happens at a bound is said here
 * and in README.md. Nothing else in this folder may loop, queue or batch without one of these.
 */

const mebibyte = 1024 * 1024

export const bounds = {
  /** A document name or metadata key, in UTF-8 bytes (1,000 characters fit). Longer: STORE_ARGUMENT. */
  nameBytesMax: 4096,
  /** Entries of one append. More: STORE_ARGUMENT. */
  appendEntriesMax: 100_000,
  /** One record, segment, checkpoint meta, metadata value or set-aside entry. Larger: STORE_ARGUMENT. */
  valueBytesMax: 512 * mebibyte,
  /** Segments of one checkpoint. More: STORE_ARGUMENT. */
  segmentsMax: 1_000_000,
  /** Bytes of one step of a checkpoint, a removal or a copy; a single larger value is a step of its own. */
  batchBytesMax: mebibyte,
  /** Keys removed in one step. */
  removalKeysMax: 2000,
  /** Writes of callers that wait for the one under way. More: STORE_FAILED at once, nothing written. */
  waitingWritesMax: 10_000,
  /** Of them those that are no appends (probes, set-aside, metadata …): the rest is kept for appends. */
  waitingOthersMax: 1_000,
  /** Document heads kept in memory; the least recently used goes, and costs one read when it comes back. */
  headsMax: 10_000,
  /** Documents asked of `heads` at once. More: STORE_ARGUMENT. */
  headQueriesMax: 100_000,
  /** Leases held at once in a store that keeps them in memory. More: STORE_FAILED. */
  leasesMax: 100_000,
  /** The longest lease. Longer: STORE_ARGUMENT. */
  leaseMsMax: 24 * 60 * 60 * 1000,
  /** Blobs written, dropped or read at once, and pins of one history. More: STORE_ARGUMENT. */
  historyNumbersMax: 10_000,
  /** Marks of documents written at once. More: STORE_ARGUMENT. */
  markWritesMax: 10_000,
  /** Names on one page of `list`. A larger limit: STORE_ARGUMENT. */
  listLimitMax: 10_000,
  listLimit: 1000,
  /** Set-aside entries per document; the oldest make room. */
  setAsideMax: 100,
  /** Their bytes per document; the oldest make room, the newest is always kept. */
  setAsideBytesMax: 64 * mebibyte,
  /** A larger one is written in parts of so many bytes, and appends are written between two parts. */
  setAsidePartBytes: 256 * 1024,
  /** Keys fetched from the database at once while walking a range. */
  pageKeys: 1000,
  /** A document that freed less than this is not worth compacting. */
  compactFreedBytesMin: 256 * 1024,
  /** More than this freed is compacted without waiting for quiet. */
  compactFreedBytesUrgent: 256 * mebibyte,
  /** At close, at most this much is compacted: stopping must stay quick. */
  compactFreedBytesAtClose: 32 * mebibyte,
  /** Documents compacted in one go, the ones that freed most; the others follow after the next quiet. */
  compactDocumentsMax: 16,
  /** Documents whose freed bytes are counted; others wait for LevelDB's own merging. */
  compactIncarnationsMax: 10_000,
  /** Without removals for this long the freed ranges are compacted. */
  compactQuietMs: 2000
} as const
