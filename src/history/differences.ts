/**
 * What lies between two moments of a document, piece by piece, with who did it: what was kept, added, removed, formatted
 * anew. Of a moment and itself it is the blame: who wrote what stands. Runs in a worker.
 */
import * as Y from 'yjs'
import { type Attributions, nobody } from './attribution.ts'
import {
  type Alteration,
  type Attributes,
  DifferencesWriter,
  type Kind,
  type Shown
} from './differences-writer.ts'
import { type Held, heldBy } from './held.ts'

/**
 * `was`, `is`: the document at the earlier and the later moment (updates, V1), which may be the same. `roots`: names of root
 * types; null: all there are.
 */
export type DifferencesJob = {
  readonly was: Uint8Array
  readonly is: Uint8Array
  readonly by: Attributions
  readonly roots: readonly string[] | null
  readonly answerBytesMax: number
}

/** JSON in UTF-8: see `DifferencesWriter`. Throws ERR_ANSWER_TOO_LARGE, and what Yjs throws. */
export function differences({ was, is, by, roots, answerBytesMax }: DifferencesJob): Uint8Array {
  const doc = new Y.Doc({ gc: false })
  // In this order: what the later moment has collected keeps the content that it had.
  Y.applyUpdate(doc, was)
  const then = is === was ? null : heldBy(doc)
  if (is !== was) Y.applyUpdate(doc, is)
  const writer = new DifferencesWriter(by, answerBytesMax)
  const walk = new Walk(then, by, writer)
  for (const [name, type] of doc.share) {
    if (roots !== null && !roots.includes(name)) continue
    writer.begin(name)
    walk.type(type)
  }
  doc.destroy()
  return writer.finish()
}

type Stretch = { readonly item: Y.Item; readonly from: number; readonly to: number }

/** One value of those that an item holds. */
type Value = { readonly item: Y.Item; readonly offset: number }

type SharedType = Y.ContentType['type']

class Walk {
  readonly #then: Held | null
  readonly #by: Attributions
  readonly #writer: DifferencesWriter

  /** `then`: what the earlier moment held; null: the same as the later. */
  constructor(then: Held | null, by: Attributions, writer: DifferencesWriter) {
    this.#then = then
    this.#by = by
    this.#writer = writer
  }

  type(type: SharedType): void {
    const writer = this.#writer
    writer.beginEntries()
    let hasEntries = false
    for (const [key, last] of type._map) {
      const was = this.#valueThen(last)
      if (was === null && last.deleted) continue
      hasEntries = true
      writer.beginEntry(key)
      this.#entry(last, was)
      writer.endEntry()
    }
    writer.beginPieces()
    this.#list(type._start)
    writer.end(kindOf(type, hasEntries), type instanceof Y.XmlElement ? type.nodeName : null)
  }

