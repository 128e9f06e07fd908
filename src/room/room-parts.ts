/** What a room is given: by the server, and by the load of its document. */
import type { Pacer } from '../base/pacer.ts'
import type { PresencePolicy } from './awareness.ts'
import type { CheckpointCache } from './checkpoint-cache.ts'
import type { CheckpointReads } from './checkpoint-reads.ts'
import type { CommitsParts } from './commits.ts'
import type { Life } from './journal.ts'
import type { Start } from './log-order.ts'
import type { Refusals } from './refusals.ts'
import type { SetAsides } from './set-asides.ts'

export type RoomParts = CommitsParts & {
  readonly checkpointReads: CheckpointReads
  readonly cache: CheckpointCache
  readonly refusals: Refusals
  readonly setAsides: SetAsides
  readonly pacer: Pacer
  readonly presence: PresencePolicy
}

/**
 * What a load found beside the document. `start`: the last record, null for a document that is not stored. `quarantines`:
 * how many compactions had refused something.
 */
export type Opened = { readonly life: Life; readonly start: Start | null; readonly quarantines: number }
