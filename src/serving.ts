/** What is asked of a server in plain requests: its routes, wired to what answers them. */

import type { Store } from '../persistence/store.ts'
import type { Limits } from './base/limits.ts'
import type { Log } from './base/log.ts'
import type { Metrics } from './base/metrics.ts'
import type { Slices } from './base/slices.ts'
import type { Time } from './base/time.ts'
import { Chaos } from './chaos/chaos.ts'
import { permissionOf } from './chaos/permission.ts'
import type { Cluster } from './cluster/cluster.ts'
import { Agents } from './documents/agents.ts'
import type { DocumentHistories } from './documents/document-histories.ts'
import { Edits } from './documents/edits.ts'
import { Leases } from './documents/leases.ts'
import { RemoteDocuments } from './documents/remote-documents.ts'
import { EditWorkers } from './editing/workers.ts'
import { isBearer } from './http/bearer.ts'
import { createControlToken } from './http/control.ts'
import { described } from './http/description.ts'
import type { Handler } from './http/message.ts'
import { routed } from './http/router.ts'
import { routes } from './http/routes.ts'
import type { ServerOptions } from './options.ts'
import type { Rooms } from './room/rooms.ts'
import { Seat } from './transport/seat.ts'
import { Streams } from './transport/streams.ts'

type EditingParts = {
  readonly rooms: Rooms
  readonly store: Store
  readonly time: Time
  readonly limits: Limits
  readonly slices: Slices
  readonly metrics: Metrics
  readonly log: Log
}

type StreamParts = Omit<ConstructorParameters<typeof Streams>[0], 'isOperator' | 'isShared'>

/** What is made here of the rest. */
type Made = 'seats' | 'seatAt' | 'histories' | 'controlToken' | 'mcp' | 'remote' | 'node' | 'checkName'

type Needs = Omit<Parameters<typeof routes>[0], Made | 'isDraining' | 'tokens'> &
  ConstructorParameters<typeof RemoteDocuments>[0] &
  EditingParts & {
    readonly cluster: Pick<Cluster, 'busHealth'> | null
    readonly documentHistories: DocumentHistories | null
    readonly streamParts: StreamParts
  }

type Settings = {
  readonly options: ServerOptions
  readonly name: string | null
  readonly host: string | null
  readonly demo: readonly Handler[]
  readonly isDraining: () => boolean
}

export type Serving = {
  readonly chaos: Chaos
  readonly streams: Streams
  /** In the order in which they are asked. */
  readonly handlers: readonly Handler[]
  readonly controlToken: string
}

export function servingOf({ options, name, host, demo, isDraining }: Settings, parts: Needs): Serving {
  const { rooms, passes, limits, cluster, documentHistories: histories } = parts
  const { addresses } = parts.streamParts
  const { adminToken } = options
  const controlToken = createControlToken()
  const tokens = adminToken === undefined ? [controlToken] : [controlToken, adminToken]
  const chaos = new Chaos({ ...parts, permission: permissionOf(options, host) })
  const seats = { rooms, passes, addresses, limits }
  const { table, rights, others } = routes({
    ...parts,
    ...{ seats, histories, isDraining, controlToken, tokens },
    mcp: options.mcp === true ? { origins: options.origins ?? null } : null,
    remote: new RemoteDocuments(parts),
    seatAt: (visitor, document) => new Seat(seats, visitor, document),
    node: { name, bus: cluster?.busHealth ?? null },
    checkName: document => rooms.checkName(document)
  })
  const streams = new Streams({
    ...parts.streamParts,
    isShared: cluster !== null,
    isOperator: authorization => isBearer(authorization, tokens)
  })
  const api = routed(described([...table, ...chaos.routes]), rights)
  return { chaos, controlToken, streams, handlers: [api, ...others, streams.handler, ...demo] }
}

/** What edits documents for those who have no copy of them. */
export function editingOf(parts: EditingParts, histories: DocumentHistories | null) {
  const editWorkers = new EditWorkers(parts.limits)
  const edits = new Edits({ ...parts, workers: editWorkers, random: Math.random })
  const leases = new Leases({ ...parts, random: Math.random })
  return {
    editing: { editWorkers, edits, leases },
    agents: new Agents({ ...parts, edits, leases, histories })
  }
}
