/** Bugs put into the server from outside, to see that the simulation finds them. */

import type { HistoryStore } from '../../persistence/history.ts'
import type { OrderedBackend } from '../../persistence/ordered.ts'
import type { OrderedStoreOptions } from '../../persistence/ordered-store.ts'
import type { Store } from '../../persistence/store.ts'
import { copyStore } from '../../persistence/store.ts'
import { cutSegments, joinSegments } from '../../src/document/segments.ts'
import type { Workers } from '../../src/document/workers.ts'
import { Awareness } from '../../src/room/awareness.ts'
import type { Nodes } from '../../src/room/nodes.ts'
import { Renewals } from '../../src/room/renewals.ts'
import type { Connection } from '../../src/transport/connection.ts'
import type { VirtualAsking, VirtualSealing } from './past-work.ts'
import type { SharedDatabase } from './shared-database.ts'
import type { Scope } from './virtual-time.ts'

/** What stands between the server and what it uses; each absent part is as it should be. */
export type Plant = {
  readonly backend?: (backend: OrderedBackend) => OrderedBackend
  readonly storeOptions?: OrderedStoreOptions
  readonly store?: (store: Store) => Store
  /** What keeps the histories, as the server sees it. */
  readonly history?: (history: HistoryStore) => HistoryStore
  /** The worker that seals them. */
  readonly sealing?: (sealing: VirtualSealing) => VirtualSealing
  /** The worker that answers what is asked about them. */
  readonly asking?: (asking: VirtualAsking) => VirtualAsking
  readonly workers?: (workers: Workers) => Workers
  readonly connection?: (connection: Connection) => void
  /** Of several nodes: what stands between rooms and other nodes, and the database they share. */
  readonly nodes?: (nodes: Nodes) => Nodes
  readonly database?: (database: SharedDatabase, time: Scope) => void
  /** Runs before a run; the returned function takes the bug out again. */
  readonly patch?: () => () => void
}

export const noPlant: Plant = {}

export const plants = {
  'an append resolves before it is written': {
    backend: backend => ({
      open: async () => {
        const database = await backend.open()
        const batch: typeof database.batch = async (operations, durability) => {
          database.batch(operations, durability).catch(() => {})
        }
        return { ...database, batch }
      }
    })
  },
  'an append resolves before it is synced': { storeOptions: { durability: 'relaxed' } },
  'a checkpoint replaces everything that is there': {
    store: store => ({
      ...boundTo(store),
      checkpoint: async request => {
        const { records } = await store.load(request.document)
        return store.checkpoint({ ...request, replaces: records.map(({ sequence }) => sequence) })
      }
    })
  },
  'a deletion leaves no tombstone': {
    store: store => ({
      ...boundTo(store),
      delete: (document, { incarnation } = {}) => store.delete(document, { incarnation })
    })
  },
  'compaction forgets what is pending': {
    workers: workers => ({
      ...workers,
      compact: async job => ({ ...(await workers.compact(job)), pending: [] })
    })
  },
  'a large document is sent in parts that show': {
    workers: workers => ({
      ...workers,
      compact: async job => {
        const result = await workers.compact(job)
        if (result.meta.layout !== 'held-back') return result
        const segments = cutSegments(joinSegments(result.segments), { segmentBytes: 200 })
        return { ...result, segments: segments.map(({ update }) => update) }
      }
    })
  },
  'awareness forgets to remove who has left': {
    patch: () => {
      const { leave } = Awareness.prototype
      Awareness.prototype.leave = () => {}
      return () => {
        Awareness.prototype.leave = leave
      }
    }
  },
  'nobody renews the states of hidden tabs': {
    patch: () => {
      const { watch } = Renewals.prototype
      Renewals.prototype.watch = () => {}
      return () => {
        Renewals.prototype.watch = watch
      }
    }
  },
  'one message in a hundred is not sent': {
    connection: connection => {
      const send = connection.send.bind(connection)
      let count = 0
      connection.send = frame => (++count % 100 === 0 ? 'flowing' : send(frame))
    }
  }
} as const satisfies Record<string, Plant>

export type PlantName = keyof typeof plants

/** The store's calls as own members, so that some can be replaced. */
function boundTo(store: Store): Store {
  return {
    lanes: store.lanes,
    node: store.node,
    ...(store.history === undefined ? {} : { history: store.history }),
    append: entries => store.append(entries),
    recordsAfter: (document, incarnation, sequence, limits) =>
      store.recordsAfter(document, incarnation, sequence, limits),
    heads: queries => store.heads(queries),
    lease: (key, holder, ms) => store.lease(key, holder, ms),
    load: document => store.load(document),
    segments: (document, generation) => store.segments(document, generation),
    checkpoint: request => store.checkpoint(request),
    setAside: (document, entry) => store.setAside(document, entry),
    listSetAside: document => store.listSetAside(document),
    setAsideDocuments: () => store.setAsideDocuments(),
    dropSetAside: (document, number) => store.dropSetAside(document, number),
    list: options => store.list(options),
    delete: (document, deletion) => store.delete(document, deletion),
    tombstones: () => store.tombstones(),
    dropTombstones: documents => store.dropTombstones(documents),
    readMetadata: key => store.readMetadata(key),
    writeMetadata: (key, value) => store.writeMetadata(key, value),
    swapMetadata: (key, present, value) => store.swapMetadata(key, present, value),
    metadataDigest: key => store.metadataDigest(key),
    probe: () => store.probe(),
    copyTo: (directory, onProgress) => copyStore(store, directory, onProgress),
    close: () => store.close()
  }
}
