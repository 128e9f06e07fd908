// What a bot does to the document, one transaction at a time: it writes a sentence word by word, erases, and takes back
// its own receipts. Every edit leaves a receipt of its own. It knows the document only.
import * as Y from 'yjs'
import { receiptsName, textName } from './document.ts'
import type { EditTag } from './ledger.ts'

const sentences = [
  'Nothing that anyone has seen may be lost.',
  'The disk has it before the others do.',
  'Order within a connection, none between them.',
  'A crash is only a restart that nobody asked for.',
  'Whoever was cut off goes on writing.',
  'Two replicas meet and need no referee.',
  'The tab is gone, the sentence is not.',
  'Every word here was typed by a bot.'
].map(sentence => sentence.split(' '))

/** The text stays on the screen: above this bots erase, from its beginning. */
const textLengthMax = 560
const retractShare = 0.15
const eraseShare = 0.12

export class Writer {
  readonly #doc: Y.Doc
  readonly #name: string
  readonly #random: () => number
  readonly #receipts: string[] = []
  #words: readonly string[] = []
  #cursor: Y.RelativePosition | null = null
  #made = 0

  constructor(doc: Y.Doc, name: string, random: () => number) {
    this.#doc = doc
    this.#name = name
    this.#random = random
  }

  get #text(): Y.Text {
    return this.#doc.getText(textName)
  }

  /** Makes one edit; returns where its cursor is then. */
  edit(): Y.RelativePosition {
    const tag = this.#nextTag()
    const receipts = this.#doc.getMap<string>(receiptsName)
    this.#doc.transact(() => {
      receipts.set(tag.receipt, tag.retracts === null ? 'text' : 'retract')
      if (tag.retracts !== null) receipts.delete(tag.retracts)
      else if (this.#text.length > textLengthMax) this.#erase(0)
      else if (this.#text.length > 80 && this.#random() < eraseShare) this.#erase(this.#someWord())
      else this.#write()
    }, tag)
    this.#receipts.push(tag.receipt)
    return this.#cursor ?? this.#place(this.#text.length)
  }

  #nextTag(): EditTag {
    this.#made += 1
    const isRetraction = this.#receipts.length > 3 && this.#random() < retractShare
    const at = Math.floor(this.#random() * this.#receipts.length)
    const retracts = isRetraction ? (this.#receipts.splice(at, 1)[0] ?? null) : null
    const id = `${this.#name}-${this.#made}`
    return { id, receipt: `${id} ${this.#doc.clientID}`, retracts }
  }

  #write(): void {
    if (this.#words.length === 0) {
      this.#words = sentences[Math.floor(this.#random() * sentences.length)] ?? []
      this.#cursor = this.#place(this.#someLine())
    }
    const [word = '…', ...rest] = this.#words
    this.#words = rest
    const at = this.#cursorIndex()
    const written = rest.length === 0 ? `${word}\n` : `${word} `
    this.#text.insert(at, written)
    this.#cursor = this.#place(at + written.length)
  }

  /** A word and the space behind it; a line that has become empty goes, too. */
  #erase(from: number): void {
    const text = this.#text.toString()
    const word = /^\S*/.exec(text.slice(from))?.[0].length ?? 0
    const length = word + (text[from + word] === ' ' ? 1 : 0)
    this.#text.delete(from, Math.min(Math.max(length, 1), text.length - from))
  }

  /** Where a word begins that is not the last of its line. */
  #someWord(): number {
    const text = this.#text.toString()
    const from = Math.floor(this.#random() * text.length)
    const space = text.indexOf(' ', from)
    return space === -1 ? 0 : text.lastIndexOf(' ', Math.max(0, space - 1)) + 1
  }

  /** Where a line begins: a sentence does not go into the middle of another. */
  #someLine(): number {
    const text = this.#text.toString()
    const from = Math.floor(this.#random() * text.length)
    return text.lastIndexOf('\n', from) + 1
  }

  #cursorIndex(): number {
    const known =
      this.#cursor === null ? null : Y.createAbsolutePositionFromRelativePosition(this.#cursor, this.#doc)
    return known === null ? this.#someLine() : Math.min(known.index, this.#text.length)
  }

  #place(index: number): Y.RelativePosition {
    // It stays behind the word before it, so that what others write at the same place goes behind.
    return Y.createRelativePositionFromTypeIndex(this.#text, index, -1)
  }
}
