/**
 * Where a change of a text is to be made: found in the text as it was seen, refused where others have changed that place
 * since.
 */
import * as Y from 'yjs'
import { Cells } from './cells.ts'
import { stale, wrong } from './edit-result.ts'
import type { Guarding } from './guarding.ts'
import type { ChangedBy, TextChange, TextPlace } from './jobs.ts'
import { idOf, itemAt, rootKind, rootOf, textsIn } from './parts.ts'
import type { State } from './state.ts'

/** A text, or a part of it. */
export type Block = {
  readonly text: Y.Text
  readonly cells: Cells
  readonly from: number
  readonly to: number
}

/** Cells of a text that are replaced; `from` is `to`: something is inserted there. */
export type Span = { readonly block: Block; readonly from: number; readonly to: number }

type PlacedChange = Exclude<TextChange, { readonly op: 'insert-block' }>

export class Places {
  readonly #state: State
  readonly #type: string
  readonly #passageMax: number
  readonly #cells = new Map<Y.Text, Cells>()

  constructor(state: State, type: string, passageMax: number) {
    this.#state = state
    this.#type = type
    this.#passageMax = passageMax
  }

  /** Ends the edit where there is no such place, or not any more. */
  spanOf(at: number, change: PlacedChange, guarding: Guarding): Span {
    const blocks = this.#blocks(at, change)
    for (const { text } of blocks.length === 1 ? blocks : []) guarding.keepType(text)
    if (change.quote !== undefined)
      return this.#quoted(at, { ...change, quote: change.quote }, blocks, guarding)
    const [block] = blocks
    if (block === undefined || blocks.length > 1) {
      return wrong(at, 'there are several blocks: name one by its anchor, or quote the passage')
    }
    if (change.index === undefined) return this.#end(at, change, block)
    return this.#numbered(at, change, { block, index: change.index }, guarding)
  }

