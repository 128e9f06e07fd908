/**
 * The server's counters in the Prometheus format. One registry per server, so that several live in one process.
 * No document names as labels: their number has no bound. The only place that imports prom-client.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { FaultCode } from './errors.ts'
import { createFeedMeters, type FeedReading } from './feed-metrics.ts'

export type Metrics = ReturnType<typeof createMetrics>

export type HookName = 'load' | 'change' | 'authorize' | 'stateless'

/** `dropped`: not called, as the server stopped or too many were waiting. */
export type HookOutcome = 'done' | 'failed' | 'refused' | 'timed-out' | 'dropped'

/** Why something of a history went. `off`: no rule names the document any more. */
export type HistoryCut = 'too-old' | 'too-large' | 'pruned' | 'off'

/** What is asked about a history; a restore and an undo are computed before they are committed. */
export type HistoryQuestionKind = 'at' | 'contents' | 'activity' | 'diff' | 'blame' | 'restore' | 'undo'

/** `refused`: whoever asked can mend it. `cancelled`: nobody waited any more. */
export type HistoryReadOutcome = 'done' | 'refused' | 'cancelled' | 'failed'

/** `unchanged`: the document was so already, and nothing was written. */
export type RestoreOutcome = 'changed' | 'unchanged' | Exclude<HistoryReadOutcome, 'done'>

/** A bus as it is now. `counts`: since it was opened, by what became of messages. */
export type BusReading = {
  readonly isWell: boolean
  readonly queuedMessages: number
  readonly queuedBytes: number
  readonly counts: Readonly<Record<string, number>>
}

/** Presence among nodes. `own`, `others`: states now. `expired`: rooms of nodes that were heard of no more, since the start. */
export type PresenceReading = { readonly own: number; readonly others: number; readonly expired: number }

/** Seconds. A page of text is looked at in milliseconds, a whole history for as long as `historyDeadlineMs` allows. */
const readBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30]

/** Seconds. A synced write takes between a tenth of a millisecond and, on a bad day, seconds. */
const syncBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5]

export function createMetrics() {
  const registry = new Registry()
  const meters = createMeters(registry)
  let nodeMeters: ReturnType<typeof createNodeMeters> | null = null
  let stopProcess = () => {}
  return {
    connectionOpened: () => meters.connections.inc(),
    connectionClosed: () => meters.connections.dec(),
    roomOpened: () => meters.rooms.inc(),
    roomClosed: () => meters.rooms.dec(),
    outboxMeasured: (bytes: number) => meters.outboxBytes.set(bytes),
    updateAccepted: (bytes: number) => {
      meters.updates.inc()
      meters.updateBytes.inc(bytes)
    },
    updateKnown: () => meters.knownUpdates.inc(),
    received: (bytes: number) => meters.receivedBytes.inc(bytes),
    joined: () => meters.joins.inc(),
    batchWritten: (roomCount: number, ms: number) => {
      meters.batches.inc()
      meters.batchRooms.observe(roomCount)
      meters.batchSeconds.observe(ms / 1000)
    },
    batchFailed: () => meters.batchFailures.inc(),
    compacted: (outcome: 'written' | 'superseded' | 'failed') => meters.compactions.inc({ outcome }),
    uncompacted: (documents: number) => meters.uncompacted.set(documents),
    ...historyCounts(meters),
    tombstonesDropped: (reason: 'too-old' | 'too-many' | 'in-part', count: number) =>
      meters.tombstonesDropped.inc({ reason }, count),
    hookCalled: (hook: HookName, outcome: HookOutcome) => meters.hookCalls.inc({ hook, outcome }),
    ignored: (kind: 'unknown-type' | 'text') => meters.ignored.inc({ kind }),
    refused: (code: FaultCode) => meters.refusals.inc({ code }),
    /** The server has a name, which tells its series from those of others. */
    nodeNamed: (name: string) => nameNode(registry, name),
    /** From now on what a server does among others is counted too; null where there is no bus. */
    countAmongOthers: (read: { bus(): BusReading; presence(): PresenceReading } | null) => {
      nodeMeters = createNodeMeters(registry)
      if (read === null) return
      createBusMeters(registry, read.bus)
      createPresenceMeters(registry, read.presence)
    },
    /** From now on what outlets are told of is counted too. */
    countFeed: (read: () => readonly FeedReading[]) => createFeedMeters(registry, read),
    recordShown: (whose: 'own' | 'others') => nodeMeters?.recordsShown[whose].inc(),
    recordsRead: (count: number) => {
      nodeMeters?.gapReads.inc()
      nodeMeters?.recordsRead.inc(count)
    },
    headsPolled: (outcome: 'done' | 'failed') => nodeMeters?.headsPolls.inc({ outcome }),
    /** The text a Prometheus server scrapes, and its content type. */
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    /** Begins to measure the process too, until `close`. */
    collectProcess: () => {
      stopProcess = collectProcess(registry)
    },
    close: () => {
      stopProcess()
      registry.clear()
    }
  }
}

