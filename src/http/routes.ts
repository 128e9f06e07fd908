/** Every route that is answered over plain HTTP beside pages, in one table. */

import type { Store } from '../../persistence/store.ts'
import type { Visitor } from '../access/grant.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Time } from '../base/time.ts'
import type { DocumentHistories } from '../documents/document-histories.ts'
import type { Documents } from '../documents/documents.ts'
import type { RemoteDocuments } from '../documents/remote-documents.ts'
import type { Views } from '../documents/views.ts'
import type { DeadLetters } from '../feed/dead-letters.ts'
import type { CompactionSchedule } from '../room/compaction-schedule.ts'
import type { Journal } from '../room/journal.ts'
import type { Seat, SeatParts } from '../transport/seat.ts'
import { rights as rightsRoutes } from './admin.ts'
import { Askers } from './askers.ts'
import { checkBearer } from './bearer.ts'
import { deadLetterRoutes } from './dead-letters.ts'
import { disconnecting } from './disconnect.ts'
import { documentReading } from './documents.ts'
import { documentWriting } from './documents-writing.ts'
import { type EditParts, editing } from './edits.ts'
import { eventsOf } from './events.ts'
import { historyReading } from './history.ts'
import { historyChanging } from './history-changes.ts'
import { mcp } from './mcp.ts'
import type { Handler } from './message.ts'
import { type NodeState, operations } from './operations.ts'
import { Readiness } from './readiness.ts'
import type { Route } from './route.ts'
import type { Rights } from './router.ts'
import { setAside } from './set-aside.ts'

type Parts = EditParts & {
  /** Null: agents are not served. */
  readonly mcp: { readonly origins: readonly string[] | null } | null
  readonly node: NodeState
  readonly store: Store
  /** Null: the store keeps no histories. */
  readonly histories: DocumentHistories | null
  readonly documents: Documents
  readonly remote: RemoteDocuments
  readonly views: Views
  readonly seats: Pick<SeatParts, 'addresses'>
  readonly seatAt: (visitor: Visitor, document: string) => Seat
  readonly journal: Journal
  readonly deadLetters: DeadLetters
  readonly compactions: CompactionSchedule
  readonly passes: Parameters<typeof rightsRoutes>[0]['passes']
  readonly disconnects: Parameters<typeof disconnecting>[0]['disconnects']
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
  readonly isDraining: () => boolean
  readonly controlToken: string
  /** Of the operator. */
  readonly tokens: readonly string[]
  /** Throws ERR_ROOM_NAME when no document may have the name. */
  readonly checkName: (document: string) => void
}

/** The table, and who may ask of it. */
export function routes(parts: Parts): {
  readonly table: Route[]
  readonly rights: Rights
  readonly others: readonly Handler[]
} {
  const { controlToken } = parts
  const askers = new Askers(parts)
  const table = [
    ...operations({ ...parts, readiness: new Readiness(parts) }),
    ...rightsRoutes(parts),
    ...disconnecting(parts),
    ...setAside(parts),
    ...deadLetterRoutes(parts),
    ...documentReading(parts),
    ...documentWriting({ ...parts, askers }),
    eventsOf({ ...parts, askers }),
    ...history(parts, askers),
    ...editing(parts)
  ]
  const asks = parts.passes.admission.asks
  const others = parts.mcp === null ? [] : [mcp({ ...parts, ...parts.mcp, askers, asks })]
  return { table, rights: rightsOf(askers, controlToken), others }
}

function rightsOf(askers: Askers, controlToken: string): Rights {
  return (request, who, document) => {
    switch (who) {
      case 'anyone':
        return null
      case 'machine':
        checkBearer(request.header('authorization'), [controlToken])
        return askers.operator(request)
      case 'operator': {
        const operator = askers.operator(request)
        if (operator === null) throw new Fault('ERR_NOT_AUTHENTICATED')
        return operator
      }
      default:
        return askers.askerOf(request, document, who)
    }
  }
}

function history(parts: Parts, askers: Askers): Route[] {
  const { histories } = parts
  if (histories === null) return []
  return [
    ...historyReading({ ...parts, askers, questioning: histories.questions }),
    ...historyChanging({ askers, histories })
  ]
}
