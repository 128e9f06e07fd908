/**
 * The server of a run: the real parts, wired as createServer wires them, over virtual sockets, time and disk. It can
 * be stopped, and it can die.
 */
import type { WebSocket } from 'ws'
import type { Store } from '../../persistence/store.ts'
import { Admission } from '../../src/access/admission.ts'
import { Gate } from '../../src/access/gate.ts'
import type { Grant } from '../../src/access/grant.ts'
import { Passes } from '../../src/access/passes.ts'
import { Fault } from '../../src/base/errors.ts'
import { LoadWindow } from '../../src/base/load-window.ts'
import type { Log } from '../../src/base/log.ts'
import type { Metrics } from '../../src/base/metrics.ts'
import { Pacer } from '../../src/base/pacer.ts'
import { Slices } from '../../src/base/slices.ts'
import type { CheckpointLayout } from '../../src/document/checkpoint.ts'
import type { Workers } from '../../src/document/workers.ts'
import type { DocumentHistory } from '../../src/documents/history-api.ts'
import { Pruning } from '../../src/documents/pruning.ts'
import { Histories } from '../../src/history/histories.ts'
import { CheckpointCache } from '../../src/room/checkpoint-cache.ts'
import { CheckpointReads } from '../../src/room/checkpoint-reads.ts'
import { CompactionSchedule } from '../../src/room/compaction-schedule.ts'
import { Journal } from '../../src/room/journal.ts'
import type { Member } from '../../src/room/member.ts'
import type { Nodes } from '../../src/room/nodes.ts'
import { Refusals } from '../../src/room/refusals.ts'
import { Rooms, type RoomsParts } from '../../src/room/rooms.ts'
import { SetAsides } from '../../src/room/set-asides.ts'
import { orStoreFault } from '../../src/room/store-fault.ts'
import { Accounts } from '../../src/transport/accounts.ts'
import { Addresses } from '../../src/transport/addresses.ts'
import { Connection } from '../../src/transport/connection.ts'
import { connectionRates } from '../../src/transport/debt.ts'
import { startHeartbeat } from '../../src/transport/heartbeat.ts'
import { openSession, type SessionParts } from '../../src/transport/sessions.ts'
import { Stateless } from '../../src/transport/stateless.ts'
import { Turns, turnRates } from '../../src/transport/turns.ts'
import { sharesOf } from '../../src/transport/unfinished.ts'
import type { Chance } from './chance.ts'
import type { PastBook } from './past-book.ts'
import { type DeskParts, PastDesk } from './past-desk.ts'
import { Prunes } from './past-prunes.ts'
import { createVirtualAsking, createVirtualSealing, type VirtualSealing } from './past-work.ts'
import type { Plan } from './plan.ts'
import type { Plant } from './plants.ts'
import { type Trace, Violation } from './trace.ts'
import type { Scope, VirtualClock } from './virtual-time.ts'
import type { Wire } from './wire.ts'
import { createVirtualWorker } from './worker.ts'

/** How a process finds its documents, and the other nodes. */
export type Home = {
  /** Rejects with what the store rejects with. */
  openStore(time: Scope): Promise<Store>
  /** Null: it is the only one. */
  join(store: Store, parts: MembershipParts): Membership | null
  readonly seed: RoomsParts['seed']
}

export type MembershipParts = {
  readonly time: Scope
  readonly limits: Plan['limits']
  readonly metrics: Metrics
  readonly log: Log
}

export type SharedRights = {
  readonly learn: Passes['learn']
  readonly shareWith: Passes['shareWith']
}

/** A process as one of several nodes. */
export type Membership = {
  readonly nodes: Nodes
  /** Tells the other nodes of rights that change here, and this one of theirs. */
  shareRights(rights: SharedRights): void
  /** Messages of other nodes, and its own, that are on their way to it: each is a timer. */
  readonly arriving: number
  /** It asks and tells no more of its own; what is under way may still be told. */
  close(): void
  /** The process has ended. */
  lose(): void
}

