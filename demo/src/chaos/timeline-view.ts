// The last minute as a picture: a bar for each second's edits, a mark for each kill and each comparison.
import { element } from '../dom.ts'
import { type Timeline, timelineMs } from './timeline.ts'

const drawMs = 250
/** So that two or three edits do not fill the height. */
const scaleMin = 10

export function timelineView(timeline: Timeline): HTMLElement {
  const bars = element('div', { class: 'bars' })
  const marks = element('div', { class: 'marks' })
  const rate = element('span', { class: 'rate' })
  const columns = Array.from({ length: timelineMs / 1000 }, () => element('i', {}))
  bars.append(...columns)
  let markCount = -1
  const draw = () => {
    const { perSecond, marks: made } = timeline.read()
    const most = Math.max(scaleMin, ...perSecond)
    for (const [at, column] of columns.entries()) {
      column.style.height = `${((perSecond[at] ?? 0) / most) * 100}%`
    }
    // The second under way is not over yet.
    const last = perSecond.slice(-6, -1)
    rate.textContent = `${(last.reduce((sum, each) => sum + each, 0) / last.length).toFixed(1)} edits/s`
    if (made.length > 0 || markCount !== 0) {
      markCount = made.length
      marks.replaceChildren(
        ...made.map(({ kind, agoMs }) => {
          const mark = element('span', { class: 'mark', 'data-mark': kind })
          mark.style.left = `${100 - (agoMs / timelineMs) * 100}%`
          return mark
        })
      )
    }
  }
  setInterval(() => {
    if (!document.hidden) draw()
  }, drawMs)
  draw()
  const legend = element(
    'p',
    { class: 'legend' },
    'The last minute',
    rate,
    element('span', { class: 'legend-mark', 'data-mark': 'kill' }, 'kill'),
    element('span', { class: 'legend-mark', 'data-mark': 'check' }, 'all equal')
  )
  const picture = element('div', { class: 'timeline-picture', 'aria-hidden': 'true' }, bars, marks)
  return element('div', { class: 'timeline' }, legend, picture)
}
