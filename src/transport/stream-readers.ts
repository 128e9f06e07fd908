/** Who reads for longer than an answer takes: how many there may be, and their end when the server stops. */
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Addresses } from './addresses.ts'
import type { Visit } from './stream-visits.ts'

type Parts = {
  readonly addresses: Pick<Addresses, 'connected' | 'disconnected'>
  readonly limits: Pick<Limits, 'streamReadersMax'>
}

export class StreamReaders {
  readonly #parts: Parts
  readonly #visits = new Set<Visit>()
  #isDraining = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get count(): number {
    return this.#visits.size
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

  /** Ends all of them. They come back to another server, or to this one. */
  drain(): void {
    this.#isDraining = true
    for (const { port } of this.#visits) port.end(new Fault('ERR_GOING_DOWN'))
  }
}