export type ProcessParts = {
  readonly clock: VirtualClock
  readonly chance: Chance
  readonly plan: Plan
  readonly trace: Trace
  readonly plant: Plant
  readonly home: Home
  /** Whether mishaps are over: then nothing may fail. */
  readonly isCalm: () => boolean
  /** A checkpoint of this layout is about to be written. */
  readonly onLayout: (layout: CheckpointLayout) => void
  readonly book: PastBook
}

type DeskNeeds = Omit<DeskParts, 'history' | 'asking' | 'sealing' | 'policyOf' | 'chance'>

type Running = {
  readonly store: Store
  readonly membership: Membership | null
  readonly workers: Workers
  /** Null: no document of the run keeps a history. */
  readonly sealing: VirtualSealing | null
  /** Null: nobody prunes. */
  readonly prunes: Prunes | null
  /** Null: nobody changes documents by their past. */
  readonly desk: PastDesk | null
  readonly journal: Journal
  readonly compactions: CompactionSchedule
  readonly rooms: Rooms
  readonly sessions: SessionParts
  readonly turns: Turns
  readonly accounts: Accounts
  readonly stopHeartbeat: () => void
}

export class ServerProcess {
  readonly #parts: ProcessParts
  readonly #time: Scope
  readonly #metrics: Metrics
  readonly #log: Log
  readonly #connections = new Set<Connection>()
  readonly #wires = new Set<Wire>()
  #running: Running | null = null
  #state: 'starting' | 'up' | 'draining' | 'over' = 'starting'
  #serial = 0

