/**
 * Every bound of the server, its default, its unit, and what happens at the bound.
 * docs/operating.md repeats this table; `docs.test.ts` holds the two equal.
 */

const KiB = 1024
const MiB = 1024 * KiB

export const defaultLimits = {
  /** Bytes of one WebSocket message. Above twice as much: 1009. It is not below `documentBytesMax`: a client may be the last holder of a document and cannot split it. */
  frameBytesMax: 65 * MiB,
  /** Encoded bytes of one document, checkpoint and tail. An update beyond is set aside: 4500, again 4413. */
  documentBytesMax: 64 * MiB,
  /** Ranges of clocks, brought, deleted or referred to, of one update that a client sends. An update beyond is set aside: 4500, again 4413. */
  updateRangesMax: 2_000_000,
  /** Open connections of one server. Above: the upgrade is answered with HTTP 503, which clients retry. */
  connectionsMax: 20_000,
  /** Open connections of one address (of an IPv6 /64), this machine's own left out. Above: HTTP 503. */
  connectionsPerAddressMax: 1_000,
  /** Open connections of one user. Above: 1013. */
  connectionsPerUserMax: 200,
  /** Documents that connections of one address (of an IPv6 /64) have open at once, this machine's own left out. Above: 1013, or PermissionDenied beside other rooms. */
  membersPerAddressMax: 5_000,
  /** Connections that have one document open. Above: 1013, or PermissionDenied beside other rooms. */
  membersPerRoomMax: 10_000,
  /** HTTP connections that have not finished a request, upgrades included. Above: the oldest is closed. */
  handshakesMax: 5_000,
  /** How long an HTTP request may take to arrive, its headers within half of that. After that: HTTP 408. */
  requestTimeoutMs: 20_000,
  /** Messages of one connection a second, WebSocket pings and pongs included. Above: its socket is not read for a moment. */
  messagesPerSecondMax: 1_000,
  /** How many more may come at once, after a rest. */
  messagesBurstMax: 5_000,
  /** Bytes of one connection's messages a second. Above: its socket is not read for a moment. */
  receivedBytesPerSecondMax: 8 * MiB,
  /** How many more may come at once, after a rest. */
  receivedBytesBurstMax: 64 * MiB,
  /** Updates and sync messages of all connections to one document a second. Above: whoever sends more waits a moment. */
  roomMessagesPerSecondMax: 5_000,
  /** How many more may come at once, after a rest. */
  roomMessagesBurstMax: 20_000,
  /** Their bytes a second. Above: whoever sends more waits a moment. */
  roomBytesPerSecondMax: 32 * MiB,
  /** How many more may come at once, after a rest. */
  roomBytesBurstMax: 128 * MiB,
  /** Open rooms of one server. Above: one that nobody is in closes before its time; if there is none, 1013. */
  roomsMax: 10_000,
  /** UTF-16 units of a document's name. Above: 4400. */
  roomNameLengthMax: 1_000,
  /** Rooms on one Hocuspocus socket. Above: further ones are refused with PermissionDenied, the others go on. */
  roomsPerConnectionMax: 500,
  /** Bytes that wait on one Hocuspocus socket for an authentication or a room. Above: 1013 while no Auth has come, else the socket is not read. And what is read of any connection before somebody was let in. */
  pendingBytesMax: 4 * MiB,
  /** Messages that wait on one Hocuspocus socket for an authentication or a room. Above: as with bytes. */
  pendingFramesMax: 2_000,
  /** How long a Hocuspocus socket has for its first room, and a room for its Auth frame. After that: 4502, or PermissionDenied for the room. */
  authDeadlineMs: 30_000,
  /** Questions to `authorize` about one address (an IPv6 /64) under way, this machine's own left out; more wait for their turn. */
  attemptsPerAddressMax: 20,
  /** How long `authorize` has to answer. After that the attempt is refused: y-websocket 4502, Hocuspocus PermissionDenied. */
  authorizeTimeoutMs: 10_000,
  /** How long before a grant expires a Hocuspocus client is asked for another token; half of a shorter grant's time. */
  renewBeforeMs: 30_000,
  /** UTF-16 units of a user's id. Above: the grant is none. */
  userIdLengthMax: 1_000,
  /** Rights taken away and remembered. Above: taking away another is refused with ERR_OVERLOADED. */
  revocationsMax: 100_000,
  /** Questions to `authorize` that a recheck has under way at once; more wait for their turn. */
  rechecksMax: 64,
  /** Characters of a JSON Web Token. Above: it is none. */
  jwtBytesMax: 16 * KiB,
  /** Room patterns in a token. Above: they give nothing. */
  jwtRoomsMax: 1_000,
  /** How long the server of keys has to answer. After that: known keys go on, others are refused with 1013. */
  jwksTimeoutMs: 5_000,
  /** No request for keys sooner than this after the one before. Meanwhile a key that is not known is refused. */
  jwksCooldownMs: 30_000,
  /** Keys older than this are asked for anew, beside their use. */
  jwksFreshMs: 600_000,
  /** Keys older than this, because their server was not to be had, are used no more. */
  jwksStaleMsMax: 86_400_000,
  /** Bytes of an answer with keys. Above: it is none. */
  jwksBytesMax: 256 * KiB,
  /** How long the access webhook has to answer. After that: 1013. */
  webhookTimeoutMs: 5_000,
  /** How long an answer of the access webhook counts for the same question. */
  webhookCacheMs: 10_000,
  /** Answers kept. Above: the oldest are forgotten. */
  webhookCacheMax: 10_000,
  /** Calls of the access webhook under way. Above: 1013. */
  webhookCallsMax: 200,
  /** Bytes of an answer of the access webhook. Above: it is none. */
  webhookAnswerBytesMax: 64 * KiB,
  /** How long a refusal waits for the first message of a connection whose dialect it decides (HP2). */
  firstFrameMs: 1_000,
  /** UTF-8 bytes of a stateless message. Above: 4400. */
  statelessBytesMax: 1 * MiB,
  /** Calls of `onStateless` that have not returned. Above: further messages are dropped and counted. */
  statelessRunningMax: 1_000,
  /** A call of `onStateless` that has not returned after this time is reported and counted no more. */
  statelessTimeoutMs: 10_000,
  /** Entries of a state vector that a client sends. Above: 4400. */
  stateVectorEntriesMax: 1_000_000,
  /** Bytes queued to one live connection. Above: 1013, the client resyncs. */
  outboxBytesMax: 16 * MiB,
  /** Bytes scanned, or diffed, on the event loop at once. A larger update is scanned in slices, a larger diff goes to the worker. */
  scanBytesMax: 256 * KiB,
  /** Updates scanned and not yet durable, per room, in bytes. Above: the sender's socket is not read until they are. */
  uncommittedBytesMax: 32 * MiB,
  /** A busy room gathers updates for up to this long before they are written and sent; a quiet one does not wait. */
  coalesceMs: 10,
  /** While many rooms write, a synced write for all of them begins so long after the one before; a lone one at once. */
  commitSpacingMs: 8,
  /** What handshakes and the beginnings of joins may take of one turn of the event loop. Above: the rest waits for the next turns. */
  turnBudgetMs: 2,
  /** What the messages of one connection may take of one turn of the event loop. Above: the rest takes turns with what others send. */
  messagesShareMs: 0.5,
  /** What all messages together may take of one turn. Above: as before; who has sent little is heard first. */
  messagesTurnMs: 4,
  /** Bytes of one awareness state (its JSON). Above: 4400. */
  awarenessStateBytesMax: 64 * KiB,
  /** Entries of one awareness message. Above: 4400. */
  awarenessEntriesMax: 20_000,
  /** Awareness states of one room. Above: further ones are ignored. */
  awarenessStatesMax: 5_000,
  /** Clocks of departed clientIDs kept per room, for `awarenessDepartedMs`. Above: the oldest are forgotten. */
  awarenessDepartedMax: 5_000,
  /** How long the clock of a departed clientID is kept. After that it comes back as if new. */
  awarenessDepartedMs: 60_000,
  /** A clock that leaps above cannot be kept ahead of: the entry is a bad message, 4400. */
  awarenessClockMax: 2 ** 47,
  /** States that one connection publishes a second. Above: the last of them is published when its turn comes. */
  awarenessPerSecondMax: 40,
  /** How many more may come at once, after a rest. */
  awarenessBurstMax: 80,
  /** Their bytes a second. Above: the last of them is published when its turn comes. */
  awarenessBytesPerSecondMax: 256 * KiB,
  /** How many more may come at once, after a rest. */
  awarenessBytesBurstMax: 1 * MiB,
  /** Gathering time of awareness changes of one room. */
  awarenessTickMs: 20,
  /** A renewal that changes nothing waits this long to ride along with another frame. */
  awarenessRenewalMs: 3_000,
  /** A state that changed more recently is not re-clocked for a returning client until it has rested so long. */
  awarenessRestMs: 600,
  /** How long the present owner of a clientID has to answer a ping when another connection claims it. */
  awarenessTakeoverMs: 600,
  /** A connection to which nothing was sent for so long gets a keep-alive message (clients give up after 30 s). */
  keepAliveMs: 20_000,
  /** Period of the one heartbeat timer. */
  heartbeatMs: 4_000,
  /** A connection is pinged when nothing was heard for so long, and ended after twice this time. */
  pingMs: 30_000,
  /** A joining connection that reads nothing for so long (plus its frame at `joinBytesPerSecondMin`): 1013. */
  joinStallMs: 20_000,
  /** The slowest reading that still counts as progress of a joining connection. Below: 1013. */
  joinBytesPerSecondMin: 160 * KiB,
  /** How long a rejoin waits for the client's own SyncStep2 before it sends the whole delete set. */
  rejoinWaitMs: 1_000,
  /** A stored document, or a diff of one, up to this size is sent as one frame. */
  wholeFrameBytesMax: 4 * MiB,
  /** Up to this size a document becomes visible to a joiner in one transaction (I13). */
  heldBackBytesMax: 16 * MiB,
  /** Size of the frames of a document that is held back. Yjs merges all of them anew for each, so few are better. */
  heldBackFrameBytes: 4 * MiB,
  /** Target size of a causal segment, for documents above `heldBackBytesMax`. */
  segmentBytes: 256 * KiB,
  /** Diffs for rejoining state vectors kept per checkpoint. */
  diffCacheEntriesMax: 8,
  /** Bytes of the diffs kept per checkpoint. Above: the oldest are computed again. */
  diffCacheBytesMax: 8 * MiB,
  /** Checkpoint bytes kept in memory over all rooms; the least recently joined are read from the store again. */
  checkpointCacheBytesMax: 256 * MiB,
  /** A room that nobody is in closes after this time. */
  roomIdleMs: 10_000,
  /** A room's log is compacted when it costs more than this and more than `compactionRatio` of its checkpoint. */
  compactionBytesMin: 1 * MiB,
  /** The share of its checkpoint that a log may cost before it is compacted. */
  compactionRatio: 0.5,
  /** What a record costs on disk and at a cold start beside its bytes, for the rule above. */
  recordOverheadBytes: 128,
  /** A room that closes with so many records in its log is compacted first. */
  compactionRecordsAtClose: 200,
  /** V8 heap of the compaction worker, MiB. A document that does not fit stays uncompacted, and metrics say so. */
  workerMegabytesMax: 2_048,
  /** Jobs waiting for the compaction worker. Above: a compaction waits for the next commit, a rejoin is closed with 1013. */
  workerQueueMax: 1_000,
  /** The compaction worker's thread ends, and gives its memory back, when it had no compaction for so long. */
  workerIdleMs: 20_000,
  /** Entries that a list of what is set aside holds. Above: it says that there is more. */
  setAsideListMax: 10_000,
  /** A second refused update of one client within this time closes with a 44xx code. */
  refusalMemoryMs: 600_000,
  /** Clients whose refusals are remembered. Above: the oldest are forgotten. */
  refusalsMax: 10_000,
  /** From the second refusal of a client on, its connection is closed only after this time, doubled each time. */
  refusalDelayMs: 500,
  /** The longest such delay. */
  refusalDelayMsMax: 30_000,
  /** How long a call of `load` may take. Above: the document does not open, its clients are closed with 1013. */
  loadTimeoutMs: 10_000,
  /** Calls of `load` under way; more wait for their turn. */
  loadsMax: 64,
  /** Documents that wait for a call of `load`. Above: 1013. */
  loadsWaitingMax: 1_000,
  /** `onChange` is called when a document has not changed for so long. */
  changeDebounceMs: 2_000,
  /** `onChange` is called no later than this after the first change, however busy the document. */
  changeMaxWaitMs: 10_000,
  /** How long a call of `onChange` may take. Above: it is counted as failed, and no longer waited for. */
  changeTimeoutMs: 30_000,
  /** Calls of `onChange` under way, for different documents; more wait for their turn. */
  changesMax: 16,
  /** Authors that one call of `onChange` names. Above: later ones are left out. */
  changeAuthorsMax: 100,
  /** How long a server that stops waits for `onChange`. Above: what was not announced is logged. */
  changeStopMs: 10_000,
  /** Calls of `server.read` and `documents` under way, and as many of `delete`; more wait for their turn. */
  readsMax: 8,
  /** Calls of each of `server.read`, `change` and `delete` that wait. Above: they reject with ERR_OVERLOADED. */
  readsWaitingMax: 1_000,
  /** Updates of `server.apply` calls under way, in bytes, and 1 KiB for each call. Above: they reject with ERR_OVERLOADED. */
  applyBytesMax: 64 * MiB,
  /** UTF-16 units of the author named in `server.apply`. Above: it rejects. */
  authorLengthMax: 256,
  /** Restarts of the Chaos page's child server within a minute. Above: HTTP 429. */
  chaosRestartsPerMinuteMax: 30,
  /** Connections to the Chaos page's child server. Above: the upgrade is answered with HTTP 503. */
  chaosConnectionsMax: 200,
  /** How long the Chaos page's child server lives without a connection; then it is ended and its data removed. */
  chaosIdleMs: 60_000,
  /** How long the Chaos page's child server has to listen. After that it is ended, and HTTP 503. */
  chaosStartMs: 15_000,
  /** How long a closing connection has to answer the close frame before its socket is destroyed. */
  closeTimeoutMs: 3_000,
  /** Time over which the connections of a draining server are closed. */
  drainMs: 1_500,
  /** Members of a failed room are closed spread over this time. */
  staggerMs: 500
} as const

export type LimitName = keyof typeof defaultLimits
export type Limits = { readonly [name in LimitName]: number }

/** The defaults with some replaced. */
export function withLimits(overrides: Partial<Limits> = {}): Limits {
  return { ...defaultLimits, ...overrides }
}
