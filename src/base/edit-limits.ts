/** The bounds of edits over HTTP and of agents, beside all others in limits.ts. */

const KiB = 1024
const MiB = 1024 * KiB

export const editLimits = {
  /** Edits over HTTP and of agents that are computed at once, of different documents; more wait for their turn. */
  editsAtOnceMax: 8,
  /** Edits that wait. Above: ERR_OVERLOADED. */
  editsWaitingMax: 1_000,
  /** How long reading a document or computing an edit may take in its worker. Above: ERR_DEADLINE. */
  editDeadlineMs: 10_000,
  /** How long an edit is computed anew because others change the same passage. After that: ERR_OVERLOADED, and nothing was changed. */
  editTriesMs: 10_000,
  /** How many times. */
  editTriesMax: 100,
  /** Bytes of what others write while an edit is computed that are looked at. Above: it is computed anew. */
  editWatchBytesMax: 256 * KiB,
  /** Bytes of the body of an edit. Above: HTTP 413. */
  editBytesMax: 1 * MiB,
  /** Changes in one edit. Above: HTTP 400. */
  editChangesMax: 1_000,
  /** Bytes of an answer with a document's contents, as JSON. Above: ERR_ANSWER_TOO_LARGE. */
  editAnswerBytesMax: 16 * MiB,
  /** UTF-16 units of a passage, fresh or around it, that an answer shows. Above: the beginning of it. */
  editPassageMax: 2_000,
  /** Edits whose keys are known to have been answered. Above: the oldest is forgotten; its key still makes no second edit. */
  editKeysMax: 10_000,
  /** Words that an agent may ask to have written a second. Above: HTTP 400. */
  agentWordsPerSecondMax: 50,
  /** Words a second that it writes, where it asks for nothing. */
  agentWordsPerSecond: 10,
  /** Text of an agent comes in steps of so long. */
  agentStepMs: 200,
  /** How long one edit of an agent writes. A longer text comes in larger steps. */
  agentTypingMsMax: 20_000,
  /** How long an agent is seen in a document after its last edit. */
  agentSeenMs: 20_000,
  /** After a pause of so long an agent's next edit begins a session: a version is named before it. */
  agentSessionMs: 1_800_000,
  /** Agents, and agents in a document, that are remembered. Above: the least recently seen are forgotten. */
  agentsMax: 10_000,
  /** Tool calls of one agent a second. Above: HTTP 429, or an error of the tool. */
  agentCallsPerSecond: 5,
  /** How many more may come at once, after a rest. */
  agentCallsBurstMax: 50,
  /** Bytes of its edits a second. Above: as before. */
  agentBytesPerSecond: 4 * KiB,
  /** How many more may come at once, after a rest. */
  agentBytesBurstMax: 1 * MiB,
  /** Presence states that are leased over HTTP. Above: ERR_OVERLOADED. */
  leasesMax: 5_000,
  /** The same of one user (or address, where nobody signs in). */
  leasesPerOwnerMax: 100,
  /** The longest time to live of one. */
  leaseMsMax: 600_000
} as const
