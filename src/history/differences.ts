/**
 * What lies between two moments of a document, piece by piece, with who did it: what was kept, added, removed, formatted
 * anew. Of a moment and itself it is the blame: who wrote what stands. Runs in a worker.
 */
import * as Y from 'yjs'
import type { Attribution, Attributions } from './attribution.ts'
import { type Held, heldBy } from './held.ts'

/** `formatted`: kept, with other attributes. What was inserted and deleted in between is left out. */
export type Alteration = 'kept' | 'added' | 'removed' | 'formatted'

/** JSON of attributes of a text. */
export type Attributes = Readonly<Record<string, unknown>>

/**
 * `by`: who inserted what was kept or added, who deleted what was removed, who formatted; null where the history does not
 * reach back to it. Exactly one of `text`, `value` (of an array, a map or an embed) and `type` is there.
 */
export type Piece = {
  readonly change: Alteration
  readonly by: Attribution | null
  readonly text?: string
  readonly value?: unknown
  readonly type?: Difference
  /** Of a text, as they are in the later moment, in the earlier one of what was removed. */
  readonly attributes?: Attributes
  /** Of what was formatted, as they were. */
  readonly before?: Attributes
}

/** Of one shared type. A root that nobody has said the type of is known by what is in it. */
export type Difference = {
  readonly kind: 'text' | 'list' | 'map' | 'xml'
  /** Of an element. */
  readonly name?: string
  readonly pieces: readonly Piece[]
  /** Of a map, or the attributes of an element. An entry that was set anew has what was removed, then what was added. */
  readonly entries: ReadonlyMap<string, readonly Piece[]>
}

/**
 * `was`, `is`: the document at the earlier and the later moment (updates, V1), which may be the same. `roots`: names of root
 * types; null: all there are.
 */
export type DifferencesJob = {
  readonly was: Uint8Array
  readonly is: Uint8Array
  readonly by: Attributions
  readonly roots: readonly string[] | null
}

/** By the names of the roots. Throws what Yjs throws. */
export function differences({ was, is, by, roots }: DifferencesJob): ReadonlyMap<string, Difference> {
  const doc = new Y.Doc({ gc: false })
  // In this order: what the later moment has collected keeps the content that it had.
  Y.applyUpdate(doc, was)
  const then = heldBy(doc)
  if (is !== was) Y.applyUpdate(doc, is)
  const walk = new Walk(then, by)
  const found = new Map<string, Difference>()
  for (const [name, type] of doc.share) {
    if (roots === null || roots.includes(name)) found.set(name, walk.type(type))
  }
  doc.destroy()
  return found
}

/** A stretch of an item that is the same in both respects: in the earlier moment or not, and by whom. */
type Stretch = {
  readonly from: number
  readonly to: number
  readonly change: Alteration
  readonly by: Attribution | null
}

/** One of those that an item holds. */
type Value = { readonly item: Y.Item; readonly offset: number }

type SharedType = Y.ContentType['type']

class Walk {
  readonly #then: Held
  readonly #by: Attributions

  constructor(then: Held, by: Attributions) {
    this.#then = then
    this.#by = by
  }

  type(type: SharedType): Difference {
    const entries = new Map<string, readonly Piece[]>()
    for (const [key, item] of type._map) {
      const pieces = this.#entry(item)
      if (pieces.length > 0) entries.set(key, pieces)
    }
    const pieces = this.#list(type._start)
    const name = type instanceof Y.XmlElement ? { name: type.nodeName } : {}
    return { kind: kindOf(type, entries), ...name, pieces, entries }
  }

  /** The values before the last one are to its left, or before it in one item: Yjs joins what is deleted. */
  #entry(last: Y.Item): Piece[] {
    const then = this.#valueThen(last)
    const isSame = then?.item === last && then.offset === last.length - 1
    const pieces: Piece[] = []
    if (then !== null && (last.deleted || !isSame)) pieces.push(this.#entryPiece(then, 'removed'))
    if (!last.deleted)
      pieces.push(this.#entryPiece({ item: last, offset: last.length - 1 }, isSame ? 'kept' : 'added'))
    return pieces
  }

  /** Of the values at the earlier moment only the last was seen. */
  #valueThen(last: Y.Item): Value | null {
    for (let item: Y.Item | null = last; item !== null; item = item.left) {
      for (let offset = item.length - 1; offset >= 0; offset--) {
        if (this.#isThen(item.id.client, item.id.clock + offset)) return { item, offset }
      }
    }
    return null
  }

  #entryPiece({ item, offset }: Value, change: Alteration): Piece {
    return this.#valueOf(item, offset, { change, by: this.#reason(item, offset, change) })
  }

  #list(start: Y.Item | null): Piece[] {
    const formats = new Formats()
    const pieces: Piece[] = []
    for (let item = start; item !== null; item = item.right) {
      if (item.content instanceof Y.ContentFormat) this.#format(item, item.content, formats)
      else for (const stretch of this.#stretches(item)) pieces.push(...this.#pieces(item, stretch, formats))
    }
    return pieces
  }

