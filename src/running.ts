/**
 * A server that runs: its parts are built in order, wired, and taken down in reverse. When, is the server's business.
 */

import { randomUUID } from 'node:crypto'
import type { SealedBus } from '../bus/index.ts'
import type { Outlet } from '../outlets/index.ts'
import type { Store } from '../persistence/index.ts'
import { Admission } from './access/admission.ts'
import { Disconnects } from './access/disconnects.ts'
import { Gate } from './access/gate.ts'
import { Passes } from './access/passes.ts'
import { matchesRoom } from './access/patterns.ts'
import { type Limits, withLimits } from './base/limits.ts'
import { LoadWindow, readEventLoop } from './base/load-window.ts'
import type { Log } from './base/log.ts'
import type { Metrics } from './base/metrics.ts'
import { Pacer } from './base/pacer.ts'
import { Slices } from './base/slices.ts'
import { systemTime, type Time } from './base/time.ts'
import type { Chaos } from './chaos/chaos.ts'
import { Calls } from './cluster/calls.ts'
import { Cluster } from './cluster/cluster.ts'
import { createWorkers } from './document/workers.ts'
import { workersOptions } from './document/workers-options.ts'
import { DocumentHistories } from './documents/document-histories.ts'
import { Documents } from './documents/documents.ts'
import type { Edits } from './documents/edits.ts'
import type { Leases } from './documents/leases.ts'
import { Views } from './documents/views.ts'
import type { EditWorkers } from './editing/workers.ts'
import { DeadLetters } from './feed/dead-letters.ts'
import { Feed, type FeedParts } from './feed/feed.ts'
import { Histories } from './history/histories.ts'
import { openTo, policies } from './history/policy.ts'
import { Sweep } from './history/sweep.ts'
import { sealingWork } from './history/work.ts'
import { HistoryWorkers } from './history/workers.ts'
import { hookOutcome, onChangeName, onChangeOutlet } from './hooks/on-change.ts'
import { Seeds } from './hooks/seeds.ts'
import type { Handler } from './http/message.ts'
import type { Server, ServerOptions } from './options.ts'
import { CheckpointCache } from './room/checkpoint-cache.ts'
import { CheckpointReads } from './room/checkpoint-reads.ts'
import { CompactionSchedule } from './room/compaction-schedule.ts'
import { Journal } from './room/journal.ts'
import type { Member } from './room/member.ts'
import { Refusals } from './room/refusals.ts'
import { Rooms } from './room/rooms.ts'
import { SetAsides } from './room/set-asides.ts'
import { editingOf, servingOf } from './serving.ts'
import { Addresses, type proxyList } from './transport/addresses.ts'
import { Stateless } from './transport/stateless.ts'
import type { Streams } from './transport/streams.ts'
import { Transport } from './transport/upgrade.ts'

/** Every part of a server that was started. */
export type Running = {
  readonly store: Store
  readonly cluster: Cluster | null
  readonly calls: Calls | null
  readonly rooms: Rooms
  readonly documents: Documents
  readonly edits: Edits
  readonly leases: Leases
  readonly editWorkers: EditWorkers
  readonly seeds: Seeds | null
  /** Null: nobody is to be told of changes. */
  readonly feed: Feed | null
  readonly deadLetters: DeadLetters
  readonly journal: Journal
  readonly compactions: CompactionSchedule
  /** Null: the store keeps no histories. */
  readonly past: KeptPast | null
  readonly documentHistories: DocumentHistories | null
  readonly workers: ReturnType<typeof createWorkers>
  readonly slices: Slices
  readonly views: Views
  readonly transport: Transport
  readonly streams: Streams
  readonly stateless: Stateless
  readonly passes: Passes
  readonly disconnects: Disconnects
  readonly chaos: Chaos
  readonly handlers: readonly Handler[]
  readonly controlToken: string
}

/** What a server was told, and what it had before it was started. */
type Setup = {
  /** What other servers on the store are told over, if anything. */
  readonly bus: SealedBus | null
  /** How this server is called among them; null: it is alone. */
  readonly name: string | null
  readonly options: ServerOptions
  /** Who is told of changes beside `onChange`. */
  readonly outlets: readonly Outlet[]
  /** Where it listens; null when the application does. */
  readonly host: string | null
  readonly demo: readonly Handler[]
  readonly trustedProxies: ReturnType<typeof proxyList>
  readonly isDraining: () => boolean
  readonly metrics: Metrics
  readonly log: Log
}

type PastNeeds = {
  readonly time: Time
  readonly limits: Limits
  readonly slices: Slices
  readonly metrics: Metrics
  readonly log: Log
}

