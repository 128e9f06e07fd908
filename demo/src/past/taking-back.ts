// The Restore button, and one for each person whose edits since the moment can be taken back, with what they will do.
import { element } from '../dom.ts'
import { avatar } from '../presence.ts'
import { timeWords } from './authors.ts'
import { timeAt } from './axis.ts'
import { activeAfter, type Past } from './past.ts'
import type { Report } from './report.ts'

const peopleMax = 6

const promise =
  'The text becomes what it was then, as one ordinary edit: everybody sees it at once, and words that are still on ' +
  'their way stay. The text before it gets a mark, so a restore can be restored.'

/** Makes the buttons; they follow the past until the page is left. */
export function takingBack(past: Past, report: Report): HTMLElement {
  const restore = element(
    'button',
    { class: 'button primary past-restore', type: 'button' },
    'Restore this moment'
  )
  const undo = element('div', { class: 'past-undo' })
  const show = () => {
    const known = past.known.value
    restore.disabled = known === null || past.position.value >= known.axis.last
    const isThere = showUndo(undo, past, report)
    undo.hidden = !isThere
  }
  past.known.watch(show)
  past.position.watch(show)
  restore.addEventListener('click', () => {
    const timeMs = past.known.value === null ? null : timeAt(past.known.value.axis, past.position.value)
    const time = timeMs === null ? 'the beginning' : timeWords(timeMs)
    report.during(restore, async () =>
      (await past.restore())
        ? `The text is again what it was at ${time}. The text before that has a mark.`
        : 'The text is the same already: there was nothing to restore.'
    )
  })
  return element(
    'div',
    { class: 'past-taking-back' },
    restore,
    element('p', { class: 'past-promise' }, promise),
    undo
  )
}

/** False: there is nobody. A button that has the focus stays, as long as its person does. */
function showUndo(root: HTMLElement, past: Past, report: Report): boolean {
  const known = past.known.value
  const active = known === null ? [] : [...activeAfter(known, past.position.value)].slice(0, peopleMax)
  const key = JSON.stringify(active)
  if (root.dataset.shown === key) return active.length > 0
  root.dataset.shown = key
  const focused = document.activeElement?.getAttribute('data-person')
  const buttons = active.map(([person, connections]) => {
    const button = element('button', {
      class: 'button past-undo-person',
      type: 'button',
      'data-person': person.name
    })
    button.append(avatar(person), person.name)
    button.addEventListener('click', () =>
      report.during(button, async () =>
        (await past.undo(connections))
          ? `What ${person.name} did since then is taken back. The others’ words stay.`
          : `Nothing that ${person.name} did since then is left.`
      )
    )
    return button
  })
  root.replaceChildren(
    element('span', { class: 'past-undo-label' }, 'Take back what one person did since then:'),
    ...buttons
  )
  buttons.find(each => each.getAttribute('data-person') === focused)?.focus()
  return active.length > 0
}
