/**
 * Every bound of the server, its default, its unit, and what happens at the bound.
 * docs/operating.md repeats this table; `test/docs.test.ts` holds the two equal.
 */

import { editLimits } from './edit-limits.ts'
import { feedLimits } from './feed-limits.ts'
import { historyLimits } from './history-limits.ts'
import { httpLimits } from './http-limits.ts'
import { streamLimits } from './stream-limits.ts'

const KiB = 1024
const MiB = 1024 * KiB

export const defaultLimits = {
  /** Bytes of one WebSocket message. Above twice as much: 1009. It is not below `documentBytesMax`: a client may be the last holder of a document and cannot split it. */
  frameBytesMax: 65 * MiB,
  /** Encoded bytes of one document, checkpoint and tail. An update beyond is set aside: 4500, again 4413. */
  documentBytesMax: 64 * MiB,
  /** Ranges of clocks, brought, deleted or referred to, of one update that a client sends, and ranges that are deleted in one document. An update beyond is set aside: 4500, again 4413. */
  updateRangesMax: 250_000,
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
  /** HTTP requests of one address a second, this machine included. Above: the answer waits, then HTTP 429. */
  requestsPerSecondMax: 200,
  /** How many more may come at once, after a rest. */
  requestsBurstMax: 1_000,
  /** How long an answer may wait for that. Above: HTTP 429 with Retry-After. */
  requestWaitMsMax: 1_000,
  /** Requests of one HTTP connection that are not answered yet. Above: it is closed. */
  requestsPipelinedMax: 16,
  /** Addresses whose requests are counted. Above: the least recently seen are forgotten. */
  requestAddressesMax: 10_000,
  /** How long a result of the store check is reused. */
  readyFreshMs: 1_000,
  /** How long the store check of `/readyz` may take. After that: not ready. */
  readyTimeoutMs: 5_000,
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
  /** Bytes kept of all messages that are not whole yet, or wait for their turn or a room. Connections that are not authorized yet have a separate limit of a tenth of this. Above: whoever keeps most is closed, 1013. */
  unfinishedBytesMax: 256 * MiB,
  /** The same of one address (of an IPv6 /64), this machine's own left out. It is not below twice `frameBytesMax`. */
  unfinishedBytesPerAddressMax: 160 * MiB,
  /** Bytes that are read in one turn of the event loop, and 1 KiB for each frame in them; what brings at most 1 KiB is read at once. Above: the rest is read in the next turns. */
  readBytesTurnMax: 1 * MiB,
  /** How long a message may take to arrive, plus its bytes at `messageBytesPerSecondMin`; time in which its socket is not read is left out. After that: 1013. */
  messageStallMs: 30_000,
  /** The slowest sending that still counts as progress of a message. Below: 1013. */
  messageBytesPerSecondMin: 8 * KiB,
  /** Milliseconds of the event loop that one connection's costly messages may take in a second. Above: its socket is not read for a moment. */
  workMsPerSecondMax: 100,
  /** How many more may be taken at once, after a rest. */
  workMsBurstMax: 1_000,
  /** Remembered rate-limit state of closed connections that had used at least half of their burst. A new connection from the same address continues with it. Above: the oldest are forgotten. */
  debtorsMax: 10_000,
  /** Updates and sync messages of all connections to one document a second. Above: whoever sends more waits a moment. */
  roomMessagesPerSecondMax: 5_000,
  /** How many more may come at once, after a rest. */
  roomMessagesBurstMax: 20_000,
  /** Their bytes a second. Above: whoever sends more waits a moment. */
  roomBytesPerSecondMax: 32 * MiB,
  /** How many more may come at once, after a rest. */
  roomBytesBurstMax: 128 * MiB,
  /** Bytes of other nodes' records of one document that wait for an earlier record (several nodes). Above: they are read from the store later. */
  foreignBytesMax: 8 * MiB,
  /** How long a record waits for an earlier one that the bus may still bring (several nodes). After that: the earlier one is read from the store. */
  gapWaitMs: 20,
  /** Time between two attempts to read missing records (several nodes). */
  gapRetryMs: 250,
  /** Records that are read from the store at once (several nodes). */
  gapRecordsMax: 1_000,
  /** Their bytes (several nodes). */
  gapBytesMax: 4 * MiB,
  /** How long the store has to return a document's head, and again as long to return missing records (several nodes). After that: whoever joins gets 1013. */
  freshHeadMs: 5_000,
  /** How often a node asks the store whether others have written, while the bus works (several nodes). */
  headsPollMs: 3_000,
  /** The same while the bus is down (several nodes). */
  headsPollAwayMs: 250,
  /** The same where there is no bus, as for a server that is alone on PostgreSQL. */
  headsPollNoBusMs: 1_000,
  /** Open rooms of one server. Above: one that nobody is in closes before its time; if there is none, 1013. */
  roomsMax: 10_000,
  /** Documents that are read from the store at once to open their rooms. Above: the next ones wait. */
  roomLoadsMax: 16,
  /** UTF-16 units of a document's name. Above: 4400. */
  roomNameLengthMax: 1_000,
  /** Rooms on one Hocuspocus socket. Above: further ones are refused with PermissionDenied, the others go on. */
  roomsPerConnectionMax: 500,
  /** Bytes that wait on one Hocuspocus socket for an authentication or a room. Above: 1013 while no Auth has come, else the socket is not read. And what is read of any connection before somebody was let in: a longer first message is asked about at once, or 4401. */
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
  /** How long the store keeps a note that somebody is to be asked about again, for servers that were not told (several nodes). A server that could not look for half of this time asks about everybody. */
  recheckNoteMs: 600_000,
  /** Such notes. Above: they become one, about everybody. */
  recheckNotesMax: 1_000,
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
  /** Entries of a state vector that a client sends, and clients that have written to one document. Above: 4400; an update of further clients is set aside: 4500, again 4413. */
  stateVectorEntriesMax: 50_000,
  /** Bytes queued to one live connection. Above: 1013, the client resyncs. */
  outboxBytesMax: 16 * MiB,
  /** Long work takes so much of one turn of the event loop; the rest of it waits for the next turns. */
  sliceMs: 4,
  /** Long pieces of such work for connections (a large update, a long state vector) under way at once. Above: they wait; who has none under way is served first. */
  slicedAtOnceMax: 4,
  /** Bytes scanned, or diffed, on the event loop at once. A larger update is scanned in slices, a larger diff goes to the worker. */
  scanBytesMax: 256 * KiB,
  /** Updates scanned and not yet durable, per room, in bytes. Above: the sender's socket is not read until they are. */
  uncommittedBytesMax: 32 * MiB,
  /** A busy room gathers updates for up to this long before they are written and sent: as long as that when the event loop is full, next to nothing while it has time. */
  coalesceMs: 10,
  /** While the event loop is full, a write for all rooms begins so long after the one before; while it has time, at once. */
  commitSpacingMs: 8,
  /** What handshakes and the beginnings of joins may take of one turn of the event loop. Above: the rest waits for the next turns. */
  turnBudgetMs: 2,
  /** What the messages of one connection may take of one turn of the event loop. Above: the rest takes turns with what others send. */
  messagesShareMs: 0.5,
  /** What all messages together may take of one turn. Above: as before; who has sent little is heard first. */
  messagesTurnMs: 4,
  /** Bytes of one awareness state (its JSON). Above: 4400. */
  awarenessStateBytesMax: 64 * KiB,
  /** How deep JSON from outside may nest: awareness states (4400), request bodies (HTTP 400), answers of a webhook or a key server (as none). */
  jsonDepthMax: 500,
  /** Entries of one awareness message. Above: 4400. */
  awarenessEntriesMax: 20_000,
  /** Awareness states of one room. Above: further ones are ignored. */
  awarenessStatesMax: 5_000,
  /** ClientIDs that one connection speaks for, as a relay does. A message that would make them more announces nobody. */
  awarenessClientsMax: 100,
  /** Awareness states of one room that belong to connections which speak for several. Above: further ones are ignored. */
  awarenessRelayedMax: 1_000,
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
  /** A state that its owner has not renewed for so long is renewed by the server, if the owner answers a ping. Clients renew theirs after 15 to 18 s, and drop those of others after 30 s. */
  awarenessLateMs: 20_000,
  /** Hocuspocus clients that one frame of presence leaves behind and that are asked for their clocks; each answers with all states it knows. Above: the others are asked with a later frame. */
  awarenessQueriesMax: 20,
  /** A state that changed more recently is not re-clocked for a returning client until it has rested so long. */
  awarenessRestMs: 600,
  /** A client that comes is shown to others once it has used the clock that the server sent it, and after this time at the latest (AW1). */
  awarenessFollowMs: 600,
  /** How long the present owner of a clientID has to answer a ping when another connection claims it. */
  awarenessTakeoverMs: 600,
  /** How often a node says over the bus that it is there, and how far its rooms' presence has come (several nodes). */
  presenceBeatMs: 1_000,
  /** Beats in which nothing was heard of a node. After that: its members are seen as gone (several nodes). */
  presenceBeatsUnheardMax: 6,
  /** Other nodes whose presence one room shows (several nodes). Above: further ones are ignored. */
  presenceNodesMax: 1_000,
  /** How often another node is asked whether its connection still has a clientID that is claimed here (several nodes). */
  presenceAskMs: 300,
  /** How many times (several nodes). After that: it has lost it. */
  presenceAsksMax: 20,
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
  /** Ranges of deletions that a later SyncStep1 of a connection is always answered with, if it lacks no struct. */
  resyncDeletesMax: 32,
  /** More of them are sent to one connection only so often, in answer to such a SyncStep1. */
  resyncDeletesMs: 30_000,
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
  /** SyncStep2s that were found to bring nothing, remembered by a room. Above: the first is forgotten, and the next like it is judged again. */
  knownAnswersMax: 4,
  /** The longest of them. A longer one is judged each time. */
  knownAnswerBytesMax: 256 * KiB,
  /** They are forgotten after this time. */
  knownAnswersMs: 60_000,
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
  /** How long a server that stops goes on to compact rooms with such logs, beside closing its connections (one node). Above: the rest stay logs, and are read as such. */
  compactionStopMs: 3_000,
  /** How long a compaction, or a job of a join or a read, may hold a worker that other documents wait for. Above: it begins anew in a worker for long ones, and so do those of its document that follow. */
  quickJobMs: 1_000,
  /** How long one compaction may run there. Above: its thread is ended, only this compaction fails, the document is served as it is. */
  compactionDeadlineMs: 30_000,
  /** How long one job of a join or a read may run there. Above: its thread is ended, only who asked is refused (1013). */
  joinDeadlineMs: 10_000,
  /** V8 heap of each worker (two compact, two serve joins and reads; one seals histories, two read them), MiB. A document that does not fit stays uncompacted, and metrics say so. */
  workerMegabytesMax: 2_048,
  /** Jobs waiting for each worker. Above: of the document that has most of them, a compaction waits for the next commit, a rejoin is closed with 1013. */
  workerQueueMax: 1_000,
  /** A worker's thread ends, and gives its memory back, when it had no job for so long. */
  workerIdleMs: 20_000,
  /** Documents whose joins and reads are known to take longer than `quickJobMs`. Above: the first are forgotten, and found out again. */
  slowDocumentsMax: 1_000,
  /** How long a node may be silent while it compacts a document, before another one may (several nodes). */
  compactionLeaseMs: 60_000,
  /** How long a node that could not compact a document, as another one does, leaves it alone (several nodes). */
  compactionLookMs: 15_000,
  /** How long a document that could not be compacted is left alone, over restarts too; doubled with each attempt that fails. */
  compactionRetryMs: 60_000,
  /** The longest such time. */
  compactionRetryMsMax: 86_400_000,
  /** Documents that could not be compacted and are remembered. Above: the one that failed first is forgotten, and tried sooner. */
  uncompactedMax: 1_000,
  /** Entries that a list of what is set aside holds. Above: it says that there is more. */
  setAsideListMax: 10_000,
  /** Documents that were deleted and of which old copies are known. Above: the oldest are forgotten, and told of in the log. */
  tombstonesMax: 100_000,
  /** How long old copies of a deleted document are known. After that they are taken again. */
  tombstoneAgeMs: 366 * 86_400_000,
  /** Clients that the tombstone of one document names. Above: those that wrote least are left out, and the log says so. */
  tombstoneClientsMax: 100_000,
  /** How long a client whose state vector shows an old copy has to send it, to be set aside. After that: 4410. */
  oldCopyWaitMs: 10_000,
  /** Refused copies of one document that are remembered, so that none is set aside twice. Above: they are forgotten. */
  keptCopiesMax: 1_000,
  /** Bytes a second of refused updates of one user (one address, where no user is known) that are set aside whole. Above: only the first `setAsideHeadBytes` of each, and the entry says so. */
  setAsideBytesPerSecondMax: 16 * KiB,
  /** How many more may come at once, after a rest; the one that goes beyond is still kept whole. */
  setAsideBytesBurstMax: 32 * MiB,
  /** What is kept of a refused update beyond that. */
  setAsideHeadBytes: 4 * KiB,
  /** Bytes of refused updates that are being written. Above: as before, whoever sent them. */
  setAsideWaitingBytesMax: 64 * MiB,
  /** A second refused update of one client within this time closes with a 44xx code. */
  refusalMemoryMs: 600_000,
  /** Clients whose refusals are remembered. Above: the oldest are forgotten. */
  refusalsMax: 10_000,
  /** From the second refusal of a client on, its connection is closed only after this time, doubled each time. */
  refusalDelayMs: 500,
  /** The longest such delay. */
  refusalDelayMsMax: 30_000,
  /** How often the same expired token is answered with 4503, which clients retry. After that: 4401. */
  expiredTokenTriesMax: 20,
  /** How long a call of `load` may take. Above: the document does not open, its clients are closed with 1013. */
  loadTimeoutMs: 10_000,
  /** Calls of `load` under way; more wait for their turn. */
  loadsMax: 64,
  /** Documents that wait for a call of `load`. Above: 1013. */
  loadsWaitingMax: 1_000,
  ...feedLimits,
  /** Calls of `server.read` and `documents` under way, and as many of `delete`, and of `change` for different documents; more wait for their turn. */
  readsMax: 8,
  /** Calls of each of `server.read`, `change` and `delete` that wait. Above: they reject with ERR_OVERLOADED. */
  readsWaitingMax: 1_000,
  /** Structs and ranges of deletions of a document that `server.change` loads at once. One with more, or larger than `scanBytesMax`, is loaded in a worker first. */
  changePartsMax: 500,
  /** How long that may take there, and `changeLoadMsPerMiB` beside it. Above: the call rejects with ERR_DEADLINE, and the event loop has not loaded it. */
  changeLoadMs: 250,
  /** And so long for each MiB of the document. */
  changeLoadMsPerMiB: 1_000,
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
  staggerMs: 500,
  ...historyLimits,
  ...httpLimits,
  ...editLimits,
  ...streamLimits
} as const

export type LimitName = keyof typeof defaultLimits
export type Limits = { readonly [name in LimitName]: number }

/** The defaults with some replaced. */
export function withLimits(overrides: Partial<Limits> = {}): Limits {
  return { ...defaultLimits, ...overrides }
}