  /** The end of the block: whatever is there by now, it is behind it. */
  #end(at: number, { op }: PlacedChange, block: Block): Span {
    if (op !== 'insert') return wrong(at, `"${op}" needs a quote, or an index and a length`)
    return { block, from: block.to, to: block.to }
  }

  #quoted(
    at: number,
    { quote, occurrence, op, ...change }: PlacedChange & { readonly quote: string },
    blocks: readonly Block[],
    guarding: Guarding
  ): Span {
    const found = blocks.flatMap(block => occurrencesIn(block, quote))
    if (found.length === 0) return this.#notFound(at, blocks)
    if (found.length > 1 && occurrence === undefined) {
      return wrong(at, `the passage occurs ${found.length} times: quote more of it, or say which occurrence`)
    }
    if (occurrence !== undefined && this.#state.isLost) this.#lost(at, blocks)
    const span = found[(occurrence ?? 1) - 1]
    if (span === undefined) return wrong(at, `the passage occurs ${found.length} times only`)
    this.#refuseChanged(at, span, span)
    guarding.keepType(span.block.text)
    guarding.keepCells(span.block.cells, span)
    if (op !== 'insert') return span
    const side = 'side' in change && change.side === 'before' ? span.from : span.to
    return { ...span, from: side, to: side }
  }

  #numbered(
    at: number,
    { op, length = 0 }: PlacedChange,
    { block, index }: { readonly block: Block; readonly index: number },
    guarding: Guarding
  ): Span {
    const { cells } = block
    if (this.#state.isLost) this.#lost(at, [block])
    const seen = cells.seen('earlier', block)
    const count = op === 'insert' ? 0 : length
    if (index + count > seen.length) return wrong(at, `the text has ${seen.length} units only`)
    if (op !== 'insert' && count === 0) return wrong(at, `"${op}" needs a length of at least 1`)
    const left = index === 0 ? block.from - 1 : (seen[index - 1] ?? 0)
    const right = seen[index + count] ?? block.to
    const span =
      count === 0
        ? { block, from: left + 1, to: left + 1 }
        : { block, from: seen[index] ?? 0, to: (seen[index + count - 1] ?? 0) + 1 }
    // Of an insertion the place is what lies between its neighbours, and they are.
    const place = count === 0 ? { from: Math.max(left, block.from), to: Math.min(right + 1, block.to) } : span
    this.#refuseChanged(at, span, place)
    guarding.keepCells(cells, place)
    return span
  }

  #refuseChanged(at: number, { block }: Span, place: { readonly from: number; readonly to: number }): void {
    const { cells } = block
    const changed: Y.ID[] = []
    for (let i = place.from; i < place.to; i++) if (cells.isChanged(i)) changed.push(cells.idAt(i))
    if (changed.length === 0) return
    stale({ change: at, passage: this.#fresh(block, place), by: this.#state.by(changed) })
  }

  #notFound(at: number, blocks: readonly Block[]): never {
    const by = blocks.flatMap(({ cells, from, to }) => this.#changesIn(cells, from, to))
    const passage = blocks.map(block => this.#fresh(block, block)).join('\n')
    return stale({ change: at, passage: passage.slice(0, this.#passageMax), by })
  }

  #changesIn(cells: Cells, from: number, to: number): ChangedBy[] {
    if (!this.#state.hasSince) return []
    const ids: Y.ID[] = []
    for (let i = from; i < to; i++) if (cells.isChanged(i)) ids.push(cells.idAt(i))
    return this.#state.by(ids)
  }

  #lost(at: number, blocks: readonly Block[]): never {
    return this.#notFound(at, blocks)
  }

  #fresh({ cells }: Block, place: { readonly from: number; readonly to: number }): string {
    return cells.text(cells.seen('now', cells.around(place))).slice(0, this.#passageMax)
  }

  #blocks(at: number, { anchor }: TextPlace): readonly Block[] {
    const { doc } = this.#state
    if (anchor !== undefined) return [this.#anchored(at, anchor)]
    if (rootKind(doc, this.#type) === 'xml') {
      return [...textsIn(doc.getXmlFragment(this.#type))].map(text => this.#whole(text))
    }
    return [this.#whole(this.rootText(at))]
  }

  /** Ends the edit where the root type is none. */
  rootText(at: number): Y.Text {
    const { doc } = this.#state
    const kind = rootKind(doc, this.#type)
    if (kind === null || kind === 'text') return doc.getText(this.#type)
    return wrong(at, `"${this.#type}" is not a text`)
  }

  #anchored(at: number, anchor: string): Block {
    const item = this.anchorItem(at, anchor)
    const { content } = item
    if (content instanceof Y.ContentType && content.type instanceof Y.XmlText)
      return this.#whole(content.type)
    const text = this.rootText(at)
    const { cells } = this.#whole(text)
    const id = idOf(anchor)
    const from = id === null ? null : cells.find(id.client, id.clock)
    if (from === null) return wrong(at, 'there is no block with this anchor')
    return { text, cells, from, to: cells.lineEnd(from) }
  }

  /** What the anchor names, which is there and in this root type. Ends the edit where it is not. */
  anchorItem(at: number, anchor: string): Y.Item {
    const { doc } = this.#state
    const id = idOf(anchor)
    const item = id === null ? null : itemAt(doc, id)
    if (item === null || id === null || rootOf(item) !== doc.share.get(this.#type)) {
      return wrong(at, 'there is no block with this anchor')
    }
    if (item.deleted) stale({ change: at, passage: null, by: this.#state.by([id]) })
    return item
  }

  #whole(text: Y.Text): Block {
    const cells = this.#cells.get(text) ?? new Cells(text, this.#state)
    this.#cells.set(text, cells)
    return { text, cells, from: 0, to: cells.length }
  }
}

function occurrencesIn(block: Block, quote: string): Span[] {
  const { cells } = block
  const seen = cells.seen('earlier', block)
  const text = cells.text(seen)
  const found: Span[] = []
  for (let i = text.indexOf(quote); i >= 0; i = text.indexOf(quote, i + 1)) {
    found.push({ block, from: seen[i] ?? 0, to: (seen[i + quote.length - 1] ?? 0) + 1 })
  }
  return found
}
