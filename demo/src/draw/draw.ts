// The canvas of one pane: tools above, ink, the others' pointers, and the hand.
import { element, icon } from '../dom.ts'
import { oncePerFrame } from '../frames.ts'
import type { Participant } from '../participant.ts'
import { undoButtons } from '../undo-buttons.ts'
import { Ink } from './ink.ts'
import { type Canvas, openCanvas, type Stroke, strokeColors, strokeWidths } from './model.ts'
import { followKeys, followPointers } from './pen.ts'
import { announcePointer, type Point, pointerLayer } from './pointers.ts'
import { toolFields } from './tools.ts'

const clearIcon = 'M4 6h12M8 6V4h4v2M6 6l.7 10h6.600L14 6'

/** Builds the canvas inside `body`; it lives as long as the page. */
export function mountCanvas(participant: Participant, body: HTMLElement): void {
  const { doc, seat } = participant
  const canvas = openCanvas(doc)
  const paintSoon = oncePerFrame(() => ink.paint())
  const ink = new Ink(canvas.strokes, paintSoon)
  const first = { color: strokeColors[seat === 'left' ? 1 : 2].id, width: strokeWidths[1].value }
  const { fields, tool } = toolFields(seat, first)
  const clear = element(
    'button',
    { class: 'icon-button', type: 'button', 'aria-label': 'Clear the canvas', title: 'Clear the canvas' },
    icon(clearIcon)
  )
  clear.addEventListener('click', () => canvas.clear())
  const bar = element('div', { class: 'draw-bar' }, ...fields, ...undoButtons(body, canvas.undo), clear)
  const surface = element(
    'div',
    {
      class: 'draw-surface',
      tabindex: '0',
      role: 'application',
      'aria-label': `Shared canvas, ${seat} pane. Arrow keys move the pen, Space sets it down and lifts it.`
    },
    ink.element,
    invitation(canvas),
    pointerLayer(participant)
  )
  body.append(element('div', { class: 'draw' }, bar, element('div', { class: 'draw-room' }, surface)))

  const hand = {
    begun: (stride: Stroke['stride']) => perFrame(canvas.begin({ ...tool.value, stride })),
    moved: lastPerFrame(point => announcePointer(participant, point))
  }
  followPointers(surface, hand)
  followKeys(surface, hand)
  new ResizeObserver(() => ink.refresh()).observe(ink.element)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => ink.refresh())
  new MutationObserver(() => ink.refresh()).observe(document.documentElement, {
    attributeFilter: ['data-theme']
  })
}

/** What an empty sheet says, until somebody draws on it; the surface itself is labelled for those who do not see it. */
function invitation({ strokes }: Canvas): HTMLElement {
  const words = element('p', {}, 'Draw here, with a mouse, a finger or a pen.')
  const root = element('div', { class: 'draw-empty', 'aria-hidden': 'true' }, words)
  const show = () => {
    root.hidden = strokes.length > 0
  }
  strokes.observe(show)
  show()
  return root
}

/** Points of one frame leave as one update. */
function perFrame(add: (numbers: readonly number[]) => void): (numbers: readonly number[]) => void {
  let waiting: number[] = []
  const flush = oncePerFrame(() => {
    add(waiting)
    waiting = []
  })
  return numbers => {
    waiting.push(...numbers)
    flush()
  }
}

function lastPerFrame(act: (point: Point | null) => void): (point: Point | null) => void {
  let last: Point | null = null
  const flush = oncePerFrame(() => act(last))
  return point => {
    last = point
    flush()
  }
}
