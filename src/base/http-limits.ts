/** Bounds of what is asked over HTTP of documents; a part of the table in limits.ts. */

const KiB = 1024
const MiB = 1024 * KiB

export const httpLimits = {
  /** Bytes of an answer with the contents of a document as JSON or text. Above: HTTP 413. */
  answerBytesMax: 64 * MiB,
  /** Bytes of JSON from which a document is created. Above: HTTP 413. */
  jsonBytesMax: 1 * MiB,
  /** Updates in one request. Above: HTTP 400. */
  requestUpdatesMax: 10_000,
  /** Documents on one page of a list. Above: HTTP 400. */
  listMax: 1_000
} as const
