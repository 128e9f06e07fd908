/** What is asked of a server in plain requests: its routes, wired to what answers them. */

import { Chaos } from './chaos/chaos.ts'
import { permissionOf } from './chaos/permission.ts'
import { Agents } from './documents/agents.ts'
import type { DocumentHistories } from './documents/document-histories.ts'
import { Edits } from './documents/edits.ts'
import { Leases } from './documents/leases.ts'
import { RemoteDocuments } from './documents/remote-documents.ts'
import { EditWorkers } from './editing/workers.ts'
import { isBearer } from './http/bearer.ts'
import { createControlToken } from './http/control.ts'
import { described } from './http/description.ts'
import { routed } from './http/router.ts'
import { routes } from './http/routes.ts'
import type { PastNeeds, Running, Setup } from './running.ts'
import { Seat } from './transport/seat.ts'
import { Streams } from './transport/streams.ts'

type StreamParts = Omit<ConstructorParameters<typeof Streams>[0], 'isOperator' | 'isShared'>

type Needs = PastNeeds &
  Omit<Running, 'transport' | 'streams' | 'stateless' | 'chaos' | 'handlers' | 'controlToken'> & {
    readonly agents: Agents
    readonly streamParts: StreamParts
  }

/** The handlers, in the order in which they are asked. */
export function servingOf(
  { options, name, host, demo, isDraining }: Setup,
  parts: Needs
): Pick<Running, 'chaos' | 'streams' | 'handlers' | 'controlToken'> {
  const { rooms, passes, limits, cluster, documentHistories: histories } = parts
  const { addresses } = parts.streamParts
  const controlToken = createControlToken()
  const chaos = new Chaos({ ...parts, permission: permissionOf(options, host) })
  const seats = { rooms, passes, addresses, limits }
  const { table, rights, others } = routes({
    ...parts,
    ...{ seats, histories, isDraining, controlToken, adminToken: options.adminToken },
    mcp: options.mcp === true ? { origins: options.origins ?? null } : null,
    remote: new RemoteDocuments(parts),
    seatAt: (visitor, document) => new Seat(seats, visitor, document),
    node: { name, bus: cluster?.busHealth ?? null },
    checkName: document => rooms.checkName(document)
  })
  const streams = new Streams({
    ...parts.streamParts,
    isShared: cluster !== null,
    isOperator: authorization => isBearer(authorization, tokensOf(controlToken, options.adminToken))
  })
  const api = routed(described([...table, ...chaos.routes]), rights)
  return { chaos, controlToken, streams, handlers: [api, ...others, streams.handler, ...demo] }
}

/** Of the operator. */
function tokensOf(controlToken: string, adminToken: string | undefined): readonly string[] {
  return adminToken === undefined ? [controlToken] : [controlToken, adminToken]
}

/** What edits documents for those who have no copy of them. */
export function editingOf(
  parts: PastNeeds & Pick<Running, 'store' | 'rooms'>,
  histories: DocumentHistories | null
) {
  const editWorkers = new EditWorkers(parts.limits)
  const edits = new Edits({ ...parts, workers: editWorkers, random: Math.random })
  const leases = new Leases({ ...parts, random: Math.random })
  return {
    editing: { editWorkers, edits, leases },
    agents: new Agents({ ...parts, edits, leases, histories })
  }
}