type TransportNeeds = {
  readonly rooms: Rooms
  readonly pacer: Pacer
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

/** Every part, wired, in the order in which one needs another. It opens nothing. */
export function build(store: Store, setup: Setup): Running {
  const { options, bus, name, metrics, log } = setup
  const time = options.time ?? systemTime
  const limits = withLimits(options.limits)
  const slices = new Slices(time, limits)
  const shared = { time, limits, metrics, log, slices }
  const workers = createWorkers(workersOptions(limits))
  const window = new LoadWindow({ limits, time }, readEventLoop())
  const cluster = mayBeOneOfSeveral(store, bus) ? new Cluster({ ...shared, store, bus }) : null
  const past = historiesOf(store, options, shared)
  const histories = past?.histories ?? null
  const compactions = new CompactionSchedule({ ...shared, store, workers, nodes: cluster, histories })
  const { load, rooms: patterns, identity = 'as-sent', readers = 'shown' } = options
  const seeds = load === undefined ? null : new Seeds(load, shared)
  const read = (document: string): ReturnType<Server['read']> => documents.read(document)
  const telling = tellingOf(setup, { ...shared, store, window, read })
  const { feed, journal } = telling
  const pacer = new Pacer(time, limits.turnBudgetMs)
  const rooms = new Rooms({
    nodes: cluster,
    ...shared,
    store,
    journal,
    window,
    seed: seeds === null ? null : document => seeds.of(document),
    changes: feed,
    isAllowed: name => patterns === undefined || patterns.some(pattern => matchesRoom(pattern, name)),
    compactions,
    refusals: new Refusals(time, limits),
    setAsides: new SetAsides({ store, time, limits }),
    checkpointReads: new CheckpointReads(store, workers, limits),
    cache: new CheckpointCache(limits.checkpointCacheBytesMax),
    pacer,
    presence: { identity, readers }
  })
  const documents = new Documents({ ...shared, rooms, store, workers })
  const documentHistories = past === null ? null : pastsOf(past, { ...shared, store, rooms, compactions })
  const { passes, transport, stateless, streamParts } = buildTransport(setup, { ...shared, rooms, pacer })
  const disconnects = disconnectsOf(rooms)
  const calls = bus === null ? null : callsOf({ bus, log }, { passes, stateless, disconnects })
  if (cluster !== null) {
    passes.shareWith(whom => calls?.rightsChanged(whom))
    cluster.eachPoll(() => passes.learn([]))
  }
  if (name !== null) metrics.nodeNamed(name)
  const { editing, agents } = editingOf({ ...shared, rooms, store }, documentHistories)
  const inside = {
    store,
    cluster,
    calls,
    rooms,
    documents,
    ...editing,
    seeds,
    ...telling,
    compactions,
    past,
    documentHistories,
    workers,
    slices,
    views: new Views({ time, limits })
  }
  const http = servingOf(setup, { ...shared, ...inside, agents, passes, disconnects, streamParts })
  return { ...inside, transport, stateless, passes, disconnects, ...http }
}

/** What keeps the past of documents. */
export type KeptPast = {
  readonly histories: Histories
  readonly workers: HistoryWorkers
  readonly sweep: Sweep
}

/** What writes, and leaves marks where somebody is to be told of changes. */
function tellingOf(
  setup: Setup,
  parts: PastNeeds & Pick<FeedParts, 'store' | 'read'> & { readonly window: LoadWindow }
): Pick<Running, 'feed' | 'deadLetters' | 'journal'> {
  const { store, time, limits } = parts
  const feed = feedOf(setup, parts)
  const lettersMax = limits.deadLettersListMax
  const deadLetters = new DeadLetters({ feed, marks: store.marks, wallMs: () => time.wallMs(), lettersMax })
  return { feed, deadLetters, journal: new Journal(store, { ...parts, leavesMarks: feed !== null }) }
}

/** Null: nobody is to be told of changes. */
function feedOf(
  { options, outlets }: Pick<Setup, 'options' | 'outlets'>,
  parts: PastNeeds & Pick<FeedParts, 'store' | 'read'>
): Feed | null {
  const { onChange } = options
  const { limits } = parts
  const forOutlets = {
    atOnceMax: limits.outletDeliveriesMax,
    timeoutMs: limits.outletTimeoutMs,
    takesSeeds: true,
    keepsRooms: false
  }
  const forHook = {
    atOnceMax: limits.changesMax,
    timeoutMs: limits.changeTimeoutMs,
    takesSeeds: false,
    keepsRooms: true
  }
  const lines = outlets.map(outlet => ({ outlet, settings: forOutlets }))
  if (onChange !== undefined) lines.unshift({ outlet: onChangeOutlet(onChange), settings: forHook })
  if (lines.length === 0) return null
  const counted = (outlet: string, outcome: string) => {
    const hook = outlet === onChangeName ? hookOutcome(outcome) : null
    if (hook !== null) parts.metrics.hookCalled('change', hook)
  }
  const shared = { ...parts, counted, matches: matchesRoom, random: Math.random, newId: () => randomUUID() }
  return new Feed(lines, shared)
}

/** Null: the store keeps no histories. Throws TypeError where it is to all the same. */
function historiesOf(
  store: Store,
  { history: rules = [] }: ServerOptions,
  parts: PastNeeds
): KeptPast | null {
  const { history } = store
  if (history === undefined) {
    if (rules.length === 0) return null
    throw new TypeError('createServer: history needs a store that keeps histories, and this one does not')
  }
  const { limits } = parts
  const workers = new HistoryWorkers(limits)
  const shared = { ...parts, random: Math.random, policyOf: policies(rules, matchesRoom, limits) }
  const histories = new Histories({ ...shared, store: history, work: sealingWork(workers) })
  return {
    histories,
    workers,
    sweep: new Sweep({ ...parts, store, history, histories, hasRules: rules.length > 0 })
  }
}

/** Null: the store keeps no histories. */
function pastsOf(
  { histories, workers }: KeptPast,
  parts: PastNeeds & Pick<Running, 'store' | 'rooms' | 'compactions'>
): DocumentHistories | null {
  const { history } = parts.store
  if (history === undefined) return null
  return new DocumentHistories({
    ...parts,
    history,
    histories,
    workers,
    random: Math.random,
    newId: randomUUID
  })
}

/** Without a bus, what others write is found in the store. */
function mayBeOneOfSeveral(store: Store, bus: SealedBus | null): boolean {
  return bus !== null || store.node !== ''
}

function disconnectsOf(rooms: Rooms): Disconnects {
  return new Disconnects({
    end: (document, isMeant, fault) => {
      const isMeantAsMember = ({ person, port }: Member) =>
        isMeant({ user: person.user?.id ?? null, connection: port.id })
      return rooms.disconnect(document, isMeantAsMember, fault)
    }
  })
}

function callsOf(
  parts: { readonly bus: SealedBus; readonly log: Log },
  { passes, stateless, disconnects }: Pick<Running, 'passes' | 'stateless' | 'disconnects'>
): Calls {
  const calls = new Calls(parts, {
    rightsChanged: whoms => passes.learn(whoms),
    stateless: (document, payload) => stateless.heard(document, payload),
    disconnect: disconnection => void disconnects.heard(disconnection)
  })
  disconnects.shareWith(disconnection => calls.disconnect(disconnection))
  stateless.shareWith((document, payload) => calls.stateless(document, payload))
  return calls
}

function buildTransport({ options, trustedProxies }: Setup, parts: TransportNeeds) {
  const { authorize, origins = null, tokenCookie = null, openHistory = 'none', history = [] } = options
  const { onStateless = null, statelessRelay = false, hocuspocus = 'any-path' } = options
  const authentication = authorize === undefined ? 'loopback' : authorize === 'none' ? 'none' : 'asked'
  const gate = new Gate({ authentication, origins })
  const asked = authorize === undefined || authorize === 'none' ? null : authorize
  const admission = new Admission(
    { authorize: asked, openHistory: openTo(history, matchesRoom, openHistory), gate, tokenCookie },
    parts
  )
  const passes = new Passes({ ...parts, admission })
  const stateless = new Stateless({ ...parts, onStateless, isRelayed: statelessRelay })
  const addresses = new Addresses(parts.time, parts.limits)
  const transport = new Transport({
    ...parts,
    passes,
    stateless,
    addresses,
    gate,
    trustedProxies,
    hocuspocus
  })
  const streamParts = { ...parts, passes, addresses, gate, shares: transport.shares }
  return { passes, transport, stateless, streamParts }
}

/** In reverse order of building: what accepts first, what keeps last. The store stays open. */
export async function takeDown(running: Running): Promise<void> {
  const { passes, stateless, calls, seeds, feed, cluster, rooms, journal } = running
  const { compactions, workers, slices, past, documentHistories, views } = running
  calls?.close()
  passes.admission.close()
  stateless.close()
  running.edits.close()
  running.leases.close()
  rooms.flush()
  await journal.idle()
  await feed?.close()
  seeds?.close()
  await rooms.close()
  await views.close()
  cluster?.close()
  const compacted = compactions.close()
  slices.close()
  await workers.close()
  documentHistories?.close()
  await running.editWorkers.close()
  await past?.workers.close()
  await past?.sweep.close()
  await compacted
}
