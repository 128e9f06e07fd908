/** Presence over HTTP: states that are seen until their time is over, each under a name that whoever leases it chose. */
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import { newClientID } from '../document/client-id.ts'
import { checkDocumentName } from '../room/document-name.ts'
import { Lease } from '../room/lease.ts'
import type { MemberPerson } from '../room/member.ts'
import type { Rooms } from '../room/rooms.ts'

type Parts = {
  readonly rooms: Pick<Rooms, 'open'>
  readonly time: Time
  readonly limits: Limits
  /** From 0 to below 1. */
  readonly random: () => number
}

/** `owner`: who it is counted for, and who alone may change it. */
export type LeaseName = { readonly document: string; readonly id: string; readonly owner: string }

export type LeaseState = {
  readonly state: Readonly<Record<string, unknown>>
  readonly ttlMs: number
  readonly user: MemberPerson['user']
}

type Leased = { readonly owner: string; readonly lease: Lease; cancel: Cancel }

export class Leases {
  readonly #parts: Parts
  readonly #leases = new Map<string, Leased>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * Resolves with the clientID under which the state is seen, when the others of this node are about to be sent it. Rejects
   * with ERR_OVERLOADED, ERR_FORBIDDEN when the name is somebody else's, ERR_BAD_MESSAGE, and as `Rooms.open`.
   */
  async put(name: LeaseName, { state, ttlMs, user }: LeaseState): Promise<number> {
    const { rooms, time, limits } = this.#parts
    const key = keyOf(name)
    checkDocumentName(name.document, limits)
    this.#checkOwner(name)
    const room = await rooms.open(name.document)
    this.#checkOwner(name)
    const there = this.#leases.get(key)
    const lease = there?.lease ?? this.#lease(name, room, user)
    there?.cancel()
    try {
      lease.show(state)
    } catch (error) {
      this.#end(key)
      lease.end()
      throw error
    }
    const cancel = time.after(Math.min(ttlMs, limits.leaseMsMax), () => this.#end(key))
    this.#leases.set(key, { owner: name.owner, lease, cancel })
    return lease.clientID
  }

  /** False: there was none. Throws ERR_FORBIDDEN when the name is somebody else's. */
  remove(name: LeaseName): boolean {
    const key = keyOf(name)
    if (!this.#leases.has(key)) return false
    this.#checkOwner(name)
    this.#end(key)
    return true
  }

  /** Leaves no timer; the rooms end the members. */
  close(): void {
    for (const { cancel } of this.#leases.values()) cancel()
    this.#leases.clear()
  }

  #lease(
    { document, id, owner }: LeaseName,
    room: Awaited<ReturnType<Rooms['open']>>,
    user: LeaseState['user']
  ) {
    const { random } = this.#parts
    const clientID = newClientID(random)
    const person = { access: 'write', user, source: owner, peer: JSON.stringify([owner, document]) } as const
    const key = keyOf({ document, id, owner })
    return new Lease(room, { id: `lease-${id}`, clientID, person }, () => this.#forget(key))
  }

  #checkOwner({ owner, ...name }: LeaseName): void {
    const there = this.#leases.get(keyOf({ ...name, owner }))
    if (there !== undefined && there.owner !== owner) {
      const publicReason = 'this presence is somebody else’s'
      throw new Fault('ERR_FORBIDDEN', publicReason, { publicReason })
    }
    if (there !== undefined) return
    const { leasesMax, leasesPerOwnerMax } = this.#parts.limits
    const own = [...this.#leases.values()].filter(each => each.owner === owner).length
    if (this.#leases.size < leasesMax && own < leasesPerOwnerMax) return
    throw new Fault('ERR_OVERLOADED', `${own} states of one owner are leased`)
  }

  #end(key: string): void {
    const { lease } = this.#leases.get(key) ?? {}
    this.#forget(key)
    lease?.end()
  }

  #forget(key: string): void {
    this.#leases.get(key)?.cancel()
    this.#leases.delete(key)
  }
}

function keyOf({ document, id }: LeaseName): string {
  return JSON.stringify([document, id])
}
