/** What members are sent about awareness: a state as it was published, and to its owner with a clock that suits it (AW3). */
import {
  type AwarenessEntry,
  isNullState,
  nullState,
  writeAwarenessUpdate
} from '../dialect/awareness-update.ts'
import type { Frame } from '../dialect/frame.ts'
import type { Member } from './member.ts'
import { clockForOwner, type Presence, type SharedState } from './presence.ts'

export function sendEntries({ member }: Presence, entries: readonly AwarenessEntry[]): void {
  if (entries.length > 0) member.port.send(member.encoder.awareness(writeAwarenessUpdate(entries)))
}

/** Leads the owner a step further. Where it stands then shows in its echo, or in its answer if it sends none. */
export function tellOwner(shared: SharedState): void {
  sendEntries(shared.owner, [asForOwner(shared)])
  if (clockForOwner(shared) < shared.published) askWhereItIs(shared.owner.member)
}

export function askWhereItIs({ encoder, port }: Member): void {
  const frame = encoder.queryAwareness()
  if (frame !== null) port.send(frame)
}

export function ownersFrame(
  presence: Presence,
  published: readonly SharedState[],
  removed: readonly AwarenessEntry[]
): Frame {
  const entries = published.map(shared =>
    shared.owner === presence ? asForOwner(shared) : asPublished(shared)
  )
  return presence.member.encoder.awareness(writeAwarenessUpdate([...entries, ...removed]))
}

export function isPresent(shared: SharedState): boolean {
  return shared.publishedState !== null && !isNullState(shared.publishedState)
}

export function asPublished(shared: SharedState): AwarenessEntry {
  return {
    clientID: shared.clientID,
    clock: shared.published,
    state: shared.publishedState ?? nullState
  }
}

export function asForOwner(shared: SharedState): AwarenessEntry {
  return { ...asPublished(shared), clock: clockForOwner(shared) }
}
