// A card on the board: its face, which is dragged, lifted and opened.
import { element, icon } from '../dom.ts'
import { avatar } from '../presence.ts'
import type { Holder } from './holders.ts'
import { labels } from './labels.ts'
import type { Card } from './model.ts'

export type CardView = {
  readonly root: HTMLElement
  /** What takes the focus and the pointer. */
  readonly face: HTMLElement
  show(card: Card, state: CardState): void
}

export type CardState = {
  readonly holder: Holder | null
  readonly isLifted: boolean
  readonly isInHand: boolean
}

const detailsIcon = 'M4 5.500h12M4 10h12M4 14.500h7'

/** Makes an empty card face; `hintId` names the element that says how the keyboard moves it. */
export function cardView(id: string, hintId: string): CardView {
  const face = element('div', {
    class: 'card-face',
    role: 'button',
    tabindex: '-1',
    'aria-describedby': hintId
  })
  const root = element('li', { class: 'board-card', 'data-card': id }, face)
  let shown = ''
  return {
    root,
    face,
    show(card, state) {
      const { holder, isLifted, isInHand } = state
      // Rebuilt only when something of it changed: boards are rendered whole, and often.
      const words = JSON.stringify([card.title, card.labels, hasDetails(card), state])
      if (words === shown) return
      shown = words
      root.classList.toggle('is-lifted', isLifted)
      root.classList.toggle('is-in-hand', isInHand)
      face.setAttribute('aria-pressed', String(isLifted))
      root.classList.toggle('is-held', holder !== null)
      root.style.setProperty('--person', holder?.person.color ?? '')
      face.replaceChildren(...faceOf(card, holder))
    }
  }
}

function faceOf(card: Card, holder: Holder | null): HTMLElement[] {
  const chips = labels
    .filter(({ id }) => card.labels.includes(id))
    .map(({ name, color }) => {
      const chip = element('span', { class: 'label-chip' }, name)
      chip.style.setProperty('--label', color)
      return chip
    })
  const parts = [element('span', { class: 'card-title' }, card.title)]
  if (chips.length > 0) parts.unshift(element('span', { class: 'card-labels' }, ...chips))
  if (hasDetails(card)) {
    const words = element('span', { class: 'visually-hidden' }, 'has details')
    parts.push(element('span', { class: 'card-meta' }, icon(detailsIcon), words))
  }
  if (holder !== null) parts.push(holderTag(holder))
  return parts
}

function holderTag({ person, kind }: Holder): HTMLElement {
  const doing = element(
    'span',
    { class: 'visually-hidden' },
    kind === 'moving' ? ' moves this' : ' has this open'
  )
  return element('span', { class: 'card-holder' }, avatar(person), element('span', {}, person.name, doing))
}

function hasDetails({ details }: Card): boolean {
  return details !== null && details.length > 0
}