  /** The values before the last one are to its left, or before it in one item: Yjs joins what is deleted. */
  #entry(last: Y.Item, was: Value | null): void {
    const isSame = was?.item === last && was.offset === last.length - 1
    if (was !== null && (last.deleted || !isSame)) this.#entryPiece(was, 'removed')
    if (!last.deleted) this.#entryPiece({ item: last, offset: last.length - 1 }, isSame ? 'kept' : 'added')
  }

  /** Of the values at the earlier moment only the last was seen. */
  #valueThen(last: Y.Item): Value | null {
    for (let item: Y.Item | null = last; item !== null; item = item.left) {
      for (let offset = item.length - 1; offset >= 0; offset--) {
        if (this.#isThen(item, offset)) return { item, offset }
      }
    }
    return null
  }

  #entryPiece({ item, offset }: Value, change: Alteration): void {
    this.#value(item, offset, { change, by: this.#reason(item, offset, change) })
  }

  #list(start: Y.Item | null): void {
    const formats = new Formats()
    for (let item = start; item !== null; item = item.right) {
      if (item.content instanceof Y.ContentFormat) this.#format(item, item.content, formats)
      else this.#stretches(item, formats)
    }
  }

  #format(item: Y.Item, { key, value }: Y.ContentFormat, formats: Formats): void {
    const wasThen = this.#isThen(item, 0)
    if (wasThen) formats.was.set(key, value)
    if (!item.deleted) formats.is.set(key, value)
    if (wasThen !== item.deleted) return
    formats.changedBy = this.#reason(item, 0, wasThen ? 'removed' : 'added')
  }

  #isThen(item: Y.Item, offset: number): boolean {
    const then = this.#then
    if (then === null) return !item.deleted
    const { client, clock } = item.id
    const at = clock + offset
    return at < then.structs.end(client) && !then.deletes.covers(client, at, 1)
  }

  /** The pieces of an item: stretches that are the same in both respects, in the earlier moment or not and by whom. */
  #stretches(item: Y.Item, formats: Formats): void {
    const { length, deleted } = item
    const { client, clock } = item.id
    for (let from = 0; from < length; ) {
      const wasThen = this.#isThen(item, from)
      let to = this.#sameThenUntil(item, from)
      if (wasThen || !deleted) {
        const change = deleted ? 'removed' : wasThen ? 'kept' : 'added'
        const until = clock + to
        const { by, end } = deleted
          ? this.#by.deletion(client, clock + from, until)
          : this.#by.insertion(client, clock + from, until)
        to = Math.min(to, end - clock)
        this.#pieces({ item, from, to }, formats.of(change, by))
      }
      from = to
    }
  }

  /** Up to where the clocks of the item are all of the earlier moment, or all not. */
  #sameThenUntil({ id: { client, clock }, length }: Y.Item, offset: number): number {
    if (this.#then === null) return length
    const { structs, deletes } = this.#then
    const at = clock + offset
    const end = structs.end(client)
    if (at >= end) return length
    return Math.min(clock + length, end, deletes.sameUntil(client, at)) - clock
  }

  #reason(item: Y.Item, offset: number, change: Alteration): number {
    const { client, clock } = item.id
    const at = clock + offset
    return (
      change === 'removed' ? this.#by.deletion(client, at, at + 1) : this.#by.insertion(client, at, at + 1)
    ).by
  }

  #pieces({ item, from, to }: Stretch, shown: Shown): void {
    const { content } = item
    if (content instanceof Y.ContentString) return this.#writer.text(shown, content.str.slice(from, to))
    for (let offset = from; offset < to; offset++) this.#value(item, offset, shown)
  }

  #value({ content }: Y.Item, offset: number, shown: Shown): void {
    const writer = this.#writer
    if (content instanceof Y.ContentType) {
      writer.beginType(shown)
      this.type(content.type)
      writer.endType()
    } else if (content instanceof Y.ContentDoc) writer.value(shown, { document: content.doc.guid })
    else writer.value(shown, content.getContent()[offset])
  }
}

/** The attributes that hold at a place of a text, in both moments. */
class Formats {
  readonly was = new Map<string, unknown>()
  readonly is = new Map<string, unknown>()
  changedBy = nobody

  of(change: Alteration, by: number): Shown {
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

function kindOf(type: SharedType, hasEntries: boolean): Kind {
  if (type instanceof Y.XmlText || type instanceof Y.Text) return 'text'
  if (type instanceof Y.XmlFragment) return 'xml'
  if (type instanceof Y.Map) return 'map'
  if (type instanceof Y.Array) return 'list'
  for (let item = type._start; item !== null; item = item.right) {
    const { content } = item
    if (content instanceof Y.ContentString || content instanceof Y.ContentFormat) return 'text'
    if (content instanceof Y.ContentType && isOfXml(content.type)) return 'xml'
  }
  return hasEntries && type._start === null ? 'map' : 'list'
}

/** What stands in an XML fragment and nowhere else. */
function isOfXml(type: SharedType): boolean {
  return type instanceof Y.XmlFragment || type instanceof Y.XmlText || type instanceof Y.XmlHook
}
