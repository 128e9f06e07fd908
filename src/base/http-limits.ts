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
  listMax: 1_000,
  /** Readers of events (`text/event-stream`) of one server. Above: HTTP 503. */
  eventReadersMax: 20_000,
  /** Bytes of events queued to one reader. Above: it is closed, and comes back to what it has missed. */
  eventQueueBytesMax: 1 * MiB,
  /** Events of one view that are kept for readers who come back. Above: they get the whole document. */
  recentEventsMax: 256,
  /** Bytes of these. Above: the oldest are forgotten. */
  recentEventBytesMax: 1 * MiB,
  /** How long readers of events may have to wait for presence, so that many changes are told at once. */
  eventPresenceMs: 250,
  /** Views (a document and some of its root types) that readers of events have open. Above: HTTP 503. */
  viewsMax: 500,
  /** Bytes of a document of which there may be a view: it is kept in memory once more. Above: HTTP 413. */
  viewDocumentBytesMax: 16 * MiB,
  /** How long one piece of work of a view may take in its thread. Above: all views are opened anew, and its readers come back. */
  viewDeadlineMs: 10_000
} as const