/** What is counted of histories. */
function historyCounts(meters: Meters) {
  const lags = new Map<string, number>()
  return {
    historySealed: (bytes: number) => {
      meters.historySegments.inc()
      meters.historyBytes.inc(bytes)
    },
    historyFailed: () => meters.historyFailures.inc(),
    historyHole: () => meters.historyHoles.inc(),
    historyCut: (reason: HistoryCut) => meters.historyCuts.inc({ reason }),
    /** A question about a history was answered, or was not. */
    historyRead: (kind: HistoryQuestionKind, outcome: HistoryReadOutcome) =>
      meters.historyReads.inc({ kind, outcome }),
    /** How long a thread had a question that it has answered. */
    historyReadTook: (kind: HistoryQuestionKind, ms: number) =>
      meters.historyReadSeconds.observe({ kind }, ms / 1000),
    historyRestored: (kind: 'restore' | 'undo', outcome: RestoreOutcome) =>
      meters.historyRestores.inc({ kind, outcome }),
    /** Records of one document that a checkpoint has replaced and that are not sealed. */
    historyLag: (document: string, records: number) => {
      if (records === 0 && !lags.has(document)) return
      lags.delete(document)
      if (records > 0 && lags.size < laggingMax) lags.set(document, records)
      meters.historyUnsealed.set([...lags.values()].reduce((sum, each) => sum + each, 0))
    },
    /** All histories, when they were looked at last. */
    historiesMeasured: (documents: number, bytes: number) => {
      meters.histories.set(documents)
      meters.historyStored.set(bytes)
    }
  }
}

/** Documents whose lag is known. Further ones are left out of the sum. */
const laggingMax = 1_000

/** A number that is counted with every message, and becomes a Prometheus counter when somebody asks. */
function tally(registry: Registry, name: string, help: string): { inc(by?: number): void } {
  let total = 0
  const collect = function (this: Counter) {
    this.reset()
    this.inc(total)
  }
  new Counter({ name, help, registers: [registry], collect })
  return {
    inc: (by = 1) => {
      total += by
    }
  }
}

type Meters = ReturnType<typeof createMeters>

function createMeters(registry: Registry) {
  const counter = (name: string, help: string) => tally(registry, `chorus_${name}`, help)
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `chorus_${name}`, help, registers: [registry] })
  const connections = gauge('connections', 'Open WebSocket connections')
  const rooms = gauge('rooms', 'Open rooms')
  const outboxBytes = gauge('outbox_bytes', 'Bytes queued to sockets, at the last heartbeat')
  const uncompacted = gauge(
    'uncompacted_documents',
    'Documents whose compaction failed and that are served as they are'
  )
  const updates = counter('updates_total', 'Updates that brought something new')
  const knownUpdates = counter(
    'known_updates_total',
    'Updates that brought nothing new, neither stored nor relayed'
  )
  const updateBytes = counter('update_bytes_total', 'Bytes of the updates that brought something new')
  const receivedBytes = counter('received_bytes_total', 'Payload bytes received')
  const joins = counter('joins_total', 'Joins answered with an end marker')
  const batches = counter('commit_batches_total', 'Synced writes to the store')
  const batchFailures = counter('commit_failures_total', 'Writes to the store that failed')
  const batchRooms = new Histogram({
    name: 'chorus_commit_batch_rooms',
    help: 'Rooms in one synced write',
    buckets: [1, 2, 5, 10, 20, 50, 100, 500],
    registers: [registry]
  })
  const batchSeconds = new Histogram({
    name: 'chorus_commit_batch_seconds',
    help: 'Time until a batch is durable',
    buckets: syncBuckets,
    registers: [registry]
  })
  return {
    connections,
    rooms,
    outboxBytes,
    uncompacted,
    updates,
    knownUpdates,
    updateBytes,
    receivedBytes,
    joins,
    batches,
    batchFailures,
    batchRooms,
    batchSeconds,
    ...createLabelledMeters(registry),
    ...createHistoryMeters(registry)
  }
}

