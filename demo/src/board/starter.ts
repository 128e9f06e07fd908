// What a new board begins with. Everything in it is fixed, ids included: see seed.ts.
import type * as Y from 'yjs'
import type { LabelId } from './labels.ts'
import { boardTypes, labelKey, newCard, newList } from './model.ts'

type StarterCard = { readonly title: string; readonly labels?: readonly LabelId[]; readonly details?: string }

const lists: readonly { title: string; cards: readonly StarterCard[] }[] = [
  {
    title: 'To do',
    cards: [
      { title: 'Drag me to another list', details: 'Both sides can write here at the same time.' },
      { title: 'Go offline on one side, move cards on both', labels: ['idea'] },
      { title: 'Open this board on a phone', labels: ['question'] }
    ]
  },
  {
    title: 'Doing',
    cards: [
      { title: 'Move me by keyboard: Space, arrows, Space', labels: ['docs'] },
      { title: 'Undo: only your own moves go back', labels: ['design'] }
    ]
  },
  { title: 'Done', cards: [{ title: 'Start the server', labels: ['urgent'] }] }
]

export function writeStarterBoard(doc: Y.Doc): void {
  const types = boardTypes(doc)
  doc.transact(() => {
    for (const [listIndex, { title, cards }] of lists.entries()) {
      const list = `list-${listIndex}`
      types.lists.set(list, newList({ title, at: `a${listIndex}` }))
      for (const [cardIndex, card] of cards.entries()) {
        const entry = newCard(card)
        types.cards.set(`card-${listIndex}-${cardIndex}`, entry)
        entry.set('place', { list, at: `a${cardIndex}` })
        for (const label of card.labels ?? []) entry.set(labelKey(label), true)
      }
    }
  })
}

export function isBoardUntouched(doc: Y.Doc): boolean {
  const { lists, cards } = boardTypes(doc)
  return [lists, cards].every((type: Y.Map<Y.Map<unknown>>) => type._map.size === 0)
}
