// The text of a moment: who wrote each piece in their colour, and, when moments are compared, what came and what went.
// Whoever points at a piece, or walks to it with the arrow keys, is told who did it and when.
import { element } from '../dom.ts'
import type { Person } from '../person.ts'
import type { Piece } from './answers.ts'
import { personOf, timeWords } from './authors.ts'
import type { Past, Shown } from './past.ts'

/** A text in more pieces is shown up to there. */
const piecesMax = 4_000
/** What one person wrote without a longer break is one piece. */
const breakMs = 5_000

/** What is shown of some pieces that belong together. */
type Passage = {
  readonly change: Piece['change']
  readonly person: Person
  readonly timeMs: number | null
  readonly text: string
}

export type TextView = {
  readonly root: HTMLElement
  /** Whether what was removed is shown, struck through. */
  setRemoved(visibility: 'shown' | 'hidden'): void
}

/** Makes the view; it follows the past until the page is left. */
export function textView(past: Past): TextView {
  const text = element('div', {
    class: 'past-text',
    role: 'region',
    tabindex: '0',
    'aria-label': 'The text at that moment',
    'aria-describedby': 'past-text-hint'
  })
  const tag = element('p', { class: 'past-tag', role: 'status', hidden: true })
  const hint = element(
    'p',
    { id: 'past-text-hint', class: 'visually-hidden' },
    'Left and right arrow keys go through who wrote what.'
  )
  const root = element('div', { class: 'past-text-frame' }, text, tag, hint)
  const pointing = new Pointing(text, tag)
  const show = (shown: Shown | null) => {
    if (shown === null) return
    pointing.clear()
    const people = past.known.value?.people ?? new Map<string, Person>()
    text.dataset.compares = String(shown.question.from !== null)
    const passages = passagesOf(shown.difference.pieces, people)
    text.replaceChildren(...passages.map(passageElement))
    if (passages.length >= piecesMax) text.append(element('span', { class: 'past-empty' }, ' … and more.'))
    if (passages.length === 0)
      text.append(element('span', { class: 'past-empty' }, 'Nothing had been written.'))
  }
  past.shown.watch(show)
  // People sign after their first word.
  past.known.watch(() => show(past.shown.value))
  return {
    root,
    setRemoved(visibility) {
      text.dataset.removed = visibility
      pointing.clear()
    }
  }
}

function passagesOf(pieces: readonly Piece[], people: ReadonlyMap<string, Person>): Passage[] {
  const passages: Passage[] = []
  for (const { change, by, text } of pieces) {
    if (text === undefined || text === '') continue
    const passage = { change, person: personOf(by?.author, people), timeMs: by?.timeMs ?? null, text }
    const last = passages.at(-1)
    if (last !== undefined && belongTogether(last, passage)) {
      passages[passages.length - 1] = { ...last, text: last.text + text, timeMs: passage.timeMs }
    } else if (passages.push(passage) >= piecesMax) break
  }
  return passages
}

function belongTogether(a: Passage, b: Passage): boolean {
  if (a.change !== b.change || a.person.name !== b.person.name || a.person.color !== b.person.color)
    return false
  return Math.abs((a.timeMs ?? 0) - (b.timeMs ?? 0)) <= breakMs
}

const tags = { kept: 'span', formatted: 'span', added: 'ins', removed: 'del' } as const
const deeds = {
  kept: 'wrote this',
  formatted: 'formatted this',
  added: 'added this',
  removed: 'removed this'
}

function passageElement({ change, person, timeMs, text }: Passage): HTMLElement {
  const words = element(tags[change], { class: 'past-passage' }, text)
  words.style.setProperty('--person', person.color)
  words.dataset.author = person.name
  const time = timeMs === null ? '' : ` · ${timeWords(timeMs)}`
  words.dataset.words = `${person.name} ${deeds[change]}${time}`
  return words
}

/** Which passage is pointed at, and the tag beside it. */
class Pointing {
  readonly #text: HTMLElement
  readonly #tag: HTMLElement
  #at: HTMLElement | null = null

  constructor(text: HTMLElement, tag: HTMLElement) {
    this.#text = text
    this.#tag = tag
    text.addEventListener('pointermove', ({ target }) => this.#point(passageAt(target)))
    // On a touch screen.
    text.addEventListener('click', ({ target }) => this.#point(passageAt(target)))
    text.addEventListener('pointerleave', () => this.clear())
    text.addEventListener('scroll', () => this.clear())
    text.addEventListener('blur', () => this.clear())
    new ResizeObserver(() => this.clear()).observe(text)
    text.addEventListener('keydown', event => this.#walk(event))
  }

  clear(): void {
    this.#point(null)
  }

  #walk(event: KeyboardEvent): void {
    if (event.key === 'Escape') return this.clear()
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
    const all = [...this.#text.querySelectorAll<HTMLElement>('.past-passage')].filter(
      each => each.getClientRects().length > 0
    )
    const step = event.key === 'ArrowRight' ? 1 : -1
    const from = this.#at === null ? (step === 1 ? -1 : all.length) : all.indexOf(this.#at)
    const next = all[Math.min(all.length - 1, Math.max(0, from + step))]
    if (next === undefined) return
    event.preventDefault()
    next.scrollIntoView({ block: 'nearest' })
    // Scrolling clears what was pointed at, and says so after this.
    requestAnimationFrame(() => this.#point(next))
  }

  #point(passage: HTMLElement | null): void {
    if (passage === this.#at) return
    this.#at?.removeAttribute('data-pointed')
    this.#at = passage
    this.#tag.hidden = passage === null
    if (passage === null) return
    passage.setAttribute('data-pointed', '')
    this.#tag.textContent = passage.dataset.words ?? ''
    this.#tag.style.setProperty('--person', passage.style.getPropertyValue('--person'))
    this.#place(passage)
  }

  /** Above the first line of the passage, or below it where there is no room. */
  #place(passage: HTMLElement): void {
    const frame = this.#text.getBoundingClientRect()
    const line = passage.getClientRects()[0] ?? frame
    const { offsetHeight: height, offsetWidth: width } = this.#tag
    const isRoomAbove = line.top - frame.top >= height
    const top = isRoomAbove ? line.top - frame.top - height : line.bottom - frame.top
    const left = Math.max(0, Math.min(line.left - frame.left, frame.width - width - 8))
    this.#tag.style.top = `${top}px`
    this.#tag.style.left = `${left}px`
  }
}

function passageAt(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('.past-passage') : null
}
