/**
 * What connections keep of messages that nobody can handle yet: not whole, waiting for their turn, or for a room. All
 * together and those of one address have a bound; whoever keeps most at the bound is cut off, not the one who comes last.
 * It knows amounts, nothing of messages.
 */
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import { networkOf } from './addresses.ts'
import { ReadingTurns } from './reading-turns.ts'

export type Keeper = {
  /** Whose share it is part of. */
  readonly address: string
  /** It has to let go of everything at once, and is counted no more. Must not throw. */
  cutOff(): void
}

export type Bounds = { readonly bytesMax: number; readonly bytesPerAddressMax: number }

/** What is kept of those whom somebody has let in, or whom nobody asks; of those who may be anybody; and what is read. */
export type Shares = {
  readonly admitted: Unfinished
  readonly strangers: Unfinished
  readonly turns: ReadingTurns
}

type Place = { bytes: number; readonly keepers: Set<Keeper> }

/** What strangers have of everything. */
const strangersShare = 0.1

/** Of one server. */
export function sharesOf(time: Time, limits: Limits): Shares {
  const { unfinishedBytesMax, unfinishedBytesPerAddressMax } = limits
  const share = (part: number) =>
    new Unfinished({
      bytesMax: part * unfinishedBytesMax,
      bytesPerAddressMax: part * unfinishedBytesPerAddressMax
    })
  return { admitted: share(1), strangers: share(strangersShare), turns: new ReadingTurns(time, limits) }
}

export class Unfinished {
  readonly #bounds: Bounds
  /** Of those that keep something. Bounded by the connections. */
  readonly #amounts = new Map<Keeper, number>()
  /** By network; what comes from this machine may come from anywhere, through a proxy, and is together. */
  readonly #places = new Map<string | null, Place>()
  #bytes = 0

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  get bytes(): number {
    return this.#bytes
  }

  /** So much is kept by it now. May cut it or others off. Takes a look at all keepers at the bound only. */
  set(keeper: Keeper, bytes: number): void {
    const before = this.#amounts.get(keeper) ?? 0
    if (bytes === before) return
    const network = networkOf(keeper.address)
    const place = this.#places.get(network) ?? { bytes: 0, keepers: new Set() }
    place.bytes += bytes - before
    this.#bytes += bytes - before
    if (bytes > 0) {
      this.#amounts.set(keeper, bytes)
      place.keepers.add(keeper)
    } else {
      this.#amounts.delete(keeper)
      place.keepers.delete(keeper)
    }
    if (place.keepers.size > 0) this.#places.set(network, place)
    else this.#places.delete(network)
    if (bytes <= before) return
    if (network !== null) while (place.bytes > this.#bounds.bytesPerAddressMax) this.#cutLargestOf(place)
    while (this.#bytes > this.#bounds.bytesMax) this.#cutLargestOf(this.#largestPlace(place))
  }

  #largestPlace(first: Place): Place {
    let largest = first
    for (const place of this.#places.values()) if (place.bytes > largest.bytes) largest = place
    return largest
  }

  #cutLargestOf({ keepers }: Place): void {
    let largest: Keeper | null = null
    let most = 0
    for (const keeper of keepers) {
      const bytes = this.#amounts.get(keeper) ?? 0
      if (bytes <= most) continue
      largest = keeper
      most = bytes
    }
    if (largest === null) return
    this.set(largest, 0)
    largest.cutOff()
  }
}
