/** Changes of a text as updates: each found where it was seen, then all of them made, at once or at a pace. */
import * as Y from 'yjs'
import { wrong } from './edit-result.ts'
import type { Guarding } from './guarding.ts'
import type { CursorMessage, EditStep, TextChange } from './jobs.ts'
import { rootKind } from './parts.ts'
import { Places, type Span } from './places.ts'
import type { State } from './state.ts'

type Job = {
  readonly type: string
  readonly changes: readonly TextChange[]
  readonly wordsAtOnce: number | null
  readonly passageMax: number
}

/** One change, by the index of Yjs before any change was made. `at`: its number among those that were asked for. */
type Planned = {
  readonly at: number
  readonly text: Y.Text
  readonly index: number
  readonly remove: number
  readonly insert: string
}

type BlockChange = Extract<TextChange, { readonly op: 'insert-block' }>

/** One step, or several if it is one change that comes at a pace. Throws `EditEnds`, and what Yjs throws. */
export function textSteps(state: State, { type, changes, ...job }: Job, guarding: Guarding): EditStep[] {
  const places = new Places(state, type, job.passageMax)
  const planned = changes.flatMap((change, at) =>
    change.op === 'insert-block' ? [] : plan(at, change, places.spanOf(at, change, guarding))
  )
  checkApart(planned)
  const blocks = changes.flatMap((change, at) => (change.op === 'insert-block' ? [{ at, change }] : []))
  const parents = blocks.map(({ at, change }) => placeOf(state, { type, places, guarding }, at, change))
  const wordsAtOnce = changes.length === 1 ? job.wordsAtOnce : null
  const typing = new Typing(state.doc, wordsAtOnce)
  typing.begin(() => {
    for (const text of new Set(planned.map(each => each.text))) {
      typing.change(planned.filter(each => each.text === text))
    }
    for (const [i, { change }] of blocks.entries()) typing.insertBlock(change, parents[i] as BlockPlace)
  })
  return typing.finish()
}

function plan(at: number, change: Exclude<TextChange, BlockChange>, span: Span): Planned[] {
  const { block, from } = span
  const remove = change.op === 'insert' ? 0 : block.cells.seen('now', span).length
  const insert = change.op === 'delete' ? '' : change.text
  return [{ at, text: block.text, index: block.cells.indexOf(from), remove, insert }]
}

function checkApart(planned: readonly Planned[]): void {
  for (const one of planned) {
    const isOver = (other: Planned) =>
      other.at > one.at &&
      other.text === one.text &&
      other.index < one.index + one.remove &&
      one.index < other.index + other.remove
    const other = planned.find(isOver)
    if (other !== undefined) wrong(other.at, `it overlaps with change ${one.at}`)
  }
}

type BlockPlace = { readonly parent: Y.XmlFragment; readonly index: number }

function placeOf(
  { doc }: State,
  { type, places, guarding }: { readonly type: string; readonly places: Places; readonly guarding: Guarding },
  at: number,
  { anchor }: BlockChange
): BlockPlace {
  const kind = rootKind(doc, type)
  if (kind !== null && kind !== 'xml') wrong(at, `"${type}" has no blocks: insert a line break`)
  const fragment = doc.getXmlFragment(type)
  if (anchor === undefined) return { parent: fragment, index: fragment.length }
  const item = places.anchorItem(at, anchor)
  const named = item.content instanceof Y.ContentType ? item.content.type : null
  const element = named instanceof Y.XmlText && named.parent instanceof Y.XmlElement ? named.parent : named
  const parent = element?.parent
  if (!(parent instanceof Y.XmlFragment)) return wrong(at, 'there is no block with this anchor')
  guarding.keepType(parent)
  const index = parent.toArray().indexOf(element as Y.XmlElement)
  return { parent, index: index + 1 }
}

/** Makes changes in a document, and gives what they are. */
class Typing {
  readonly #doc: Y.Doc
  readonly #wordsAtOnce: number | null
  readonly #steps: EditStep[] = []
  #rest: readonly string[] = []
  /** Where the writer stands. */
  #text: Y.Text | null = null
  #index = 0
  #isInserted = false

  constructor(doc: Y.Doc, wordsAtOnce: number | null) {
    this.#doc = doc
    this.#wordsAtOnce = wordsAtOnce
  }

  begin(change: () => void): void {
    this.#step(change)
  }

  /** All of one text, in its order: each moves those behind it. */
  change(planned: readonly Planned[]): void {
    let shift = 0
    for (const { text, index, remove, insert } of [...planned].sort(
      (a, b) => a.index - b.index || a.at - b.at
    )) {
      const at = index + shift
      if (remove > 0) text.delete(at, remove)
      this.#text = text
      this.#index = at
      const now = this.#first(insert)
      this.#type(now)
      shift += now.length - remove
    }
  }

  insertBlock({ name, attributes = {}, text }: BlockChange, { parent, index }: BlockPlace): void {
    const element = new Y.XmlElement(name)
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
    const own = new Y.XmlText()
    element.insert(0, [own])
    parent.insert(index, [element])
    this.#text = own
    this.#index = 0
    this.#type(this.#first(text))
  }

  finish(): EditStep[] {
    for (const words of this.#rest) this.#step(() => this.#type(words))
    return this.#steps
  }

  #first(insert: string): string {
    if (this.#wordsAtOnce === null) return insert
    const [first = '', ...rest] = piecesOf(insert, this.#wordsAtOnce)
    this.#rest = rest
    return first
  }

  #type(words: string): void {
    if (words === '' || this.#text === null) return
    this.#text.insert(this.#index, words)
    this.#index += words.length
    this.#isInserted = true
  }

  #step(change: () => void): void {
    const updates: Uint8Array[] = []
    const gather = (update: Uint8Array) => updates.push(update)
    this.#isInserted = false
    this.#doc.on('update', gather)
    this.#doc.transact(change)
    this.#doc.off('update', gather)
    // One transaction is one update; none, when nothing had to be done.
    const [update] = updates
    if (update === undefined) return
    const last = this.#isInserted ? Y.getState(this.#doc.store, this.#doc.clientID) - 1 : null
    this.#steps.push({ update, cursor: this.#cursor(), last })
  }

  #cursor(): CursorMessage | null {
    if (this.#text === null) return null
    const position = Y.createRelativePositionFromTypeIndex(this.#text, this.#index, -1)
    return Y.relativePositionToJSON(position) as CursorMessage
  }
}

function piecesOf(text: string, words: number): string[] {
  const all = text.match(/\s*\S+\s*|\s+/g) ?? []
  const pieces: string[] = []
  for (let i = 0; i < all.length; i += words) pieces.push(all.slice(i, i + words).join(''))
  return pieces
}