  constructor(parts: ProcessParts) {
    this.#parts = parts
    this.#time = parts.clock.scope()
    this.#metrics = countingMetrics(parts.trace)
    this.#log = watchfulLog(parts, () => this.isOver)
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  get roomCount(): number {
    return this.#running?.rooms.count ?? 0
  }

  /** Timers of the server that are to run some time. What is on its way to it is no timer of its own. */
  get pendingTimers(): number {
    return this.#time.pending - (this.#running?.membership?.arriving ?? 0)
  }

  /** Rejects with what the store rejects with. */
  async start(): Promise<void> {
    const { plant, home } = this.#parts
    const opened = await home.openStore(this.#time)
    if (this.isOver) return
    const store = plant.store?.(opened) ?? opened
    const running = this.#build(store)
    this.#running = running
    if (this.#parts.plan.rights !== null) {
      await running.sessions.passes.admission.revocations.restore(store)
      if (this.isOver) return
    }
    this.#state = 'up'
  }

  get isStandingStill(): boolean {
    return this.#time.isStopped
  }

  /** As SIGSTOP and SIGCONT. */
  standStill(): void {
    this.#time.stop()
  }

  goOn(): void {
    this.#time.goOn()
  }

  #build(store: Store): Running {
    const { plan, chance, isCalm, plant, onLayout, home } = this.#parts
    const { limits } = plan
    const time = this.#time
    const metrics = this.#metrics
    const log = this.#log
    const worker = createVirtualWorker({
      time,
      sizes: {
        wholeBytesMax: limits.wholeFrameBytesMax,
        heldBackBytesMax: limits.heldBackBytesMax,
        heldBackFrameBytes: limits.heldBackFrameBytes,
        segmentBytes: limits.segmentBytes
      },
      delayMs: () => chance.gapMs(plan.workerMs),
      fails: () => !isCalm() && chance.hits(plan.workerFailures),
      onLayout
    })
    const workers = plant.workers?.(worker) ?? worker
    // By turns full and with some time to spare: nothing is drawn for it, so that seeds go on meaning what they meant.
    const window = new LoadWindow({ limits, time }, () => (time.nowMs() % 4_000 < 3_000 ? 1 : 0.4))
    const journal = new Journal(store, { time, metrics, window })
    const slices = new Slices(time, limits)
    const membership = home.join(store, { time, limits, metrics, log })
    const nodes = membership?.nodes ?? null
    const sealing = this.#createSealing()
    const histories = sealing === null ? null : this.#createHistories(store, sealing, slices)
    const compactions = new CompactionSchedule({
      histories,
      ...{ store, workers, nodes, slices },
      ...{ time, limits, metrics, log }
    })
    const refusals = new Refusals(time, limits)
    const checkpointReads = new CheckpointReads(store, workers, limits)
    const cache = new CheckpointCache(limits.checkpointCacheBytesMax)
    const pacer = new Pacer(time, limits.turnBudgetMs)
    const setAsides = new SetAsides({ store, time, limits })
    const links = { store, journal, window, compactions, refusals, setAsides, checkpointReads, cache, pacer }
    const shared = { ...links, slices, time, limits, metrics, log }
    const presence = { identity: 'as-sent', readers: 'shown' } as const
    const rooms = new Rooms({
      ...shared,
      nodes,
      presence,
      seed: home.seed,
      changes: null,
      isAllowed: () => true
    })
    const stopHeartbeat = startHeartbeat(this.#connections, { time, limits, metrics })
    const isAsked = plan.rights !== null
    const gate = new Gate({ authentication: isAsked ? 'asked' : 'none', origins: null })
    const admission = new Admission(
      { authorize: isAsked ? asItself : null, openHistory: () => 'none', gate, tokenCookie: null },
      { time, limits, metrics, log }
    )
    const passes = new Passes({ admission, time, limits })
    if (isAsked)
      membership?.shareRights({
        learn: whoms => passes.learn(whoms),
        shareWith: tell => passes.shareWith(tell)
      })
    const addresses = new Addresses(time, limits)
    const stateless = new Stateless({ onStateless: null, isRelayed: false, time, limits, metrics, log })
    const hocuspocus = 'any-path' as const
    const sessions = { rooms, passes, addresses, stateless, hocuspocus, time, limits }
    const turns = new Turns(time, turnRates(limits))
    const accounts = new Accounts(time, limits, connectionRates(limits))
    const prunes = histories === null ? null : this.#createPrunes({ ...shared, rooms, histories })
    const desk = histories === null ? null : this.#createDesk(sealing, { ...shared, rooms, histories })
    const inside = { store, prunes, desk, membership, workers, sealing, journal, compactions, rooms }
    return { ...inside, sessions, turns, accounts, stopHeartbeat }
  }

  #createSealing(): VirtualSealing | null {
    const { plan, isCalm, plant } = this.#parts
    const { past } = plan
    if (past === null) return null
    const chance = this.#parts.chance.fork()
    const sealing = createVirtualSealing({
      time: this.#time,
      delayMs: () => chance.gapMs(past.workMs),
      fails: () => !isCalm() && chance.hits(past.failures)
    })
    return plant.sealing?.(sealing) ?? sealing
  }

  #createHistories(store: Store, work: VirtualSealing, slices: Slices): Histories | null {
    const { plan, plant } = this.#parts
    const { past, limits } = plan
    if (past === null || store.history === undefined) return null
    const chance = this.#parts.chance.fork()
    return new Histories({
      ...{ store: plant.history?.(store.history) ?? store.history, work, policyOf: past.policyOf },
      ...{ random: () => chance.between(0, 1), time: this.#time, slices },
      ...{ limits, metrics: this.#metrics, log: this.#log }
    })
  }

  #createPrunes(parts: ConstructorParameters<typeof Pruning>[0]): Prunes | null {
    const { plan, clock, trace, isCalm } = this.#parts
    const prunes = plan.past?.prunes ?? null
    if (prunes === null) return null
    return new Prunes({ pruning: new Pruning(parts), plan: prunes, time: this.#time, clock, trace, isCalm })
  }

  #createDesk(sealing: VirtualSealing | null, parts: DeskNeeds): PastDesk | null {
    const { plan, isCalm, book, plant } = this.#parts
    const { past } = plan
    const { history } = parts.store
    if (past === null || past.changes === null || sealing === null || history === undefined) return null
    const chance = this.#parts.chance.fork()
    const asking = createVirtualAsking({
      time: this.#time,
      delayMs: () => chance.gapMs(past.workMs),
      fails: () => !isCalm() && chance.hits(past.failures),
      sealing,
      onTakenBack: taken => book.tookBack(taken)
    })
    const planted = { history: plant.history?.(history) ?? history, asking: plant.asking?.(asking) ?? asking }
    return new PastDesk({ ...parts, ...planted, sealing, chance, policyOf: past.policyOf })
  }

  /** Null: nobody asks about the past. */
  history(room: string): DocumentHistory | null {
    return this.#running?.desk?.of(room) ?? null
  }

  /** Null: it is not stored. Rejects with a Fault where the store fails. */
  async lifeOf(room: string): Promise<string | null> {
    try {
      const [head] = (await this.#running?.store.heads([{ document: room }])) ?? []
      return head?.incarnation ?? null
    } catch (error) {
      throw orStoreFault(error)
    }
  }

  async thinHistory(room: string): Promise<void> {
    await this.#running?.desk?.thin(room)
  }

  /** Takes a connection, or refuses it as a port does that nobody listens on. */
  accept(wire: Wire, document: string | null, address: string): void {
    const running = this.#running
    if (running === null || this.#state !== 'up') {
      wire.server.mute()
      return wire.refuse()
    }
    this.#wires.add(wire)
    wire.enterServer = run => this.#time.enter(run)
    wire.enterServer(() => this.#serve(running, wire, { document, address }))
  }

  #serve(
    running: Running,
    wire: Wire,
    { document, address }: { readonly document: string | null; readonly address: string }
  ): void {
    const { plan, plant } = this.#parts
    const host = {
      time: this.#time,
      limits: plan.limits,
      metrics: this.#metrics,
      log: this.#log,
      accounts: running.accounts,
      turns: running.turns,
      shares: sharesOf(this.#time, plan.limits),
      refused: (address: string) => running.sessions.addresses.refused(address),
      // Nobody counts connections here.
      disconnected: () => {},
      onClosed: (closed: Connection) => {
        this.#connections.delete(closed)
        this.#wires.delete(wire)
      }
    }
    const own = {
      // The wire has what Connection uses of them, and nothing else.
      socket: wire.server as unknown as WebSocket,
      stream: wire.stream as unknown as ConstructorParameters<typeof Connection>[0]['stream'],
      id: `${address}/${this.#serial++}`,
      address
    }
    const connection = new Connection(own, host)
    plant.connection?.(connection)
    this.#connections.add(connection)
    wire.open()
    // The document's name in the URL as y-websocket writes it; a Hocuspocus page connects to the root.
    const url = `/${document === null ? '' : encodeURIComponent(document)}`
    const target = { visitor: { url, headers: {}, address, barred: null }, pathPrefix: '/' }
    connection.start(openSession(connection, running.sessions, target))
  }

  /** As `server.delete` of an application. */
  delete(room: string): Promise<boolean> {
    return this.#running?.rooms.delete(room) ?? Promise.reject(new Error('the server does not run'))
  }

  /** Takes the right of a user away, on all nodes. Rejects as `server.revoke` does. */
  async revoke(user: string): Promise<void> {
    await this.#running?.sessions.passes.revoke({ user })
  }

  hasMember(user: string): boolean {
    let isThere = false
    const look = ({ person }: Member) => {
      isThere ||= person.user?.id === user
      return false
    }
    this.#running?.rooms.disconnect(null, look, new Fault('ERR_FORBIDDEN'))
    return isThere
  }

  /** As SIGTERM: resolves when the process has ended, having left nothing behind. */
  async stop(): Promise<void> {
    const running = this.#running
    if (running === null || this.#state !== 'up') return
    this.#state = 'draining'
    const connections = [...this.#connections]
    const cancels = connections.map((connection, i) => {
      const delayMs = (this.#parts.plan.limits.drainMs * i) / connections.length
      return this.#time.after(delayMs, () => connection.end(new Fault('ERR_GOING_DOWN')))
    })
    while (this.#connections.size > 0) await this.#time.delay(50)
    for (const cancel of cancels) cancel()
    running.stopHeartbeat()
    running.sessions.passes.admission.close()
    await running.journal.idle()
    await running.rooms.close()
    running.membership?.close()
    const compacted = running.compactions.close()
    running.sealing?.close()
    await running.desk?.close()
    await running.workers.close()
    await compacted
    await running.prunes?.stop()
    await running.store.close()
    running.membership?.lose()
    // Whoever asked the store last is answered in this turn.
    if (running.membership !== null) await this.#time.delay(0)
    if (this.#time.pending > 0) throw new Violation(`${this.#time.pending} timers are left after a stop`)
    this.#state = 'over'
    this.#parts.trace.note('stopped')
  }

  /** The process ends now, in the middle of whatever it does. */
  die(news: 'told' | 'silent'): void {
    this.#state = 'over'
    this.#time.end()
    this.#running?.membership?.lose()
    for (const wire of this.#wires) wire.serverDied(news)
    this.#wires.clear()
    this.#connections.clear()
  }
}

/** Everybody is who their address says, and may write. */
function asItself({ address }: { readonly address: string }): Grant {
  return { user: { id: address }, access: 'write' }
}

/** Never the fault of a disk or a worker that fails: a bug shows. */
const bugs =
  /bug|could not be (read|integrated)|damaged|TypeError|RangeError|lacks a part|add up|has gaps|Invalid|Unexpected/

/** What failed shortly before the calm may be told shortly after it. */
const aftermathMs = 5_000

function watchfulLog({ trace, clock, isCalm }: ProcessParts, isOver: () => boolean): Log {
  let calmAtMs = Number.POSITIVE_INFINITY
  const isQuiet = () => {
    if (isCalm()) calmAtMs = Math.min(calmAtMs, clock.nowMs)
    return clock.nowMs > calmAtMs + aftermathMs
  }
  return {
    debug: () => {},
    info: () => {},
    warn: (fields, message) => trace.note('warn', `${message} ${textOf(fields)}`),
    error: (fields, message) => {
      // What a dead process says is the simulation's own making.
      if (isOver()) return
      trace.note('error', `${message} ${textOf(fields)}`)
      const text = `${message} ${textOf(fields)}`
      if (!isQuiet() && (!bugs.test(text) || /the worker died/.test(text))) return
      clock.fail(new Violation(`the server logged: ${message} ${textOf(fields)}`, { cause: fields.error }))
    }
  }
}

function textOf(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value instanceof Error ? `${value.name}: ${value.message}` : value}`)
    .join(' ')
}

/** The server's counters, kept with the trace. */
function countingMetrics(trace: Trace): Metrics {
  return {
    connectionOpened: () => {},
    connectionClosed: () => {},
    roomOpened: () => trace.count('rooms opened'),
    roomClosed: () => trace.count('rooms closed'),
    outboxMeasured: () => {},
    updateAccepted: () => trace.count('updates accepted'),
    updateKnown: () => trace.count('updates known'),
    received: () => {},
    joined: () => trace.count('joins'),
    batchWritten: () => trace.count('batches written'),
    batchFailed: () => trace.count('batches failed'),
    compacted: outcome => trace.note('compacted', outcome),
    uncompacted: documents => trace.note('uncompacted', String(documents)),
    tombstonesDropped: () => {},
    historySealed: () => trace.count('segments sealed'),
    historyFailed: () => trace.count('seals failed'),
    historyHole: () => trace.count('holes in histories'),
    historyCut: reason => trace.note('history cut', reason),
    historyRead: (kind, outcome) => trace.count(`${kind} of histories ${outcome}`),
    historyReadTook: () => {},
    historyRestored: (kind, outcome) => trace.count(`${kind} ${outcome}`),
    historyLag: () => {},
    historiesMeasured: () => {},
    hookCalled: () => {},
    ignored: kind => trace.count(`ignored ${kind}`),
    refused: code => trace.note('refused', code),
    nodeNamed: () => {},
    countAmongOthers: () => {},
    countFeed: () => ({
      delivered: (outlet, outcome) => trace.count(`deliveries to ${outlet} ${outcome}`)
    }),
    recordShown: () => {},
    recordsRead: () => {},
    headsPolled: () => {},
    expose: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: '' }),
    collectProcess: () => {},
    close: () => {}
  }
}
