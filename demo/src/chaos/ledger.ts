// The book of all edits made on this page: who made them, who was promised what, and whether a document keeps the
// promises. It knows documents and nothing of the server, the network or the page.
//
// An edit is promised when its author was told that it is saved, or when it was seen on a replica other than the
// author's. What was promised must be there, whatever crashed; what was not may die with the only tab that had it.
import * as Y from 'yjs'
import { receiptsName } from './document.ts'

/** What a bot gives as the origin of its transaction. */
export type EditTag = {
  /** What people call it, the author's name and a number: `Abe-41`. */
  readonly id: string
  /** Under which it leaves its receipt; bots of other pages in the room may have the same names. */
  readonly receipt: string
  /** The receipt that this edit takes away, if it does. */
  readonly retracts: string | null
}

export type Edit = {
  readonly id: string
  /** What people type leaves none. */
  readonly receipt: string | null
  readonly author: string
  /** The clocks of what it inserted: `[from, to)` of this client. */
  readonly client: number
  readonly from: number
  readonly to: number
  readonly deletions: readonly Range[]
  readonly retracts: string | null
  promise: 'none' | 'saved' | 'seen'
  /** Its author's tab is gone. */
  isOrphan: boolean
}

export type Range = { readonly client: number; readonly clock: number; readonly len: number }

type Book = { readonly author: string; readonly edits: Edit[]; savedCount: number; seenCount: number }

export type Followed = {
  /** Tells how many of this author's edits, in the order they were made, the server has said to be saved. */
  saved(count: number): void
  /** How many edits this author has made. */
  readonly made: number
  /** Its tab has crashed: no more will come of it. Returns how many edits nobody else had been promised. */
  orphan(): number
}

export class Ledger {
  readonly edits: Edit[] = []
  readonly #byClient = new Map<number, Book>()
  readonly #retracted = new Set<string>()

  /** Books what is changed in `doc`, and what of others' is seen there. `provider` is the origin of remote changes. */
  follow(doc: Y.Doc, author: string, provider: unknown): Followed {
    const book: Book = { author, edits: [], savedCount: 0, seenCount: 0 }
    this.#byClient.set(doc.clientID, book)
    doc.on('update', (_update: Uint8Array, origin: unknown, _doc: Y.Doc, transaction: Y.Transaction) => {
      if (origin === provider) this.#saw(transaction)
      else this.#book(book, transaction)
    })
    return {
      saved: count => keepPromise(book, 'savedCount', count, 'saved'),
      get made() {
        return book.edits.length
      },
      orphan: () => {
        for (const edit of book.edits) edit.isOrphan = true
        return book.edits.filter(({ promise }) => promise === 'none').length
      }
    }
  }

  /** Every edit somebody was promised. */
  promised(): Edit[] {
    return this.edits.filter(({ promise }) => promise !== 'none')
  }

  /** Edits that wait for a promise and whose authors are still there. */
  waiting(): number {
    return this.edits.filter(({ promise, isOrphan }) => promise === 'none' && !isOrphan).length
  }

  /** The promised edits that a document lacks: in whole, in part, or although they were taken back. */
  missingFrom(doc: Y.Doc): Edit[] {
    const held = readHeld(doc)
    return this.promised().filter(edit => !this.#isHeld(edit, held))
  }

  #isHeld(edit: Edit, { clocks, deleted, receipts }: Held): boolean {
    if ((clocks.get(edit.client) ?? 0) < edit.to && edit.to > edit.from) return false
    if (!edit.deletions.every(range => isCovered(range, deleted.get(range.client) ?? []))) return false
    if (edit.retracts !== null && receipts.has(edit.retracts)) return false
    const { receipt } = edit
    // Whoever took the receipt away may not have been promised anything: then both are right.
    return receipt === null || receipts.has(receipt) || this.#retracted.has(receipt)
  }

  #book(book: Book, transaction: Y.Transaction): void {
    const { doc, beforeState, afterState, deleteSet, origin } = transaction
    const client = doc.clientID
    const tag = isTag(origin) ? origin : null
    const edit: Edit = {
      id: tag?.id ?? `${book.author}-typed-${book.edits.length + 1}`,
      receipt: tag?.receipt ?? null,
      author: book.author,
      client,
      from: beforeState.get(client) ?? 0,
      to: afterState.get(client) ?? 0,
      deletions: [...deleteSet.clients].flatMap(([owner, items]) =>
        items.map(({ clock, len }) => ({ client: owner, clock, len }))
      ),
      retracts: tag?.retracts ?? null,
      promise: 'none',
      isOrphan: false
    }
    book.edits.push(edit)
    this.edits.push(edit)
    if (edit.retracts !== null) this.#retracted.add(edit.retracts)
  }

  /** A remote change brings structs up to a clock, and with them the whole edits that these belong to. */
  #saw({ doc, beforeState, afterState }: Y.Transaction): void {
    for (const [client, clock] of afterState) {
      if (client === doc.clientID || beforeState.get(client) === clock) continue
      const book = this.#byClient.get(client)
      if (book === undefined) continue
      let count = book.seenCount
      while (count < book.edits.length && (book.edits[count]?.to ?? 0) <= clock) count += 1
      keepPromise(book, 'seenCount', count, 'seen')
    }
  }
}

function keepPromise(
  book: Book,
  counter: 'savedCount' | 'seenCount',
  count: number,
  promise: 'saved' | 'seen'
): void {
  for (let at = book[counter]; at < count; at++) {
    const edit = book.edits[at]
    // An edit that inserts nothing has no clock of its own by which to be seen.
    if (edit?.promise === 'none' && (promise === 'saved' || edit.to > edit.from)) edit.promise = promise
  }
  book[counter] = Math.max(book[counter], count)
}

function isTag(origin: unknown): origin is EditTag {
  return typeof origin === 'object' && origin !== null && 'retracts' in origin && 'id' in origin
}

type Held = {
  readonly clocks: ReadonlyMap<number, number>
  /** Sorted, neither overlapping nor adjacent. */
  readonly deleted: ReadonlyMap<number, readonly { readonly clock: number; readonly len: number }[]>
  readonly receipts: { has(key: string): boolean }
}

function readHeld(doc: Y.Doc): Held {
  return {
    clocks: Y.decodeStateVector(Y.encodeStateVector(doc)),
    deleted: Y.createDeleteSetFromStructStore(doc.store).clients,
    receipts: doc.getMap(receiptsName)
  }
}

function isCovered({ clock, len }: Range, ranges: readonly { clock: number; len: number }[]): boolean {
  let low = 0
  let high = ranges.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const range = ranges[middle]
    if (range === undefined) return false
    if (range.clock > clock) high = middle - 1
    else if (range.clock + range.len <= clock) low = middle + 1
    else return range.clock + range.len >= clock + len
  }
  return false
}
