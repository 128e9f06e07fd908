// The hand that draws: mouse, finger, pen or keyboard, turned into points of strokes.
import { canvasSize, type Stroke } from './model.ts'
import type { Point } from './pointers.ts'

export type PenListeners = {
  /** Begins a stroke and returns what takes its points. */
  begun(stride: Stroke['stride']): (numbers: readonly number[]) => void
  moved(point: Point | null): void
}

type Line = {
  readonly add: (numbers: readonly number[]) => void
  readonly stride: Stroke['stride']
  last: Point
}

/** Two points closer than this many units look like one. */
const distanceMin = 1.5
const keyStep = { fine: 10, coarse: 50 } as const
const arrows: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1]
}

/** Follows pointers on `surface`; every finger draws a line of its own. */
export function followPointers(surface: HTMLElement, { begun, moved }: PenListeners): void {
  const lines = new Map<number, Line>()

  surface.addEventListener('pointerdown', event => {
    if (event.button !== 0) return
    surface.setPointerCapture(event.pointerId)
    const stride = event.pointerType === 'pen' ? 3 : 2
    const point = pointOf(surface, event)
    const line: Line = { add: begun(stride), stride, last: point }
    line.add(numbersOf(point, { event, stride }))
    lines.set(event.pointerId, line)
  })
  surface.addEventListener('pointermove', event => {
    moved(pointOf(surface, event))
    const line = lines.get(event.pointerId)
    if (line === undefined) return
    // All positions since the last event, where the browser tells them: fast curves stay round.
    const samples = event.getCoalescedEvents()
    const numbers = (samples.length > 0 ? samples : [event]).flatMap(sample => {
      const point = pointOf(surface, sample)
      if (Math.hypot(point.x - line.last.x, point.y - line.last.y) < distanceMin) return []
      line.last = point
      return numbersOf(point, { event: sample, stride: line.stride })
    })
    if (numbers.length > 0) line.add(numbers)
  })
  for (const end of ['pointerup', 'pointercancel'] as const) {
    surface.addEventListener(end, event => {
      lines.delete(event.pointerId)
      if (event.pointerType === 'touch') moved(null)
    })
  }
  surface.addEventListener('pointerleave', () => moved(null))
}

/** The arrows move a point, Shift in larger steps; Space sets the pen down and lifts it. */
export function followKeys(surface: HTMLElement, { begun, moved }: PenListeners): void {
  let at: Point = { x: canvasSize.width / 2, y: canvasSize.height / 2 }
  let add: PenListeners['begun'] extends (stride: never) => infer Add ? Add | null : never = null
  const show = () => {
    surface.style.setProperty('--key-x', String(at.x / canvasSize.width))
    surface.style.setProperty('--key-y', String(at.y / canvasSize.height))
    surface.dataset.keyPen = add === null ? 'up' : 'down'
    moved(at)
  }
  surface.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const direction = arrows[event.key]
    if (event.key === ' ') {
      add = add === null ? begun(2) : null
      add?.([at.x, at.y])
    } else if (direction !== undefined) {
      const step = event.shiftKey ? keyStep.coarse : keyStep.fine
      at = inside({ x: at.x + direction[0] * step, y: at.y + direction[1] * step })
      add?.([at.x, at.y])
    } else return
    event.preventDefault()
    show()
  })
  surface.addEventListener('blur', () => {
    add = null
    delete surface.dataset.keyPen
    moved(null)
  })
}

function numbersOf(
  { x, y }: Point,
  { event, stride }: { event: PointerEvent; stride: Stroke['stride'] }
): number[] {
  return stride === 2 ? [x, y] : [x, y, Math.round(event.pressure * 100)]
}

function pointOf(surface: HTMLElement, event: PointerEvent): Point {
  const { left, top, width, height } = surface.getBoundingClientRect()
  return inside({
    x: Math.round(((event.clientX - left) / width) * canvasSize.width),
    y: Math.round(((event.clientY - top) / height) * canvasSize.height)
  })
}

function inside({ x, y }: Point): Point {
  return { x: Math.min(Math.max(x, 0), canvasSize.width), y: Math.min(Math.max(y, 0), canvasSize.height) }
}
