// The board as Yjs data: what is stored, how it is read and every way to change it. It knows nothing of the page.
//
// A card is one entry of a map for its whole life, and where it is, is one value of that entry: a move writes that
// value and nothing else. Of two people who move a card at once one write remains, for everybody the same; the card
// cannot be in two lists, nor in none.
import * as Y from 'yjs'
import { newId } from '../id.ts'
import { type LabelId, labels } from './labels.ts'
import { compareOrder, keysAt, orderKey } from './order.ts'

export type Card = {
  readonly id: string
  readonly title: string
  readonly list: string
  readonly at: string
  readonly labels: readonly LabelId[]
  readonly details: Y.Text | null
}

export type List = {
  readonly id: string
  readonly title: string
  readonly at: string
  readonly cards: readonly Card[]
}

/** Where a card is put: before another one, or at the end. */
export type Spot = { readonly list: string; readonly before: string | null }

export type Board = {
  readonly lists: Y.Map<Y.Map<unknown>>
  readonly cards: Y.Map<Y.Map<unknown>>
  /** Runs a change as one's own: only those does `undo` take back, each as one step. */
  change(act: () => void): void
  readonly undo: Y.UndoManager
}

/** Cards of a list that somebody removed while another one moved a card into it: they are shown, not lost. */
export const strayListId = ''

export function openBoard(doc: Y.Doc): Board {
  const { lists, cards } = boardTypes(doc)
  const origin = { name: 'board' }
  const undo = new Y.UndoManager([lists, cards], { trackedOrigins: new Set([origin]), captureTimeout: 0 })
  return { lists, cards, undo, change: act => doc.transact(act, origin) }
}

export function boardTypes(doc: Y.Doc) {
  return {
    lists: doc.getMap<Y.Map<unknown>>('board-lists'),
    cards: doc.getMap<Y.Map<unknown>>('board-cards')
  }
}

/** Reads the lists in order, each with its cards in order. */
export function readLists({ lists, cards }: Pick<Board, 'lists' | 'cards'>): List[] {
  const heads = [...lists].flatMap(([id, entry]) => (entry instanceof Y.Map ? [readHead(id, entry)] : []))
  const byList = new Map<string, Card[]>(heads.map(({ id }) => [id, []]))
  const stray: Card[] = []
  for (const [id, entry] of cards) {
    if (!(entry instanceof Y.Map)) continue
    const card = readCard(id, entry)
    ;(byList.get(card.list) ?? stray).push(card)
  }
  const read = heads
    .sort(compareOrder)
    .map(head => ({ ...head, cards: (byList.get(head.id) ?? []).sort(compareOrder) }))
  if (stray.length === 0) return read
  const strays = { id: strayListId, title: 'List was removed', at: '', cards: stray.sort(compareOrder) }
  return [strays, ...read]
}

function readHead(id: string, entry: Y.Map<unknown>) {
  return { id, title: text(entry.get('title')), at: orderKey(entry.get('at')) }
}

function readCard(id: string, entry: Y.Map<unknown>): Card {
  const { list, at } = (entry.get('place') ?? {}) as { list?: unknown; at?: unknown }
  const details = entry.get('details')
  return {
    id,
    title: text(entry.get('title')),
    list: text(list),
    at: orderKey(at),
    labels: labels.filter(label => entry.get(labelKey(label.id)) === true).map(label => label.id),
    details: details instanceof Y.Text ? details : null
  }
}

/** Puts a card somewhere; cards that stand at the very same position make room. */
export function moveCard(board: Board, id: string, spot: Spot): void {
  board.change(() => placeCard(board, id, spot))
}

/** Makes a card at the end of a list and returns its id. */
export function addCard(board: Board, list: string, title: string): string {
  const id = newId()
  board.change(() => {
    board.cards.set(id, newCard({ title }))
    placeCard(board, id, { list, before: null })
  })
  return id
}

export function removeCard(board: Board, id: string): void {
  board.change(() => board.cards.delete(id))
}

export function setCardTitle(board: Board, id: string, title: string): void {
  const entry = board.cards.get(id)
  if (entry !== undefined && entry.get('title') !== title) board.change(() => entry.set('title', title))
}

/** Each label is an entry of its own, so that two people who label one card keep both labels. */
export function toggleLabel(board: Board, id: string, label: LabelId): void {
  const entry = board.cards.get(id)
  if (entry === undefined) return
  const key = labelKey(label)
  board.change(() => (entry.get(key) === true ? entry.delete(key) : entry.set(key, true)))
}

export function addList(board: Board, title: string): void {
  const { own } = keysAt(
    readLists(board).filter(({ id }) => id !== strayListId),
    board.lists.size
  )
  board.change(() => board.lists.set(newId(), newList({ title, at: own })))
}

export function renameList(board: Board, id: string, title: string): void {
  const entry = board.lists.get(id)
  if (entry !== undefined && entry.get('title') !== title) board.change(() => entry.set('title', title))
}

/** Only an empty list can be removed; a card that another one moves into it meanwhile is shown as stray. */
export function removeList(board: Board, id: string): void {
  const list = readLists(board).find(candidate => candidate.id === id)
  if (list?.cards.length === 0) board.change(() => board.lists.delete(id))
}

export function newList({ title, at }: { title: string; at: string }): Y.Map<unknown> {
  return new Y.Map<unknown>(Object.entries({ title, at }))
}

export function newCard({ title, details = '' }: { title: string; details?: string }): Y.Map<unknown> {
  return new Y.Map<unknown>(Object.entries({ title, details: new Y.Text(details) }))
}

export function labelKey(label: LabelId): string {
  return `label:${label}`
}

/** A text that is equal if and only if two replicas show the same board. */
export function boardContent(doc: Y.Doc): string {
  return JSON.stringify(readLists(boardTypes(doc)), (_key, value: unknown) =>
    value instanceof Y.Text ? value.toString() : value
  )
}

function placeCard({ lists, cards }: Board, id: string, { list, before }: Spot): void {
  const moved = cards.get(id)
  if (moved === undefined) return
  const others = readLists({ lists, cards })
    .find(candidate => candidate.id === list)
    ?.cards.filter(card => card.id !== id)
  if (others === undefined) return
  const found = others.findIndex(card => card.id === before)
  const keys = keysAt(others, found === -1 ? others.length : found)
  moved.set('place', { list, at: keys.own })
  for (const other of keys.moved) cards.get(other.id)?.set('place', { list, at: other.at })
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
