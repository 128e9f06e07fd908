/**
 * What an answer about a document says, as JSON in UTF-8: bytes cross threads without a copy, and whoever asks over HTTP is
 * sent them as they are. Runs in a worker.
 */
import * as Y from 'yjs'
import { asJson, encodedJson } from '../document/json-answer.ts'
import type { Attribution } from './attribution.ts'
import type { Difference, Piece } from './differences.ts'
import type { RootKind } from './jobs.ts'

/**
 * The root types of these names in the document that the update (V1) is: a text as its delta, an XML fragment as text.
 * Throws ERR_ANSWER_TOO_LARGE, and what Yjs throws.
 */
export function contentsJson(
  update: Uint8Array,
  types: Readonly<Record<string, RootKind>>,
  bytesMax: number
): Uint8Array {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  const contents: Record<string, unknown> = {}
  for (const [name, kind] of Object.entries(types)) contents[name] = contentOf(doc, name, kind)
  const json = asJson(contents, bytesMax)
  doc.destroy()
  return json
}

function contentOf(doc: Y.Doc, name: string, kind: RootKind): unknown {
  switch (kind) {
    case 'text':
      return doc.getText(name).toDelta()
    case 'array':
      return doc.getArray(name).toJSON()
    case 'map':
      return doc.getMap(name).toJSON()
    case 'xml':
      return doc.getXmlFragment(name).toString()
    default:
      return kind satisfies never
  }
}

/** Differences with each reason once: `by` of a piece is a place in `reasons`, from 1; 0: it is not known. */
export function differencesJson(found: ReadonlyMap<string, Difference>, bytesMax: number): Uint8Array {
  const reasons = new Reasons()
  const types: Record<string, unknown> = {}
  for (const [name, difference] of found) types[name] = reasons.difference(difference)
  const answer = { reasons: reasons.all, types }
  return reasons.isText ? encodedJson(JSON.stringify(answer), bytesMax) : asJson(answer, bytesMax)
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
