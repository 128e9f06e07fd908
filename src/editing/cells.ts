/**
 * One shared text, unit by unit, as it is now and as it was when whoever edits saw it. What others deleted since is still
 * in it, so that a place of then is a place of now.
 */
import * as Y from 'yjs'
import type { State } from './state.ts'

/** What stands for a unit that is no text: an embed, or content that was collected. */
const objectUnit = 0xfffc

/** Of a unit: it counts, i.e. is no mark of formatting; it is there now; it was there then; others changed it since. */
const bit = { counts: 1, now: 2, earlier: 4, changed: 8 } as const

export class Cells {
  readonly length: number
  readonly #units: Uint16Array
  readonly #flags: Uint8Array
  readonly #clients: Float64Array
  readonly #clocks: Float64Array

  constructor(text: Y.Text, state: State) {
    this.length = itemsOf(text).reduce((sum, { length }) => sum + length, 0)
    this.#units = new Uint16Array(this.length)
    this.#flags = new Uint8Array(this.length)
    this.#clients = new Float64Array(this.length)
    this.#clocks = new Float64Array(this.length)
    let at = 0
    for (const item of itemsOf(text)) {
      const { client } = item.id
      const string = item.content instanceof Y.ContentString ? item.content.str : null
      const counts = item.content instanceof Y.ContentFormat ? 0 : bit.counts
      for (let i = 0; i < item.length; i++, at++) {
        const clock = item.id.clock + i
        const isNew = state.hasSince && state.isNew(client, clock)
        const isGone = state.hasSince && item.deleted && state.isGone(client, clock)
        const now = item.deleted ? 0 : bit.now
        const earlier = !isNew && (!item.deleted || isGone) ? bit.earlier : 0
        // What came and went again since was never seen.
        const changed = (isNew ? !item.deleted : isGone) ? bit.changed : 0
        this.#flags[at] = counts | now | earlier | changed
        this.#units[at] = string?.charCodeAt(i) ?? objectUnit
        this.#clients[at] = client
        this.#clocks[at] = clock
      }
    }
  }

  idAt(cell: number): Y.ID {
    return Y.createID(this.#clients[cell] ?? 0, this.#clocks[cell] ?? 0)
  }

  /** Others brought what is there, or took what was there, since then. */
  isChanged(cell: number): boolean {
    return this.#has(cell, bit.changed)
  }

  /** With what others have brought right beside it since. */
  around({ from, to }: { readonly from: number; readonly to: number }) {
    let [first, last] = [from, to]
    while (first > 0 && this.isChanged(first - 1) && !this.#has(first - 1, bit.earlier)) first--
    while (last < this.length && this.isChanged(last) && !this.#has(last, bit.earlier)) last++
    return { from: first, to: last }
  }

  /** The cell with this id, which the text has or had; null: neither. */
  find(client: number, clock: number): number | null {
    for (let i = 0; i < this.length; i++) {
      if (this.#clocks[i] === clock && this.#clients[i] === client) return i
    }
    return null
  }

  /** The cells that count and were there then, or are there now, in order. */
  seen(when: 'now' | 'earlier', { from, to }: { readonly from: number; readonly to: number }): number[] {
    const cells: number[] = []
    for (let i = from; i < to; i++) if (this.#has(i, bit.counts | bit[when])) cells.push(i)
    return cells
  }

  text(cells: readonly number[]): string {
    let text = ''
    for (let i = 0; i < cells.length; i += 8_192) {
      text += String.fromCharCode(...cells.slice(i, i + 8_192).map(cell => this.#units[cell] ?? objectUnit))
    }
    return text
  }

  /** How many units are there now before the cell: the index of Yjs. */
  indexOf(cell: number): number {
    let index = 0
    for (let i = 0; i < cell; i++) if (this.#has(i, bit.counts | bit.now)) index++
    return index
  }

  /** Where the line ends that begins at the cell: at its line break as it is now, or behind the last cell. */
  lineEnd(from: number): number {
    for (let i = from; i < this.length; i++) {
      if (this.#units[i] === 10 && this.#has(i, bit.counts | bit.now)) return i
    }
    return this.length
  }

  #has(cell: number, bits: number): boolean {
    return ((this.#flags[cell] ?? 0) & bits) === bits
  }
}

function itemsOf(text: Y.Text): Y.Item[] {
  const items: Y.Item[] = []
  for (let item = text._start; item !== null; item = item.right) items.push(item)
  return items
}
