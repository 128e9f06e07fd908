// The bar above the board: what of it is shown.
import { element } from '../dom.ts'
import { createSignal, type Signal } from '../signal.ts'
import { labels } from './labels.ts'
import type { Card, List } from './model.ts'

export type Filter = { readonly words: string; readonly label: string }

/** Returns the lists with those of their cards that the filter lets through. */
export function filterLists(lists: readonly List[], filter: Filter): readonly List[] {
  if (filter.words === '' && filter.label === '') return lists
  return lists.map(list => ({ ...list, cards: list.cards.filter(card => isShown(card, filter)) }))
}

function isShown(card: Card, { words, label }: Filter): boolean {
  if (label !== '' && !card.labels.some(id => id === label)) return false
  return `${card.title}\n${card.details?.toString() ?? ''}`.toLocaleLowerCase().includes(words)
}

export function filterFields(): { fields: readonly HTMLElement[]; filter: Signal<Filter> } {
  const filter = createSignal<Filter>({ words: '', label: '' })
  const words = element('input', {
    class: 'field',
    type: 'search',
    placeholder: 'Filter',
    'aria-label': 'Filter cards'
  })
  const options = labels.map(({ id, name }) => element('option', { value: id }, name))
  const any = element('option', { value: '' }, 'Any label')
  const label = element('select', { class: 'field', 'aria-label': 'Filter by label' }, any, ...options)
  const read = () => filter.set({ words: words.value.trim().toLocaleLowerCase(), label: label.value })
  words.addEventListener('input', read)
  label.addEventListener('change', read)
  return { fields: [words, label], filter }
}
