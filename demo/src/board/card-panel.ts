// A card opened: title, labels, list and the details, which everybody who has it open writes together.
import { element, icon } from '../dom.ts'
import type { Participant } from '../participant.ts'
import type { TextEditor } from '../text-editor.ts'
import { labels } from './labels.ts'
import { type Board, type Card, type List, moveCard, removeCard, setCardTitle, toggleLabel } from './model.ts'

export type CardPanel = {
  readonly root: HTMLElement
  readonly card: string | null
  open(card: Card): void
  /** Brings the open card up to date; closes when it is gone. */
  show(lists: readonly List[]): void
}

const crossIcon = 'M5 5l10 10M15 5 5 15'

/** Makes the panel, closed; `closed` is called with the card that was open. */
export function cardPanel(participant: Participant, board: Board, closed: (card: string) => void): CardPanel {
  const root = element('div', { class: 'card-panel', role: 'dialog', 'aria-label': 'Card', hidden: true })
  const title = element('textarea', {
    class: 'panel-title field',
    rows: '2',
    'aria-label': 'Title of the card'
  })
  const chips = element('div', { class: 'panel-labels', role: 'group', 'aria-label': 'Labels' })
  const list = element('select', { class: 'field' })
  const details = element('div', { class: 'panel-details' })
  const remove = element('button', { class: 'button', type: 'button' }, 'Delete card')
  const close = element(
    'button',
    { class: 'icon-button', type: 'button', 'aria-label': 'Close the card' },
    icon(crossIcon)
  )
  const move = element('label', { class: 'panel-move' }, element('span', {}, 'List'), list)
  const foot = element('div', { class: 'panel-foot' }, move, remove)
  const head = element('div', { class: 'panel-head' }, title, close)
  root.append(head, chips, details, foot)
  let card: string | null = null
  let editor: TextEditor | null = null

  function shut(): void {
    if (card === null) return
    const was = card
    card = null
    editor?.destroy()
    editor = null
    root.hidden = true
    closed(was)
  }

  const toggles = labels.map(({ id, name, color }) => {
    const chip = element('button', { class: 'label-chip', type: 'button', 'aria-pressed': 'false' }, name)
    chip.style.setProperty('--label', color)
    chip.addEventListener('click', () => card !== null && toggleLabel(board, card, id))
    return { id, chip }
  })
  chips.append(...toggles.map(({ chip }) => chip))
  title.addEventListener('input', () => {
    const words = title.value.replaceAll('\n', ' ').trim()
    if (card !== null && words !== '') setCardTitle(board, card, words)
  })
  title.addEventListener('keydown', event => {
    if (event.key === 'Enter') event.preventDefault()
  })
  list.addEventListener('change', () => {
    if (card !== null) moveCard(board, card, { list: list.value, before: null })
  })
  remove.addEventListener('click', () => card !== null && removeCard(board, card))
  close.addEventListener('click', shut)
  root.addEventListener('keydown', event => {
    if (event.key !== 'Escape') return
    event.stopPropagation()
    shut()
  })

  return {
    root,
    get card() {
      return card
    },
    open(opened) {
      if (card !== null) shut()
      card = opened.id
      title.value = opened.title
      root.hidden = false
      title.focus()
      if (opened.details === null) return
      const text = opened.details
      const heading = element('p', { class: 'panel-heading', 'aria-hidden': 'true' }, 'Details')
      const place = element('div', { class: 'panel-editor' })
      details.replaceChildren(heading, place)
      // Fetched with the first card: the board itself needs no editor.
      void import('../text-editor.ts').then(({ mountTextEditor }) => {
        if (card !== opened.id) return
        const label = `Details of the card, ${participant.seat} pane`
        editor = mountTextEditor(place, participant, { text, label, placeholder: 'More about this card…' })
      })
    },
    show(lists) {
      if (card === null) return
      const found = lists.flatMap(({ cards }) => cards).find(({ id }) => id === card)
      if (found === undefined) return shut()
      if (document.activeElement !== title) title.value = found.title
      for (const { id, chip } of toggles) chip.setAttribute('aria-pressed', String(found.labels.includes(id)))
      list.replaceChildren(...lists.map(({ id, title: name }) => element('option', { value: id }, name)))
      list.value = found.list
    }
  }
}
