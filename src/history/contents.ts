/** What lies between two moments of a document, as JSON in UTF-8. Runs in a worker. */
import { asJson, encoded } from '../document/contents.ts'
import type { Attribution } from './attribution.ts'
import type { Difference, Piece } from './differences.ts'

/** Differences with each reason once: `by` of a piece is a place in `reasons`, from 1; 0: it is not known. */
export function differencesJson(found: ReadonlyMap<string, Difference>, bytesMax: number): Uint8Array {
  const reasons = new Reasons()
  const types: Record<string, unknown> = {}
  for (const [name, difference] of found) types[name] = reasons.difference(difference)
  const answer = { reasons: reasons.all, types }
  return reasons.isText ? encoded(JSON.stringify(answer), bytesMax) : asJson(answer, bytesMax)
}

class Reasons {
  readonly all: Attribution[] = []
  /** Whether there is nothing that JSON does not have: looking at each value takes longer than all the rest. */
  isText = true
  readonly #places = new Map<string, number>()
  /** The same by what was found: a change is the reason for many pieces. */
  readonly #found = new Map<Attribution, number>()

  difference({ pieces, entries, ...rest }: Difference): unknown {
    const own = Object.fromEntries(
      [...entries].map(([key, each]) => [key, each.map(piece => this.#piece(piece))])
    )
    return { ...rest, pieces: pieces.map(piece => this.#piece(piece)), entries: own }
  }

  #piece(piece: Piece): unknown {
    const { by, type, text, attributes } = piece
    const place = by === null ? 0 : this.#placeOf(by)
    if (type !== undefined) return { ...piece, by: place, type: this.difference(type) }
    if (text === undefined || attributes !== undefined) this.isText = false
    return { ...piece, by: place }
  }

  #placeOf(found: Attribution): number {
    const place = this.#found.get(found) ?? this.#newPlaceOf(found)
    this.#found.set(found, place)
    return place
  }

  #newPlaceOf({ author, timeMs, sequence }: Attribution): number {
    const key = JSON.stringify([sequence, timeMs, author?.user, author?.connection, author?.origin])
    const place = this.#places.get(key)
    if (place !== undefined) return place
    const next = this.all.push({ author, timeMs, sequence })
    this.#places.set(key, next)
    return next
  }
}
