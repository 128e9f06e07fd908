// The demo's board as data: whatever several people do to it at once, each card is in one place, the same for all.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import {
  addCard,
  addList,
  type Board,
  boardContent,
  moveCard,
  openBoard,
  readLists,
  removeList,
  strayListId,
  toggleLabel
} from '../../demo/src/board/model.ts'
import { compareOrder, keysAt, orderKey } from '../../demo/src/board/order.ts'

type Step =
  | {
      readonly kind: 'move'
      readonly by: number
      readonly card: number
      readonly list: number
      readonly before: number
    }
  | { readonly kind: 'remove list'; readonly by: number; readonly list: number }
  | { readonly kind: 'add list'; readonly by: number }
  | { readonly kind: 'undo'; readonly by: number }
  | { readonly kind: 'sync'; readonly by: number; readonly to: number }

const people = 3
const small = fc.nat({ max: 8 })
const person = fc.nat({ max: people - 1 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('move'), by: person, card: small, list: small, before: small })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove list'), by: person, list: small }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('add list'), by: person }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('undo'), by: person }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('sync'), by: person, to: person }) }
) as fc.Arbitrary<Step>

test('cards that several people move at once are neither lost nor doubled, and all agree where they are', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const docs = Array.from({ length: people }, () => new Y.Doc())
      const boards = startTogether(docs)
      const cards = titles(boards[0]).sort()

      for (const each of steps) take(each, { docs, boards })
      for (let round = 0; round < 2; round++) {
        for (const from of docs) for (const to of docs) Y.applyUpdate(to, Y.encodeStateAsUpdate(from))
      }

      for (const [index, board] of boards.entries()) {
        expect(titles(board).sort()).toEqual(cards)
        expect(boardContent(docs[index] ?? new Y.Doc())).toBe(boardContent(docs[0] ?? new Y.Doc()))
      }
    })
  )
})

test('there is room between two cards that were put at the same place at once', () => {
  const items = [
    { id: 'a', at: 'a0' },
    { id: 'b', at: 'a0' },
    { id: 'c', at: 'a0' },
    { id: 'd', at: 'a1' }
  ]

  const { own, moved } = keysAt(items, 1)

  const after = items.map(item => ({ ...item, at: moved.find(({ id }) => id === item.id)?.at ?? item.at }))
  const sorted = [...after, { id: 'new', at: own }].sort(compareOrder).map(({ id }) => id)
  expect(sorted).toEqual(['a', 'new', 'b', 'c', 'd'])
})

test('a position that is none is taken as the usual one', () => {
  for (const value of [undefined, 7, '', '!', 'a00', 'zzzzz']) expect(orderKey(value)).toBe('a0')
  expect(orderKey('a1V')).toBe('a1V')
})

test('two people who label one card at once keep both labels', () => {
  const docs = [new Y.Doc(), new Y.Doc()]
  const [one, other] = startTogether(docs)
  const card = readLists(one as Board)[0]?.cards[0]?.id ?? ''

  toggleLabel(one as Board, card, 'bug')
  toggleLabel(other as Board, card, 'idea')
  for (const from of docs) for (const to of docs) Y.applyUpdate(to, Y.encodeStateAsUpdate(from))

  expect(readLists(one as Board)[0]?.cards[0]?.labels).toEqual(['bug', 'idea'])
})

/** Boards of several people that begin equal: two lists with three cards each. */
function startTogether(docs: readonly Y.Doc[]): Board[] {
  const first = new Y.Doc()
  const board = openBoard(first)
  for (const title of ['one', 'two']) addList(board, title)
  for (const { id, title } of readLists(board)) {
    for (const number of [1, 2, 3]) addCard(board, id, `${title} ${number}`)
  }
  for (const doc of docs) Y.applyUpdate(doc, Y.encodeStateAsUpdate(first))
  return docs.map(openBoard)
}

function take(step: Step, { docs, boards }: { docs: readonly Y.Doc[]; boards: readonly Board[] }): void {
  const board = boards[step.by]
  const doc = docs[step.by]
  if (board === undefined || doc === undefined) return
  const lists = readLists(board).filter(({ id }) => id !== strayListId)
  switch (step.kind) {
    case 'move': {
      const all = readLists(board).flatMap(({ cards }) => cards)
      const list = lists[step.list % Math.max(1, lists.length)]
      const card = all[step.card % all.length]
      if (list === undefined || card === undefined) return
      return moveCard(board, card.id, { list: list.id, before: list.cards[step.before]?.id ?? null })
    }
    case 'remove list':
      return removeList(board, lists[step.list % Math.max(1, lists.length)]?.id ?? '')
    case 'add list':
      return addList(board, 'more')
    case 'undo':
      return void board.undo.undo()
    case 'sync':
      return Y.applyUpdate(docs[step.to] ?? doc, Y.encodeStateAsUpdate(doc))
    default:
      step satisfies never
  }
}

function titles(board: Board | undefined): string[] {
  return board === undefined ? [] : readLists(board).flatMap(({ cards }) => cards.map(({ title }) => title))
}
