/**
 * States that were posted by HTTP. No socket says that their owners still are there, so each is a member of its room for a
 * while after its last post: that member owns the clientID as a connection does (AW5), and leaves when the time is over, when
 * the state is posted as `null`, or when the right to be there ends.
 */
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import { type AwarenessEntry, isNullState, writeAwarenessUpdate } from '../dialect/awareness-update.ts'
import { encoders } from '../dialect/durable-streams.ts'
import type { Asked, StreamVisits, Visit } from './stream-visits.ts'

type Parts = { readonly visits: StreamVisits; readonly time: Time; readonly limits: Limits }

type Lease = { readonly visit: Visit; cancel: Cancel }

export class PresenceLeases {
  readonly #parts: Parts
  /** By document, who posted it, and clientID. Bounded by `awarenessLeasesMax`. */
  readonly #leases = new Map<string, Lease>()

  #isClosed = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** One entry of whoever visits. Resolves when its room has taken it. Rejects with a Fault. */
  async post(asked: Asked, { writer: { source } }: Visit, entry: AwarenessEntry): Promise<void> {
    const key = JSON.stringify([asked.document, source, entry.clientID])
    const isGone = isNullState(entry.state)
    if (isGone) return this.#end(key)
    const lease = this.#leases.get(key) ?? (await this.#begin(key, asked))
    const { room, member } = lease.visit
    this.#renew(key, lease)
    room.receive(member, { type: 'awareness', states: writeAwarenessUpdate([entry]) })
  }

  /** Takes off what one has posted. */
  remove(document: string, source: string): void {
    for (const [key, { visit }] of this.#leases) {
      if (visit.document === document && visit.writer.source === source) this.#end(key)
    }
  }

  /** Leaves no timer. */
  close(): void {
    this.#isClosed = true
    for (const key of this.#leases.keys()) this.#end(key)
  }

  async #begin(key: string, asked: Asked): Promise<Lease> {
    const { visits, limits } = this.#parts
    if (this.#isClosed) throw new Fault('ERR_GOING_DOWN')
    if (this.#leases.size >= limits.awarenessLeasesMax) {
      throw new Fault('ERR_OVERLOADED', `${this.#leases.size} states were posted`)
    }
    const visit = await visits.enter(asked, encoders.writer)
    // Another request of the same client may have been faster.
    const present = this.#leases.get(key)
    if (present !== undefined || this.#isClosed) visit.seat.leave()
    if (present !== undefined) return present
    if (this.#isClosed) throw new Fault('ERR_GOING_DOWN')
    const lease = { visit, cancel: () => {} }
    this.#leases.set(key, lease)
    visit.port.isThere = () => this.#leases.get(key) === lease
    visit.port.receiveBy({ send: () => {}, end: () => this.#end(key) })
    return lease
  }

  #renew(key: string, lease: Lease): void {
    const { time, limits } = this.#parts
    lease.cancel()
    lease.cancel = time.after(limits.awarenessLeaseMs, () => this.#end(key))
  }

  #end(key: string): void {
    const lease = this.#leases.get(key)
    if (lease === undefined) return
    this.#leases.delete(key)
    lease.cancel()
    lease.visit.seat.leave()
  }
}
