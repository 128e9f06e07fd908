// With what the moment is compared, and whether what was removed is shown.
import { element } from '../dom.ts'
import { timeWords } from './authors.ts'
import { timeAt } from './axis.ts'
import type { Comparison, Known, Past } from './past.ts'
import type { TextView } from './text-view.ts'

/** Makes the controls; they follow the past until the page is left. */
export function comparing(past: Past, view: TextView): HTMLElement {
  const select = element('select', { class: 'field past-select', id: 'past-compare' })
  const removed = element('input', { type: 'checkbox', id: 'past-removed', checked: true })
  const words = element('p', { class: 'past-compared' })
  let shown = ''
  const show = () => {
    const options = optionsOf(past.known.value)
    const key = JSON.stringify(options)
    // A list that is open must not change for nothing.
    if (key !== shown) {
      shown = key
      select.replaceChildren(...options.map(([value, label]) => element('option', { value }, label)))
    }
    select.value = past.comparison.value
    removed.disabled = past.comparison.value === 'nothing'
  }
  past.known.watch(show)
  past.comparison.watch(show)
  const explain = () => {
    words.textContent = comparedWords(past)
  }
  past.shown.watch(explain)
  past.comparison.watch(explain)
  select.addEventListener('change', () => void past.compareWith(comparisonOf(select.value)))
  const showRemoved = () => view.setRemoved(removed.checked ? 'shown' : 'hidden')
  removed.addEventListener('change', showRemoved)
  showRemoved()
  return element(
    'div',
    { class: 'past-comparing' },
    element('label', { for: 'past-compare' }, 'Compare with'),
    select,
    element('label', { class: 'past-check', for: 'past-removed' }, removed, 'Strike out what was removed'),
    words
  )
}

function optionsOf(known: Known | null): [Comparison, string][] {
  const versions = known?.versions ?? []
  return [
    ['nothing', 'Nothing: show who wrote what'],
    ['now', 'Now'],
    ['pause', 'The last pause before it'],
    ...versions.map(({ id, name, timeMs }): [Comparison, string] => [
      `version:${id}`,
      `${name} (${timeWords(timeMs)})`
    ])
  ]
}

function comparisonOf(value: string): Comparison {
  if (value === 'now' || value === 'pause') return value
  return value.startsWith('version:') ? `version:${value.slice('version:'.length)}` : 'nothing'
}

function comparedWords(past: Past): string {
  const known = past.known.value
  const question = past.shown.value?.question
  if (known === null || question === undefined || question.from === null) return ''
  if (question.from === question.to) return 'Both are the same moment.'
  const [from, to] = [question.from, question.to].map(sequence => {
    if (sequence >= known.axis.last) return 'now'
    const timeMs = timeAt(known.axis, sequence)
    return timeMs === null ? 'the beginning' : timeWords(timeMs)
  })
  return `What changed from ${from} to ${to}.`
}