function createHistoryMeters(registry: Registry) {
  const counter = (name: string, help: string) => tally(registry, `chorus_history_${name}`, help)
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `chorus_${name}`, help, registers: [registry] })
  const historyCuts = new Counter({
    name: 'chorus_history_cuts_total',
    help: 'Histories of which the oldest part was removed, by reason',
    labelNames: ['reason'],
    registers: [registry]
  })
  const historyReads = new Counter({
    name: 'chorus_history_reads_total',
    help: 'Questions about histories, by kind and outcome',
    labelNames: ['kind', 'outcome'],
    registers: [registry]
  })
  const historyReadSeconds = new Histogram({
    name: 'chorus_history_read_seconds',
    help: 'Time that a thread took for a question that it answered, by kind',
    labelNames: ['kind'],
    buckets: readBuckets,
    registers: [registry]
  })
  const historyRestores = new Counter({
    name: 'chorus_history_restores_total',
    help: 'Restores and undos, by kind and outcome',
    labelNames: ['kind', 'outcome'],
    registers: [registry]
  })
  return {
    historyReads,
    historyReadSeconds,
    historyRestores,
    historySegments: counter('segments_total', 'Segments of histories that were sealed'),
    historyBytes: counter('sealed_bytes_total', 'Bytes of those segments'),
    historyFailures: counter('failures_total', 'Attempts to write a history that failed'),
    historyHoles: counter('holes_total', 'Histories that begin again, as something could not be sealed'),
    historyCuts,
    historyUnsealed: gauge('history_unsealed_records', 'Replaced records that could not be sealed yet'),
    histories: gauge('histories', 'Documents that have a history, when all were looked at last'),
    historyStored: gauge('history_bytes', 'Bytes of all histories, when they were looked at last')
  }
}

/** Counters by kind; the kinds are few and known. */
function createLabelledMeters(registry: Registry) {
  const compactions = new Counter({
    name: 'chorus_compactions_total',
    help: 'Compactions by outcome',
    labelNames: ['outcome'],
    registers: [registry]
  })
  const hookCalls = new Counter({
    name: 'chorus_hook_calls_total',
    help: 'Calls of the embedding application, by outcome',
    labelNames: ['hook', 'outcome'],
    registers: [registry]
  })
  const ignored = new Counter({
    name: 'chorus_ignored_messages_total',
    help: 'Messages that no dialect knows and that were ignored',
    labelNames: ['kind'],
    registers: [registry]
  })
  const refusals = new Counter({
    name: 'chorus_refusals_total',
    help: 'Connections closed or requests refused, by error code',
    labelNames: ['code'],
    registers: [registry]
  })
  const tombstonesDropped = new Counter({
    name: 'chorus_tombstones_dropped_total',
    help: 'Tombstones of deleted documents that were dropped, or do not name all clients, by reason',
    labelNames: ['reason'],
    registers: [registry]
  })
  return { compactions, hookCalls, ignored, refusals, tombstonesDropped }
}

function nameNode(registry: Registry, node: string): void {
  const help = 'How this server is called (--node-name)'
  const info = new Gauge({ name: 'chorus_node_info', help, labelNames: ['node'], registers: [registry] })
  info.set({ node }, 1)
}

