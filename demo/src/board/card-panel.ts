// A card opened: title, labels, list and the details, which everybody who has it open writes together.
import { element, icon } from '../dom.ts'
import type { Participant } from '../participant.ts'
import type { TextEditor } from '../text-editor.ts'
import { labels } from './labels.ts'
import { type Board, type Card, type List, moveCard, removeCard, setCardTitle, toggleLabel } from './model.ts'

export type CardPanel = {
  readonly root: HTMLElement
  open(card: Card): void
  /** Brings the open card up to date; closes when it is gone. */
  show(lists: readonly List[]): void
}

const crossIcon = 'M5 5l10 10M15 5 5 15'

/** Makes the panel, closed; `closed` is called with the card that was open. */
export function cardPanel(participant: Participant, board: Board, closed: (card: string) => void): CardPanel {
  let card: string | null = null
  const details = detailsField(participant)
  const fields = panelFields(board, () => card)
  const close = element(
    'button',
    { class: 'icon-button', type: 'button', 'aria-label': 'Close the card' },
    icon(crossIcon)
  )
  const root = element(
    'div',
    { class: 'card-panel', role: 'dialog', 'aria-label': 'Card', hidden: true },
    element('div', { class: 'panel-head' }, fields.title, close),
    fields.labels,
    details.root,
    fields.foot
  )
  const shut = () => {
    if (card === null) return
    const was = card
    card = null
    details.close()
    root.hidden = true
    closed(was)
  }
  close.addEventListener('click', shut)
  root.addEventListener('keydown', event => {
    if (event.key !== 'Escape') return
    event.stopPropagation()
    shut()
  })
  return {
    root,
    open(opened) {
      shut()
      card = opened.id
      root.hidden = false
      fields.title.value = opened.title
      fields.title.focus()
      details.open(opened)
    },
    show(lists) {
      if (card === null) return
      const found = lists.flatMap(({ cards }) => cards).find(({ id }) => id === card)
      if (found === undefined) shut()
      else fields.show(found, lists)
    }
  }
}

/** What of a card is chosen or entered; `current` says which card that is. */
function panelFields(board: Board, current: () => string | null) {
  const change = (act: (card: string) => void) => () => {
    const card = current()
    if (card !== null) act(card)
  }
  const title = titleField(words => change(card => setCardTitle(board, card, words))())
  const toggles = labels.map(({ id, name, color }) => {
    const chip = element('button', { class: 'label-chip', type: 'button', 'aria-pressed': 'false' }, name)
    chip.style.setProperty('--label', color)
    chip.addEventListener(
      'click',
      change(card => toggleLabel(board, card, id))
    )
    return { id, chip }
  })
  const list = element('select', { class: 'field' })
  list.addEventListener(
    'change',
    change(card => moveCard(board, card, { list: list.value, before: null }))
  )
  const remove = element('button', { class: 'button', type: 'button' }, 'Delete card')
  remove.addEventListener(
    'click',
    change(card => removeCard(board, card))
  )
  const move = element('label', { class: 'panel-move' }, element('span', {}, 'List'), list)
  return {
    title,
    labels: element(
      'div',
      { class: 'panel-labels', role: 'group', 'aria-label': 'Labels' },
      ...toggles.map(({ chip }) => chip)
    ),
    foot: element('div', { class: 'panel-foot' }, move, remove),
    show(card: Card, lists: readonly List[]) {
      if (document.activeElement !== title) title.value = card.title
      for (const { id, chip } of toggles) chip.setAttribute('aria-pressed', String(card.labels.includes(id)))
      list.replaceChildren(...lists.map(each => element('option', { value: each.id }, each.title)))
      list.value = card.list
    }
  }
}

/** One line, however it wraps. */
function titleField(entered: (words: string) => void): HTMLTextAreaElement {
  const title = element('textarea', {
    class: 'panel-title field',
    rows: '2',
    'aria-label': 'Title of the card'
  })
  title.addEventListener('input', () => {
    const words = title.value.replaceAll('\n', ' ').trim()
    if (words !== '') entered(words)
  })
  title.addEventListener('keydown', event => {
    if (event.key === 'Enter') event.preventDefault()
  })
  return title
}

function detailsField(participant: Participant) {
  const root = element('div', { class: 'panel-details' })
  let opened: string | null = null
  let editor: TextEditor | null = null
  return {
    root,
    open({ id, details: text }: Card) {
      opened = id
      if (text === null) return
      const heading = element('p', { class: 'panel-heading', 'aria-hidden': 'true' }, 'Details')
      const place = element('div', { class: 'panel-editor' })
      root.replaceChildren(heading, place)
      const options = {
        text,
        label: `Details of the card, ${participant.seat} pane`,
        placeholder: 'More about this card…'
      }
      // Fetched with the first card: the board itself needs no editor.
      void import('../text-editor.ts').then(({ mountTextEditor }) => {
        if (opened === id) editor = mountTextEditor(place, participant, options)
      })
    },
    close() {
      opened = null
      editor?.destroy()
      editor = null
      root.replaceChildren()
    }
  }
}
