// The line between the two panes, through the server: which halves are cut, what is passing, and whether both
// replicas hold the same.
import type * as Y from 'yjs'
import { element } from './dom.ts'
import { atMostEvery } from './frames.ts'
import type { Participant } from './participant.ts'
import { avatar } from './presence.ts'

/** What the pages compare: equal texts mean equal replicas, as a reader would check it. */
export type ContentOf = (doc: Y.Doc) => string

type Half = { readonly root: HTMLElement; pulse(direction: 'in' | 'out'): void }

const pulseMs = 420
/** Comparing costs a pass over both documents. */
const compareIntervalMs = 100

/** Builds the strip; `contentOf` is asked a few times a second while something changes. */
export function linkStrip(left: Participant, right: Participant, contentOf: ContentOf): HTMLElement {
  const verdict = element('span', { class: 'strip-verdict', role: 'status' })
  const hub = element(
    'div',
    { class: 'strip-hub' },
    element('span', { class: 'strip-server' }, 'server'),
    verdict
  )
  const root = element('div', { class: 'strip' }, half(left).root, hub, half(right).root)
  const show = atMostEvery(compareIntervalMs, () => {
    const isEqual = contentOf(left.doc) === contentOf(right.doc)
    const isWhole = [left, right].every(({ connection }) => connection.value.phase === 'online')
    root.dataset.verdict = isEqual ? 'equal' : 'different'
    const words = isEqual ? 'both sides equal' : isWhole ? 'syncing…' : 'two versions'
    if (verdict.textContent !== words) verdict.textContent = words
  })
  for (const participant of [left, right]) {
    participant.doc.on('update', show)
    participant.connection.watch(show)
  }
  return root
}

function half(participant: Participant): Half {
  const line = element('span', { class: 'strip-line' })
  const root = element('div', { class: 'strip-half', 'data-seat': participant.seat, 'aria-hidden': 'true' })
  participant.person.watch(person => {
    root.style.setProperty('--person', person.color)
    root.replaceChildren(avatar(person), line)
  })
  participant.connection.watch(({ phase }) => {
    root.dataset.connection = phase
  })
  const pulse = pulser(line, participant.seat)
  participant.doc.on('update', (_update: Uint8Array, origin: unknown) => {
    if (participant.connection.value.phase !== 'online') return
    pulse(origin === participant.remoteOrigin ? 'in' : 'out')
  })
  return { root, pulse }
}

/** A dot that runs along the line for an update; one at a time per direction, none for who asked for stillness. */
function pulser(line: HTMLElement, seat: Participant['seat']): Half['pulse'] {
  const stillness = matchMedia('(prefers-reduced-motion: reduce)')
  const running = new Set<'in' | 'out'>()
  return direction => {
    if (stillness.matches || running.has(direction)) return
    running.add(direction)
    const dot = element('span', { class: 'strip-pulse' })
    line.append(dot)
    const isRightward = (seat === 'left') === (direction === 'out')
    const path = isRightward ? ['0%', '100%'] : ['100%', '0%']
    const animation = dot.animate({ left: path }, { duration: pulseMs, easing: 'ease-in-out' })
    animation.onfinish = () => {
      dot.remove()
      running.delete(direction)
    }
  }
}
