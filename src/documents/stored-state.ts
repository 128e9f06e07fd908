/** A document as the store has it, as the workers of edits take it; and what its versions are called. */
import type { LoadedDocument } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import { packUpdates } from '../document/packed-updates.ts'
import type { StateMessage } from '../editing/jobs.ts'

/** What came after it in the state: a sequence number; `lost`: it cannot be told any more; null: no version is named. */
type Since = { readonly sequence: number | null; readonly isLost: boolean }

/** Throws ERR_BAD_MESSAGE for what is no version. */
export function sinceOf(loaded: LoadedDocument, version: string | null): Since {
  if (version === null) return { sequence: null, isLost: false }
  const found = /^(.+)\.(\d{1,16})$/.exec(version)
  if (found === null) throw new Fault('ERR_BAD_MESSAGE', undefined, { publicReason: 'this is no version' })
  const sequence = Number(found[2])
  const { incarnation, head, records } = loaded
  if (found[1] !== incarnation || sequence > head) return { sequence: null, isLost: true }
  // What a checkpoint has replaced cannot be told apart.
  const first = records[0]?.sequence ?? head + 1
  return sequence >= first - 1 ? { sequence, isLost: false } : { sequence: null, isLost: true }
}

/** Copies it, in slices. `connection`: whose own changes count as seen. */
export async function stateMessage(
  { checkpoint, records }: LoadedDocument,
  { sequence, isLost }: Since,
  connection: string | null
): Promise<StateMessage> {
  return {
    segments: await packUpdates(checkpoint?.segments ?? []),
    records: await packUpdates(records.map(({ record }) => record)),
    sequences: records.map(each => each.sequence),
    since: sequence,
    isLost,
    connection
  }
}
