/**
 * The answer about differences, as it is written while they are found: of a typed text it has ten thousands of pieces, which
 * are nothing but bytes.
 *
 *   { types: { <root>: difference }, reasons: [{ author, timeMs, sequence }] }
 *   difference: { entries: { <key>: [piece] }, pieces: [piece], kind, name? }
 *   piece:      { change, by, attributes?, before?, text | value | type }
 *
 * `by`: who inserted what was kept or added, who deleted what was removed, who formatted: a place in `reasons`, from 1; 0: the
 * history does not reach back to it. `attributes`: of a text, as they are in the later moment, in the earlier one of what was
 * removed; `before`: of what was formatted, as they were. `entries`: of a map, or the attributes of an element; one that was
 * set anew has what was removed, then what was added. `type`: a difference. `name`: of an element.
 */

import { JsonWriter } from '../document/json-writer.ts'
import { type Attributions, nobody } from './attribution.ts'

/** `formatted`: kept, with other attributes. What was inserted and deleted in between is left out. */
export type Alteration = 'kept' | 'added' | 'removed' | 'formatted'

/** Of a root that nobody has said the type of, by what is in it. */
export type Kind = 'text' | 'list' | 'map' | 'xml'

/** JSON of attributes of a text. */
export type Attributes = Readonly<Record<string, unknown>>

/** Of a piece, what is said beside its content. `by`: the number of a change, as `Attributions` has it. */
export type Shown = {
  readonly change: Alteration
  readonly by: number
  readonly attributes?: Attributes
  readonly before?: Attributes
}

const beginnings: Readonly<Record<Alteration, string>> = {
  kept: '{"change":"kept","by":',
  added: '{"change":"added","by":',
  removed: '{"change":"removed","by":',
  formatted: '{"change":"formatted","by":'
}

/** A change has about one piece. To move a large answer into more memory takes longer than to write it. */
const bytesOfChange = 160

/** To be called in the order of the answer. Every call throws ERR_ANSWER_TOO_LARGE. */
export class DifferencesWriter {
  readonly #by: Attributions
  readonly #json: JsonWriter
  /** Numbers of changes, in the order of `reasons`. */
  readonly #reasons: number[] = []
  /** By the number of a change: its place in `reasons`, or 0. */
  readonly #places: Uint32Array

  constructor(by: Attributions, bytesMax: number) {
    this.#by = by
    this.#json = new JsonWriter(bytesMax, by.count * bytesOfChange)
    this.#places = new Uint32Array(by.count)
    this.#json.mark('{"types":{')
  }

  /** A root type follows. */
  begin(name: string): void {
    this.#json.next()
    this.#json.text(name)
    this.#json.mark(':')
  }

  /** Of a type, first. */
  beginEntries(): void {
    this.#json.mark('{"entries":{')
  }

  beginEntry(key: string): void {
    this.#json.next()
    this.#json.text(key)
    this.#json.mark(':[')
  }

  endEntry(): void {
    this.#json.mark(']')
  }

  /** Of a type, behind its entries. */
  beginPieces(): void {
    this.#json.mark('},"pieces":[')
  }

  /** Of a type, behind its pieces. */
  end(kind: Kind, name: string | null): void {
    const json = this.#json
    json.mark('],"kind":')
    json.text(kind)
    if (name !== null) {
      json.mark(',"name":')
      json.text(name)
    }
    json.mark('}')
  }

  text(shown: Shown, text: string): void {
    this.#beginPiece(shown)
    this.#json.mark(',"text":')
    this.#json.text(text)
    this.#json.mark('}')
  }

  value(shown: Shown, value: unknown): void {
    this.#beginPiece(shown)
    this.#json.member('value', value)
    this.#json.mark('}')
  }

  /** A type follows. */
  beginType(shown: Shown): void {
    this.#beginPiece(shown)
    this.#json.mark(',"type":')
  }

  endType(): void {
    this.#json.mark('}')
  }

  /** The answer, in memory of its own. */
  finish(): Uint8Array {
    const json = this.#json
    const authors = new Map<object | null, string>()
    json.mark('},"reasons":[')
    for (const reason of this.#reasons) {
      const { author, timeMs, sequence } = this.#by.reason(reason)
      const text = authors.get(author) ?? JSON.stringify(author)
      authors.set(author, text)
      json.next()
      json.mark('{"author":')
      json.raw(text)
      json.mark(',"timeMs":')
      json.count(timeMs)
      json.mark(',"sequence":')
      json.count(sequence)
      json.mark('}')
    }
    json.mark(']}')
    return json.finish()
  }

  #beginPiece({ change, by, attributes, before }: Shown): void {
    const json = this.#json
    json.next()
    json.mark(beginnings[change])
    json.count(by === nobody ? 0 : this.#placeOf(by))
    if (attributes !== undefined) json.member('attributes', attributes)
    if (before !== undefined) json.member('before', before)
  }

  #placeOf(reason: number): number {
    const known = this.#places[reason] ?? 0
    if (known !== 0) return known
    const place = this.#reasons.push(reason)
    this.#places[reason] = place
    return place
  }
}
