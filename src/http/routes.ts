/** Every route that is answered over plain HTTP beside pages, in one table. */

import type { Store } from '../../persistence/store.ts'
import type { Limits } from '../base/limits.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Time } from '../base/time.ts'
import type { DocumentHistories } from '../documents/document-histories.ts'
import type { DeadLetters } from '../feed/dead-letters.ts'
import type { CompactionSchedule } from '../room/compaction-schedule.ts'
import type { Journal } from '../room/journal.ts'
import { rights } from './admin.ts'
import { Askers } from './askers.ts'
import { deadLetterRoutes } from './dead-letters.ts'
import { disconnecting } from './disconnect.ts'
import { historyReading } from './history.ts'
import { historyChanging } from './history-changes.ts'
import { type NodeState, operations } from './operations.ts'
import { Readiness } from './readiness.ts'
import type { Route } from './router.ts'
import { setAside } from './set-aside.ts'

type Parts = {
  readonly node: NodeState
  readonly store: Store
  /** Null: the store keeps no histories. */
  readonly histories: DocumentHistories | null
  readonly journal: Journal
  readonly deadLetters: DeadLetters
  readonly compactions: CompactionSchedule
  readonly passes: Parameters<typeof rights>[0]['passes']
  readonly disconnects: Parameters<typeof disconnecting>[0]['disconnects']
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly isDraining: () => boolean
  readonly controlToken: string
  readonly adminToken: string | undefined
}

/** The table: of several routes that match a request, the first counts. */
export function routes(parts: Parts): Route[] {
  const { controlToken, adminToken } = parts
  const tokens = adminToken === undefined ? [controlToken] : [controlToken, adminToken]
  return [
    ...operations({ ...parts, readiness: new Readiness(parts) }),
    ...rights({ ...parts, tokens }),
    ...disconnecting({ ...parts, tokens }),
    ...setAside({ ...parts, tokens }),
    ...deadLetterRoutes({ ...parts, tokens }),
    ...history(parts, tokens)
  ]
}

function history(parts: Parts, tokens: readonly string[]): Route[] {
  const { histories } = parts
  if (histories === null) return []
  const askers = new Askers({ ...parts, tokens })
  return [
    ...historyReading({ ...parts, askers, questioning: histories.questions }),
    ...historyChanging({ askers, histories })
  ]
}
