// The moments that have a name: a list to go to them, and a form to name the one that is looked at.
import { element, icon } from '../dom.ts'
import type { Version } from './answers.ts'
import { timeWords } from './authors.ts'
import type { Past } from './past.ts'
import type { Report } from './report.ts'

const nameLengthMax = 60
const versionsShownMax = 50
const crossIcon = 'M5 5l10 10M15 5 5 15'

/** Makes the list and the form; they follow the past until the page is left. */
export function versionList(past: Past, report: Report): HTMLElement {
  const list = element('ul', { class: 'past-versions', 'aria-label': 'Named moments' })
  let shown = ''
  past.known.watch(known => {
    const versions = known?.versions.slice(-versionsShownMax) ?? []
    const key = JSON.stringify(versions)
    if (key === shown) return
    shown = key
    list.replaceChildren(...versions.map(version => versionItem(past, report, version)))
  })
  return element('div', { class: 'past-naming' }, namingForm(past, report), list)
}

function versionItem(past: Past, report: Report, { id, name, kind, sequence, timeMs }: Version): HTMLElement {
  const go = element('button', { class: 'past-version-name', type: 'button', title: timeWords(timeMs) }, name)
  go.addEventListener('click', () => void past.goTo(sequence))
  const item = element('li', { class: 'past-version', 'data-version': id, 'data-kind': kind }, go)
  const drop = element(
    'button',
    { class: 'past-version-drop', type: 'button', 'aria-label': `Remove the name “${name}”` },
    icon(crossIcon)
  )
  drop.addEventListener('click', () =>
    report.during(drop, () => past.unname(id).then(() => `“${name}” is not marked any more.`))
  )
  item.append(drop)
  return item
}

function namingForm(past: Past, report: Report): HTMLElement {
  const field = element('input', {
    class: 'field past-name',
    type: 'text',
    maxlength: String(nameLengthMax),
    placeholder: 'A name for this moment',
    'aria-label': 'A name for this moment',
    autocomplete: 'off'
  })
  const button = element('button', { class: 'button', type: 'submit' }, 'Name this moment')
  const form = element('form', { class: 'past-name-form' }, field, button)
  past.known.watch(known => {
    button.disabled = known === null
  })
  form.addEventListener('submit', event => {
    event.preventDefault()
    const name = field.value.trim()
    if (name === '') {
      field.focus()
      return report.say('Type a name first: “First draft”, for example.')
    }
    report.during(button, async () => {
      await past.name(name)
      field.value = ''
      return `This moment is called “${name}” now. It is a mark on the slider.`
    })
  })
  return form
}
