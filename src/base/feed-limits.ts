/** The limits of the change feed and its outlets, as `limits.ts` has those of the rest. */

const KiB = 1024
const MiB = 1024 * KiB

export const feedLimits = {
  /** Outlets are told of a document, and `onChange` is called, when it has not changed for so long. */
  changeDebounceMs: 2_000,
  /** And no later than this after the first change, however busy the document. */
  changeMaxWaitMs: 10_000,
  /** How long a call of `onChange` may take. Above: it counts as failed, is no longer waited for, and is made again. */
  changeTimeoutMs: 30_000,
  /** Calls of `onChange` under way, for different documents; more wait for their turn. */
  changesMax: 16,
  /** Authors that one call of `onChange`, or one event, names. Above: later ones are left out. */
  changeAuthorsMax: 100,
  /** How long a server that stops waits for outlets. Above: what was not told is logged, and told when a server starts again. */
  changeStopMs: 10_000,
  /** Documents that are being told of, in memory. Above: further ones wait in the store for the next sweep. */
  feedDocumentsMax: 20_000,
  /** How often marks of changes are looked for of which nobody tells, where there may be some. */
  feedSweepMs: 15_000,
  /** How long other nodes leave a document to the one that tells of it, beyond its next attempt (several nodes). */
  feedLeaseMs: 60_000,
  /** Records that are read to name the authors of changes that this process has not seen itself. Above: the rest are not named. */
  feedRecordsMax: 10_000,
  /** Their bytes. */
  feedRecordsBytesMax: 16 * MiB,
  /** Events of members that wait for one outlet. Above: further ones are dropped and counted. */
  feedMembersMax: 1_000,
  /** Outlets of one server. Above: it does not start. */
  outletsMax: 16,
  /** Deliveries of one outlet under way, of different documents; more wait for their turn. */
  outletDeliveriesMax: 16,
  /** How long one delivery may take. Above: it counts as failed, and is made again. */
  outletTimeoutMs: 20_000,
  /** Time from a delivery that failed to the next attempt; doubled with each that fails. */
  outletRetryMs: 1_000,
  /** The longest such time. */
  outletRetryMsMax: 300_000,
  /** An event that could not be delivered for so long is given up: it becomes a dead letter. */
  outletGiveUpMs: 3 * 86_400_000,
  /** Dead letters that a list holds. Above: it says that there are more. */
  deadLettersListMax: 10_000
} as const
