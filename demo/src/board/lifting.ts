// Cards moved by the keyboard: Space lifts one, the arrows carry it about, Space puts it down, Escape back.
// Only putting it down is an edit; until then the card stands where it was for everybody else.
import type { Card, List, Spot } from './model.ts'

export type Lifting = {
  readonly card: string | null
  /** Returns the lists with the lifted card where it is being carried. */
  preview(lists: readonly List[]): readonly List[]
  /** Handles a key on a card; false if it is none of its keys. */
  keyPressed(key: string, card: string): boolean
  /** Lets go of the card where it was. */
  cancel(): void
}

export type LiftingListeners = {
  lists(): readonly List[]
  changed(card: string): void
  held(card: string | null): void
  dropped(card: string, spot: Spot): void
  announce(words: string): void
}

type Carried = { readonly card: string; readonly spot: Spot }

/** Follows the keyboard on one board. */
export function followLifting({ lists, changed, held, dropped, announce }: LiftingListeners): Lifting {
  let carried: Carried | null = null

  function lift(card: string): void {
    const place = placeOf(lists(), card)
    if (place === null) return
    const { list, index } = place
    carried = { card, spot: { list: list.id, before: list.cards[index + 1]?.id ?? null } }
    held(card)
    announce(
      `Lifted “${titleOf(list, card)}”. ${positionWords(place)} Arrows move it, Space puts it down, Escape back.`
    )
    changed(card)
  }

  function carry({ card, spot }: Carried, key: string): void {
    const shown = preview(lists(), { card, spot })
    const next = spotAfter(shown, card, key)
    if (next === null) return
    carried = { card, spot: next }
    const place = placeOf(preview(lists(), carried), card)
    if (place !== null) announce(positionWords(place))
    changed(card)
  }

  function end({ card, spot }: Carried, outcome: 'dropped' | 'cancelled'): void {
    carried = null
    held(null)
    if (outcome === 'dropped') dropped(card, spot)
    const place = placeOf(lists(), card)
    const words = outcome === 'dropped' ? 'Put down.' : 'Back where it was.'
    announce(place === null ? 'The card was removed by somebody else.' : `${words} ${positionWords(place)}`)
    changed(card)
  }

  return {
    get card() {
      return carried?.card ?? null
    },
    preview: shown => (carried === null ? shown : preview(shown, carried)),
    cancel() {
      if (carried !== null) end(carried, 'cancelled')
    },
    keyPressed(key, card) {
      if (carried === null || carried.card !== card) {
        if (key !== ' ') return false
        lift(card)
        return true
      }
      if (key === ' ' || key === 'Enter') end(carried, 'dropped')
      else if (key === 'Escape') end(carried, 'cancelled')
      else if (key.startsWith('Arrow')) carry(carried, key)
      else return false
      return true
    }
  }
}

/** Takes the card out and puts it in at the spot; before a card that is gone means at the end. */
function preview(lists: readonly List[], { card, spot }: Carried): readonly List[] {
  const carried = lists.flatMap(({ cards }) => cards).find(({ id }) => id === card)
  if (carried === undefined || lists.every(({ id }) => id !== spot.list)) return lists
  return lists.map(list => {
    const cards = list.cards.filter(({ id }) => id !== card)
    if (list.id !== spot.list) return { ...list, cards }
    const index = cards.findIndex(({ id }) => id === spot.before)
    return { ...list, cards: cards.toSpliced(index === -1 ? cards.length : index, 0, carried) }
  })
}

function spotAfter(lists: readonly List[], card: string, key: string): Spot | null {
  const place = placeOf(lists, card)
  if (place === null) return null
  const { list, index, listIndex } = place
  const others: readonly Card[] = list.cards.filter(({ id }) => id !== card)
  switch (key) {
    case 'ArrowUp':
      return index === 0 ? null : { list: list.id, before: others[index - 1]?.id ?? null }
    case 'ArrowDown':
      return index === others.length ? null : { list: list.id, before: others[index + 1]?.id ?? null }
    default: {
      const beside = lists[listIndex + (key === 'ArrowLeft' ? -1 : 1)]
      return beside === undefined ? null : { list: beside.id, before: beside.cards[index]?.id ?? null }
    }
  }
}

/** Where a card is among the lists shown; null when it is not there. */
export function placeOf(lists: readonly List[], id: string) {
  for (const [listIndex, list] of lists.entries()) {
    const index = list.cards.findIndex(card => card.id === id)
    const card = list.cards[index]
    if (card !== undefined) return { card, list, listIndex, index }
  }
  return null
}

/** The card that an arrow leads to from a card; itself where there is none. */
export function neighbourOf(lists: readonly List[], card: string, key: string): string {
  const place = placeOf(lists, card)
  if (place === null) return card
  const { list, listIndex, index } = place
  if (key === 'ArrowUp') return list.cards[index - 1]?.id ?? card
  if (key === 'ArrowDown') return list.cards[index + 1]?.id ?? card
  // Past lists that have none.
  const beyond = key === 'ArrowLeft' ? lists.slice(0, listIndex).reverse() : lists.slice(listIndex + 1)
  const beside = beyond.find(({ cards }) => cards.length > 0)?.cards ?? []
  return beside[Math.min(index, beside.length - 1)]?.id ?? card
}

function positionWords({ list, index }: { list: List; index: number }): string {
  return `${list.title}, position ${index + 1} of ${list.cards.length}.`
}

function titleOf(list: List, card: string): string {
  return list.cards.find(({ id }) => id === card)?.title ?? ''
}
