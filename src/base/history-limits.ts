/** The bounds of documents' histories, beside all others in limits.ts: sealing, keeping, asking, restoring. */

const KiB = 1024
const MiB = 1024 * KiB

export const historyLimits = {
  /** How long one question about a document's history may take in its worker. Above: its thread is ended, and only who asked is refused. */
  historyDeadlineMs: 30_000,
  /** Bytes of a document's history that are read to answer one question. Above: ERR_ANSWER_TOO_LARGE. */
  historyReadBytesMax: 256 * MiB,
  /** Bytes of an answer about a document's history, as JSON. Above: ERR_ANSWER_TOO_LARGE. */
  historyAnswerBytesMax: 32 * MiB,
  /** Questions about histories over HTTP of one user (or address, where nobody signs in) that wait or are under way. Above: HTTP 503. */
  historyQuestionsMax: 4,
  /** Updates in one sealed segment of a history, if a record has no more of them. Above: the next segment begins. */
  historySegmentUpdatesMax: 5_000,
  /** Bytes of the records in one, if a record has no more of them. Above: the next segment begins. */
  historySegmentBytesMax: 256 * KiB,
  /** Changes in a segment that small ones were merged into. Above: they stay apart. */
  historyMergedChangesMax: 20_000,
  /** Bytes of such a segment before it is compressed. Above: they stay apart. */
  historyMergedBytesMax: 512 * KiB,
  /** The time such a segment may be about. Above: they stay apart, as a segment grows old as a whole. */
  historyMergedMs: 3 * 86_400_000,
  /** Segments of one history. Above: the oldest go. */
  historySegmentsMax: 2_000,
  /** A keyframe is made when more than this, and more than the next, was sealed since the last one (before it is compressed). */
  historyKeyframeBytesMin: 1_000_000,
  /** Times the bytes of the document. */
  historyKeyframeRatio: 2,
  /** Updates of one document that wait in its history for what is unknown. Above: it has a hole, and begins again. */
  historyWaitingMax: 5_000,
  /** Bytes of their records. Above: it has a hole, and begins again. */
  historyWaitingBytesMax: 8 * MiB,
  /** Records of one document that a checkpoint has replaced and that could not be sealed. Above: its history has a hole, and begins again. */
  historyUnsealedMax: 200_000,
  /** Holes of one history. Above: it begins after the oldest. */
  historyHolesMax: 100,
  /** Attempts to change a history that others change too. After that: ERR_OVERLOADED, or the next compaction tries again. */
  historyTriesMax: 8,
  /** Days that a history goes back, where `history` does not say so. */
  historyDays: 30,
  /** Bytes that a history may have, where `history` does not say so: the larger of this and of the next. Above: the oldest goes. */
  historyBytesMin: 4 * MiB,
  /** Times the bytes of the document. */
  historyDocumentRatio: 4,
  /** How often all histories are looked at, and what is too old goes. */
  historySweepMs: 6 * 3_600_000,
  /** The first time, after a start. */
  historySweepFirstMs: 60_000,
  /** The rest between one history and the next meanwhile. */
  historySweepPauseMs: 20,
  /** How long a node that looks at them may be silent, before another one may (several nodes). */
  historySweepLeaseMs: 60_000,
  /** Restores and undos under way, of different documents; more wait for their turn. */
  restoresAtOnceMax: 2,
  /** Attempts at one of them, as others restored the same document meanwhile. Above: ERR_OVERLOADED, and nothing was changed. */
  restoreAttemptsMax: 8,
  /** Restores of one document that are known by their keys. Above: the oldest is forgotten, and its key would begin another. */
  restoresMax: 200,
  /** Attempts at one restore of which nobody knows what became of them, as the server was killed in each. Above: the oldest is forgotten. */
  restoreTriesMax: 16,
  /** Versions that were named because something was restored after them. Above: the oldest goes. */
  restoreVersionsMax: 100,
  /** Restores of one document whose copies the store keeps apart. Above: they are put together. */
  restoreCopiesMax: 32,
  /** Bytes of all of them together. Above: the oldest are forgotten, and what they had brought back is written once more by the next restore. */
  restoreCopiesBytesMax: 4 * MiB,
  /** Versions with names of one document. Above: ERR_TOO_MANY_VERSIONS. */
  versionsMax: 1_000,
  /** UTF-16 units of the name of a version, or of a key. Above: it is refused. */
  versionNameLengthMax: 200,
  /** How long a restore is tried again because other nodes write to the document in between. Above: it rejects with ERR_OVERLOADED, and nothing was changed. */
  restoreCommitMs: 30_000
} as const
