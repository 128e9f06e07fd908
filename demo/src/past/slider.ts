// The slider over the past: a native range over a band that shows who worked when, marks of named moments, and a button
// that plays it all.
import { element, icon } from '../dom.ts'
import { oncePerFrame } from '../frames.ts'
import type { Burst, Version } from './answers.ts'
import { durationWords, personOf, timeWords } from './authors.ts'
import { type Axis, burstsAt, shareOf, timeAt } from './axis.ts'
import type { Known, Past } from './past.ts'
import { Player } from './player.ts'

/** The band has a lane for each of so many people; the others share the last. */
const lanesMax = 4
const pausesShownMax = 200

const playIcon = 'M6 4v12l10-6z'
const stopIcon = 'M6 5h8v10H6z'

/** Makes the slider; it follows the past until the page is left. */
export function pastSlider(past: Past): HTMLElement {
  const band = element('div', { class: 'past-band', 'aria-hidden': 'true' })
  const marks = element('div', { class: 'past-marks', 'aria-hidden': 'true' })
  const range = element('input', {
    class: 'past-range',
    type: 'range',
    min: '0',
    max: '1',
    step: '1',
    'aria-label': 'Moment of the past'
  })
  const when = element('p', { class: 'past-when' })
  const showBand = oncePerFrame(() => {
    const known = past.known.value
    if (known === null) return
    band.replaceChildren(...pauseMarks(known.axis), ...lanes(known))
    marks.replaceChildren(...known.versions.map(version => versionMark(past, known.axis, version)))
  })
  const showPlace = oncePerFrame(() => {
    const known = past.known.value
    range.disabled = known === null
    if (known === null) return
    const { first, last } = known.axis
    Object.assign(range, { min: String(first), max: String(last), value: String(past.position.value) })
    const words = whenWords(known, past.position.value)
    range.setAttribute('aria-valuetext', words)
    when.textContent = words
  })
  past.known.watch(showBand)
  past.known.watch(showPlace)
  past.position.watch(showPlace)
  const player = new Player(past)
  range.addEventListener('input', () => {
    player.stop()
    void past.goTo(range.valueAsNumber)
  })
  const track = element('div', { class: 'past-track' }, band, marks, range)
  return element('div', { class: 'past-slider' }, playButton(past, player), track, when)
}

function playButton(past: Past, player: Player): HTMLElement {
  const button = element('button', { class: 'icon-button past-play', type: 'button' })
  button.addEventListener('click', () => {
    if (player.isPlaying.value) player.stop()
    else void player.play()
  })
  player.isPlaying.watch(isPlaying => {
    button.setAttribute('aria-label', isPlaying ? 'Stop' : 'Play the past')
    button.title = isPlaying ? 'Stop' : 'Play the past'
    button.replaceChildren(icon(isPlaying ? stopIcon : playIcon))
  })
  past.known.watch(known => {
    button.disabled = known === null || known.axis.last === known.axis.first
  })
  return button
}

/** A lane for each person, in the order in which they came; what they did as stretches in their colour. */
function lanes({ axis, people }: Known): HTMLElement[] {
  const byName = new Map<string, { color: string; bursts: Burst[] }>()
  for (const burst of axis.bursts) {
    const { name, color } = personOf(burst.author, people)
    const lane = byName.get(name) ?? { color, bursts: [] }
    lane.bursts.push(burst)
    byName.set(name, lane)
  }
  return [...byName.values()].flatMap(({ color, bursts }, index) =>
    bursts.map(burst => stretch(axis, burst, { color, lane: Math.min(index, lanesMax - 1) }))
  )
}

function stretch(axis: Axis, burst: Burst, { color, lane }: { color: string; lane: number }): HTMLElement {
  const from = shareOf(axis, burst.firstSequence - 1)
  const to = shareOf(axis, burst.lastSequence)
  const part = element('span', { class: 'past-stretch' })
  part.style.setProperty('--person', color)
  part.style.setProperty('--lane', String(lane))
  part.style.left = percent(from)
  part.style.width = percent(to - from)
  return part
}

function pauseMarks(axis: Axis): HTMLElement[] {
  return axis.pauses.slice(-pausesShownMax).map(({ afterSequence, ms }) => {
    const mark = element('span', { class: 'past-pause', title: `A pause of ${durationWords(ms)}` })
    mark.style.left = percent(shareOf(axis, afterSequence))
    return mark
  })
}

/** For the pointer; the list of named moments below is for everybody. */
function versionMark(past: Past, axis: Axis, { id, name, kind, sequence }: Version): HTMLElement {
  const mark = element('span', { class: 'past-mark', title: name, 'data-version': id, 'data-kind': kind })
  mark.style.left = percent(shareOf(axis, sequence))
  mark.addEventListener('click', () => void past.goTo(sequence))
  return mark
}

function whenWords(known: Known, position: number): string {
  const { axis, people } = known
  const timeMs = timeAt(axis, position)
  const time = timeMs === null ? 'The beginning' : timeWords(timeMs)
  if (position >= axis.last) return `Now · last change ${time}`
  const names = new Set(burstsAt(axis, position).map(({ author }) => personOf(author, people).name))
  if (names.size === 0) return time
  return `${time} · ${[...names].join(' and ')} at work`
}

function percent(share: number): string {
  return `${(share * 100).toFixed(3)}%`
}
