/** Who reads for longer than an answer takes: how many there may be, and their end when the server stops. */
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import type { Frame } from '../dialect/frame.ts'
import type { Addresses } from './addresses.ts'
import type { StreamVisits, Visit } from './stream-visits.ts'

type Parts = {
  readonly addresses: Pick<Addresses, 'connected' | 'disconnected'>
  readonly limits: Pick<Limits, 'streamReadersMax'>
}

/** What all reads have in common. */
export type ReadParts = {
  readonly visits: StreamVisits
  readonly readers: StreamReaders
  readonly time: Time
  readonly limits: Limits
}

/** `frame`: the same object for all who get the batch. `position`: up to which record it brings them. */
export type EventBatch = { readonly frame: Frame; readonly position: number }

export class StreamReaders {
  readonly #parts: Parts
  readonly #visits = new Set<Visit>()
  #isDraining = false
  /** What was written last: a room sends a batch to all of them in one turn. */
  #last: { readonly batch: EventBatch; readonly bytes: Uint8Array } | null = null

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Throws ERR_OVERLOADED or ERR_GOING_DOWN. What it returns is called when it has read all, or is gone; it leaves then. */
  enter(visit: Visit): () => void {
    const { address } = visit.visitor
    if (this.#isDraining) throw new Fault('ERR_GOING_DOWN')
    if (this.#visits.size >= this.#parts.limits.streamReadersMax) {
      throw new Fault('ERR_OVERLOADED', `${this.#visits.size} streams are being read`)
    }
    this.#parts.addresses.connected(address)
    this.#visits.add(visit)
    return () => {
      if (!this.#visits.delete(visit)) return
      this.#parts.addresses.disconnected(address)
      visit.seat.leave()
    }
  }

  /** The events of a batch, with their control event: readers who get the same batch get the same bytes. */
  written(batch: EventBatch, control: () => Uint8Array): Uint8Array {
    const last = this.#last
    if (last?.batch.frame === batch.frame && last.batch.position === batch.position) return last.bytes
    const bytes = Buffer.concat([...batch.frame, control()])
    this.#last = { batch, bytes }
    return bytes
  }

  /** Ends all of them. They come back to another server, or to this one. */
  drain(): void {
    this.#isDraining = true
    for (const { port } of this.#visits) port.end(new Fault('ERR_GOING_DOWN'))
  }
}
