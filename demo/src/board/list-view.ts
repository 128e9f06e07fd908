// A list of the board: its title, its cards and the field that adds one.
import { arrange } from '../arrange.ts'
import { element, icon } from '../dom.ts'
import { type List, strayListId } from './model.ts'

export type ListView = {
  readonly root: HTMLElement
  show(list: List, cards: readonly HTMLElement[]): void
}

export type ListActions = { rename(title: string): void; remove(): void; add(title: string): void }

const crossIcon = 'M6 6l8 8M14 6l-8 8'
const titleLengthMax = 200

export function listView(id: string, { rename, remove, add }: ListActions): ListView {
  const title = element('input', { class: 'list-title', type: 'text', maxlength: String(titleLengthMax) })
  title.addEventListener('change', () => rename(title.value.trim() || 'List'))
  title.addEventListener('keydown', event => {
    if (event.key === 'Enter') title.blur()
  })
  const count = element('span', { class: 'list-count' })
  const removal = element('button', { class: 'list-remove', type: 'button' }, icon(crossIcon))
  removal.addEventListener('click', remove)
  const cards = element('ol', { class: 'board-cards' })
  const header = element('header', { class: 'list-header' }, title, count, removal)
  const form = addForm('Add a card', add)
  const root = element('li', { class: 'board-list', 'data-list': id }, header, cards, form)
  title.disabled = id === strayListId
  form.hidden = id === strayListId
  return {
    root,
    show(list, items) {
      if (document.activeElement !== title) title.value = list.title
      title.setAttribute('aria-label', `Title of the list ${list.title}`)
      cards.setAttribute('aria-label', list.title)
      form.querySelector('input')?.setAttribute('aria-label', `Add a card to ${list.title}`)
      removal.setAttribute('aria-label', `Remove the empty list ${list.title}`)
      removal.hidden = list.cards.length > 0 || id === strayListId
      count.hidden = list.cards.length === 0
      count.textContent = String(list.cards.length)
      arrange(cards, items)
    }
  }
}

/** A field that hands over what was entered, and is ready for the next one. */
export function addForm(label: string, add: (title: string) => void): HTMLFormElement {
  const field = element('input', {
    type: 'text',
    placeholder: `${label}…`,
    'aria-label': label,
    maxlength: String(titleLengthMax),
    enterkeyhint: 'done'
  })
  const form = element('form', { class: 'add-form' }, field)
  form.addEventListener('submit', event => {
    event.preventDefault()
    const title = field.value.trim()
    if (title === '') return
    field.value = ''
    add(title)
  })
  return form
}
