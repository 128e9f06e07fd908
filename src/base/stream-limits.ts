/** The bounds of reads and writes by HTTP (Durable Streams), beside all others in limits.ts. */

export const streamLimits = {
  /** Reads that wait for more (SSE, long-poll), and slow ones of much, of one server. Above: HTTP 503. */
  streamReadersMax: 20_000,
  /** How long a server-sent stream or a long-poll lasts; the last sixth of it is shortened by chance. After that the client asks again. */
  streamMs: 60_000,
  /** The step of time after which a cursor is another one. */
  streamCursorMs: 20_000,
  /** Updates in the body of one POST. Above: HTTP 413. */
  streamUpdatesMax: 100_000,
  /** Producers that are remembered, with the last number of each. Above: the one that was silent longest is forgotten, and taken for a new one. */
  producersMax: 20_000,
  /** UTF-16 units of a Producer-Id. Above: HTTP 400. */
  producerIdLengthMax: 2_000,
  /** Users (addresses, where nobody signs in) whose POSTs are charged. Above: the one that was silent longest is forgotten. */
  streamWritersMax: 10_000,
  /** How long a state that was posted to an awareness stream is shown after its last post. */
  awarenessLeaseMs: 30_000,
  /** Such states of one server. Above: HTTP 503. */
  awarenessLeasesMax: 20_000
} as const