  #format(item: Y.Item, { key, value }: Y.ContentFormat, formats: Formats): void {
    const wasThen = this.#isThen(item.id.client, item.id.clock)
    if (wasThen) formats.was.set(key, value)
    if (!item.deleted) formats.is.set(key, value)
    if (wasThen !== item.deleted) return
    formats.changedBy = this.#reason(item, 0, wasThen ? 'removed' : 'added')
  }

  #isThen(client: number, clock: number): boolean {
    return this.#then.structs.covers(client, clock, 1) && !this.#then.deletes.covers(client, clock, 1)
  }

  *#stretches(item: Y.Item): Generator<Stretch> {
    const { client, clock } = item.id
    const end = clock + item.length
    for (let from = clock; from < end; ) {
      const wasThen = this.#isThen(client, from)
      let to = this.#sameThenUntil(client, from, end)
      if (!wasThen && item.deleted) {
        from = to
        continue
      }
      const change = item.deleted ? 'removed' : wasThen ? 'kept' : 'added'
      const { by, end: byEnd } =
        change === 'removed' ? this.#by.deletion(client, from, to) : this.#by.insertion(client, from, to)
      to = Math.min(to, byEnd)
      yield { from: from - clock, to: to - clock, change, by }
      from = to
    }
  }

  /** Up to where the clocks of the item are all of the earlier moment, or all not. */
  #sameThenUntil(client: number, clock: number, end: number): number {
    const bounds = [this.#then.structs.end(client)]
    for (const { clock: at, length } of this.#then.deletes.missing(client, clock, end - clock))
      bounds.push(at, at + length)
    return Math.min(end, ...bounds.filter(bound => bound > clock))
  }

  #reason(item: Y.Item, offset: number, change: Alteration): Attribution | null {
    const { client, clock } = item.id
    const at = clock + offset
    return (
      change === 'removed' ? this.#by.deletion(client, at, at + 1) : this.#by.insertion(client, at, at + 1)
    ).by
  }

  #pieces(item: Y.Item, { from, to, change, by }: Stretch, formats: Formats): Piece[] {
    const shown = { ...formats.of(change, by) }
    if (item.content instanceof Y.ContentString) return [{ ...shown, text: item.content.str.slice(from, to) }]
    const pieces: Piece[] = []
    for (let offset = from; offset < to; offset++) pieces.push(this.#valueOf(item, offset, shown))
    return pieces
  }

  #valueOf(item: Y.Item, offset: number, shown: Omit<Piece, 'text' | 'value' | 'type'>): Piece {
    const { content } = item
    if (content instanceof Y.ContentType) return { ...shown, type: this.type(content.type) }
    if (content instanceof Y.ContentDoc) return { ...shown, value: { document: content.doc.guid } }
    return { ...shown, value: content.getContent()[offset] }
  }
}

/** The attributes that hold at a place of a text, in both moments. */
class Formats {
  readonly was = new Map<string, unknown>()
  readonly is = new Map<string, unknown>()
  changedBy: Attribution | null = null

  of(change: Alteration, by: Attribution | null): Omit<Piece, 'text' | 'value' | 'type'> {
    // Of a plain text there are ten thousands of pieces.
    if (this.was.size === 0 && this.is.size === 0) return { change, by }
    const [was, is] = [attributesOf(this.was), attributesOf(this.is)]
    if (change === 'kept' && JSON.stringify(was) !== JSON.stringify(is)) {
      return { change: 'formatted', by: this.changedBy, attributes: is, before: was }
    }
    const attributes = change === 'removed' ? was : is
    return Object.keys(attributes).length === 0 ? { change, by } : { change, by, attributes }
  }
}

/** Sorted by name: the order in which they were set says nothing. */
function attributesOf(formats: ReadonlyMap<string, unknown>): Attributes {
  const set = [...formats].filter(([, value]) => value !== null)
  return Object.fromEntries(set.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function kindOf(type: SharedType, entries: ReadonlyMap<string, unknown>): Difference['kind'] {
  if (type instanceof Y.XmlText || type instanceof Y.Text) return 'text'
  if (type instanceof Y.XmlFragment) return 'xml'
  if (type instanceof Y.Map) return 'map'
  if (type instanceof Y.Array) return 'list'
  for (let item = type._start; item !== null; item = item.right) {
    const { content } = item
    if (content instanceof Y.ContentString || content instanceof Y.ContentFormat) return 'text'
    if (content instanceof Y.ContentType && isOfXml(content.type)) return 'xml'
  }
  return entries.size > 0 && type._start === null ? 'map' : 'list'
}

/** What stands in an XML fragment and nowhere else. */
function isOfXml(type: SharedType): boolean {
  return type instanceof Y.XmlFragment || type instanceof Y.XmlText || type instanceof Y.XmlHook
}