function createNodeMeters(registry: Registry) {
  const counter = (name: string, help: string) => tally(registry, `chorus_${name}`, help)
  const headsPolls = new Counter({
    name: 'chorus_heads_polls_total',
    help: 'Questions to the store what other servers have written and changed, by outcome',
    labelNames: ['outcome'],
    registers: [registry]
  })
  return {
    recordsShown: {
      own: counter('own_records_shown_total', 'Records of this server that were shown to its clients'),
      others: counter(
        'others_records_shown_total',
        'Records of other servers that were shown to clients here'
      )
    },
    gapReads: counter('gap_reads_total', 'Reads of records that the bus did not bring, or not in time'),
    recordsRead: counter('gap_records_total', 'Records that were read in this way'),
    headsPolls
  }
}

/** Gauges that are measured when they are asked for. */
function measuredGauges(registry: Registry, prefix: string) {
  return (name: string, help: string, measure: () => number) => {
    const collect = function (this: Gauge) {
      this.set(measure())
    }
    new Gauge({ name: `${prefix}_${name}`, help, registers: [registry], collect })
  }
}

function createBusMeters(registry: Registry, read: () => BusReading): void {
  const gauge = measuredGauges(registry, 'chorus_bus')
  gauge('up', '1 while what is published comes back from the bus, else 0', () => (read().isWell ? 1 : 0))
  gauge('queued_messages', 'Messages that have not left for the bus', () => read().queuedMessages)
  gauge('queued_bytes', 'Their bytes', () => read().queuedBytes)
  const collect = function (this: Counter) {
    this.reset()
    for (const [fate, count] of Object.entries(read().counts)) this.inc({ fate }, count)
  }
  const help = 'Messages of the bus, by what became of them'
  const labelNames = ['fate']
  new Counter({ name: 'chorus_bus_messages_total', help, labelNames, registers: [registry], collect })
}

function createPresenceMeters(registry: Registry, read: () => PresenceReading): void {
  const gauge = measuredGauges(registry, 'chorus_presence')
  gauge('own_states', "Awareness states of this server's connections", () => read().own)
  gauge('others_states', 'Awareness states of other servers that are shown here', () => read().others)
  const collect = function (this: Counter) {
    this.reset()
    this.inc(read().expired)
  }
  const help = 'Rooms of other servers whose states were removed, as nothing was heard of them'
  new Counter({ name: 'chorus_presence_expired_total', help, registers: [registry], collect })
}

/**
 * The process's own metrics under the names that dashboards know. prom-client's collection of them cannot be stopped,
 * and a stopped server must leave nothing running (I10).
 */
function collectProcess(registry: Registry): () => void {
  // It samples with a timer, and waking up a process that has nothing to do costs 100 µs: ten times a second is enough
  // to find what stalls often, and does not show in the CPU time of an idle server.
  const delay = monitorEventLoopDelay({ resolution: 100 })
  delay.enable()
  const measured = (name: string, help: string, measure: () => number) => {
    const collect = function (this: Gauge) {
      this.set(measure())
    }
    new Gauge({ name, help, registers: [registry], collect })
  }
  const cpuSeconds = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6
  const startSeconds = Math.round(Date.now() / 1000 - process.uptime())
  measured('process_cpu_seconds_total', 'User and system CPU time of the process', cpuSeconds)
  measured('process_start_time_seconds', 'When the process started', () => startSeconds)
  measured('process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss())
  measured('nodejs_heap_size_used_bytes', 'V8 heap in use', () => process.memoryUsage().heapUsed)
  measured(
    'nodejs_external_memory_bytes',
    'Memory of buffers outside the heap',
    () => process.memoryUsage().external
  )
  measured(
    'nodejs_eventloop_delay_p50_seconds',
    'Median delay since the last scrape',
    () => delay.percentile(50) / 1e9
  )
  measured(
    'nodejs_eventloop_delay_p99_seconds',
    'p99 delay since the last scrape',
    () => delay.percentile(99) / 1e9
  )
  measured('nodejs_eventloop_delay_max_seconds', 'Longest delay since the last scrape', () => {
    const seconds = delay.max / 1e9
    delay.reset()
    return seconds
  })
  return () => delay.disable()
}
