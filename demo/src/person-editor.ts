// The name and colour of the person at a pane, editable in place.
import { element } from './dom.ts'
import type { Participant } from './participant.ts'
import { nameLengthMax, personColors } from './person.ts'
import { avatar } from './presence.ts'

/** Makes the avatar button with its colour menu, and the name field. */
export function personEditor(participant: Participant): HTMLElement {
  return element('div', { class: 'person' }, colorMenu(participant), nameField(participant))
}

function nameField({ person, introduce, seat }: Participant): HTMLElement {
  const field = element('input', {
    class: 'person-name',
    type: 'text',
    maxlength: String(nameLengthMax),
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-label': `Name of the person in the ${seat} pane`
  })
  field.addEventListener('input', () => {
    const name = field.value.trim()
    if (name !== '') introduce({ ...person.value, name })
  })
  // An emptied field goes back to the last name: nobody is nameless.
  field.addEventListener('change', () => {
    field.value = person.value.name
  })
  field.addEventListener('keydown', event => {
    if (event.key === 'Enter') field.blur()
  })
  field.value = person.value.name
  return field
}

function colorMenu({ person, introduce, seat }: Participant): HTMLElement {
  const button = element('button', {
    class: 'person-color',
    type: 'button',
    'aria-expanded': 'false',
    'aria-label': `Colour of the person in the ${seat} pane`
  })
  const options = personColors.map(({ name, color }) => colorOption({ name, color, group: `color-${seat}` }))
  const menu = element(
    'fieldset',
    { class: 'color-menu', hidden: true },
    element('legend', { class: 'visually-hidden' }, 'Colour'),
    ...options.map(option => option.label)
  )
  const root = element('div', { class: 'color-picker' }, button, menu)
  const setOpen = (isOpen: boolean) => {
    menu.hidden = !isOpen
    button.setAttribute('aria-expanded', String(isOpen))
  }
  button.addEventListener('click', () => setOpen(menu.hidden === true))
  menu.addEventListener('change', event => {
    if (event.target instanceof HTMLInputElement) introduce({ ...person.value, color: event.target.value })
  })
  closeOnLeaving(root, () => {
    if (menu.contains(document.activeElement)) button.focus()
    setOpen(false)
  })
  person.watch(shown => {
    button.replaceChildren(avatar(shown))
    for (const { input } of options) input.checked = input.value === shown.color
  })
  return root
}

function colorOption({ name, color, group }: { name: string; color: string; group: string }) {
  const input = element('input', { type: 'radio', name: group, value: color, 'aria-label': name })
  const label = element('label', { class: 'color-option', title: name }, input)
  label.style.setProperty('--person', color)
  return { input, label }
}

/** Escape, or a press or a focus elsewhere, closes a menu. */
function closeOnLeaving(root: HTMLElement, close: () => void): void {
  root.addEventListener('keydown', event => {
    if (event.key === 'Escape') close()
  })
  document.addEventListener('pointerdown', event => {
    if (event.target instanceof Node && !root.contains(event.target)) close()
  })
  root.addEventListener('focusout', event => {
    if (event.relatedTarget instanceof Node && !root.contains(event.relatedTarget)) close()
  })
}
