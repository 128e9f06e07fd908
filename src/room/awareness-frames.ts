/** What members are sent about awareness: a state as it was published, and to its owner with a clock that suits it (AW3). */
import {
  type AwarenessEntry,
  isNullState,
  nullState,
  writeAwarenessUpdate
} from '../dialect/awareness-update.ts'
import type { Frame } from '../dialect/frame.ts'
import type { Member } from './member.ts'
import { clockForOwner, isContestedBy, type Presence, type SharedState } from './presence.ts'

export function sendEntries({ member }: Presence, entries: readonly AwarenessEntry[]): void {
  if (entries.length > 0) member.port.send(member.encoder.awareness(writeAwarenessUpdate(entries)))
}

/**
 * First entries go to their owners, a step ahead, which answer as above. Behind that, so that who comes back and knows
 * nobody else yet answers with little; of those that are here and know everybody, only so many are asked.
 */
export function offerToOwners(states: readonly SharedState[], queriesMax: number): void {
  let asked = 0
  for (const [owner, own] of byOwner(states)) {
    sendEntries(
      owner,
      own.map(({ clientID, received, state }) => ({ clientID, clock: received + 1, state }))
    )
    if (owner.arrivedAtMs === null || ++asked <= queriesMax) askWhereItIs(owner.member)
  }
}

/** Leads the owners a step further. Where they stand then shows in their echo, or in their answer if they send none. */
export function tellOwners(states: Iterable<SharedState>): void {
  for (const [owner, own] of byOwner(states)) {
    sendEntries(owner, own.map(asForOwner))
    if (own.some(shared => clockForOwner(shared) < shared.published)) askWhereItIs(owner.member)
  }
}

function byOwner(states: Iterable<SharedState>): Map<Presence, SharedState[]> {
  const owners = new Map<Presence, SharedState[]>()
  for (const shared of states) {
    const own = owners.get(shared.owner)
    if (own === undefined) owners.set(shared.owner, [shared])
    else own.push(shared)
  }
  return owners
}

/** The same for many. As each answers with all it knows, those that lag behind most are asked first, the others later. */
export function askWhereTheyAre(lagging: ReadonlySet<Presence>, queriesMax: number): void {
  let asked = [...lagging].filter(({ member }) => member.encoder.queryAwareness() !== null)
  if (asked.length > queriesMax) asked = asked.sort((a, b) => lagOf(b) - lagOf(a)).slice(0, queriesMax)
  for (const { member } of asked) askWhereItIs(member)
}

function lagOf({ own }: Presence): number {
  return Math.max(0, ...own.map(({ published, received }) => published - received))
}

export function askWhereItIs({ encoder, port }: Member): void {
  const frame = encoder.queryAwareness()
  if (frame !== null) port.send(frame)
}

export function ownersFrame(
  presence: Presence,
  published: readonly SharedState[],
  others: readonly AwarenessEntry[]
): Frame {
  const entries = published.map(shared =>
    shared.owner === presence ? asForOwner(shared) : asPublished(shared)
  )
  const wanted = [...entries, ...others].filter(entry => !isContestedBy(presence, entry))
  return presence.member.encoder.awareness(writeAwarenessUpdate(wanted))
}

export function isPresent(shared: SharedState): boolean {
  return shared.publishedState !== null && !isNullState(shared.publishedState)
}

export function isSeenAsGone(shared: SharedState): boolean {
  return shared.publishedState !== null && !isPresent(shared)
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
