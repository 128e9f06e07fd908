// Strokes on a bitmap. A stroke that grows is drawn on from where it ended; only what was removed is drawn anew, and
// only where it was. So the cost follows what changes, not how much there is.
import * as Y from 'yjs'
import { canvasSize, readStroke, type Stroke, type StrokeEntry } from './model.ts'

type Box = { left: number; top: number; right: number; bottom: number }

type Shape = Stroke & {
  readonly points: number[]
  readonly box: Box
  /** How many points are on the bitmap. */
  drawn: number
}

export type Ink = {
  readonly element: HTMLCanvasElement
  /** Draws what has changed since the last time. */
  paint(): void
  /** The element has another size, or the page another theme: everything is drawn anew. */
  refresh(): void
}

/** Makes the bitmap and follows `strokes`; `changed` is called when there is something to paint. */
export function createInk(strokes: Y.Array<StrokeEntry>, changed: () => void): Ink {
  const element = document.createElement('canvas')
  const context = element.getContext('2d', { alpha: true })
  if (context === null) throw new Error('this browser has no canvas')
  const shapes = new Map<StrokeEntry, Shape>()
  let ordered: Shape[] = []
  let dirty: Box | null = null
  let scale = 0
  let inkColor = ''

  strokes.observeDeep(events => {
    let isListChanged = false
    for (const event of events) {
      if (event.target === strokes) isListChanged = true
      else if (event.target instanceof Y.Array && event.target.parent instanceof Y.Map) grow(event.target)
    }
    if (isListChanged) list()
    changed()
  })

  /** Points are only ever added at the end. */
  function grow(points: Y.Array<number>): void {
    const shape = shapes.get(points.parent as StrokeEntry)
    if (shape !== undefined) addPoints(shape, points.slice(shape.points.length))
  }

  function list(): void {
    const present = new Set<Shape>()
    ordered = strokes.map(entry => {
      const shape = shapes.get(entry) ?? newShape(entry)
      shapes.set(entry, shape)
      present.add(shape)
      return shape
    })
    for (const [entry, shape] of shapes) {
      if (present.has(shape)) continue
      shapes.delete(entry)
      dirty = union(dirty, shape.box)
    }
    // What comes in beneath something that is drawn already: the place is drawn anew, in order.
    const last = ordered.findLastIndex(({ drawn }) => drawn > 0)
    for (const shape of ordered.slice(0, Math.max(0, last))) {
      if (shape.drawn === 0) dirty = union(dirty, shape.box)
    }
  }

  function paint(): void {
    if (context === null || scale === 0) return
    if (dirty !== null) {
      const box = dirty
      dirty = null
      context.save()
      context.beginPath()
      context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top)
      context.clip()
      context.clearRect(box.left, box.top, box.right - box.left, box.bottom - box.top)
      for (const shape of ordered) if (touches(shape.box, box)) draw(context, shape, { from: 0, inkColor })
      context.restore()
    }
    for (const shape of ordered) {
      const count = shape.points.length / shape.stride
      if (shape.drawn >= count) continue
      draw(context, shape, { from: shape.drawn, inkColor })
      shape.drawn = count
    }
  }

  function refresh(): void {
    const width = Math.round(element.clientWidth * devicePixelRatio)
    inkColor = getComputedStyle(element).color
    if (width === 0 || context === null) return
    scale = width / canvasSize.width
    element.width = width
    element.height = Math.round(canvasSize.height * scale)
    context.setTransform(scale, 0, 0, scale, 0, 0)
    context.lineCap = 'round'
    context.lineJoin = 'round'
    dirty = null
    for (const shape of ordered) shape.drawn = 0
    paint()
  }

  list()
  return { element, paint, refresh }
}

function newShape(entry: StrokeEntry): Shape {
  const { points, ...stroke } = readStroke(entry)
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity }
  const shape: Shape = { ...stroke, points: [], box, drawn: 0 }
  addPoints(shape, points?.toArray() ?? [])
  return shape
}

function addPoints({ points, box, stride, width }: Shape, numbers: readonly unknown[]): void {
  const reach = width + 2
  for (let at = 0; at + stride <= numbers.length; at += stride) {
    const point = numbers.slice(at, at + stride).map(number => (Number.isFinite(number) ? Number(number) : 0))
    const [x = 0, y = 0] = point
    points.push(...point)
    box.left = Math.min(box.left, x - reach)
    box.top = Math.min(box.top, y - reach)
    box.right = Math.max(box.right, x + reach)
    box.bottom = Math.max(box.bottom, y + reach)
  }
}

type Portion = { readonly from: number; readonly inkColor: string }

/** Draws a shape from a point on: curves through the middles between points, and a straight end to the last one. */
function draw(context: CanvasRenderingContext2D, shape: Shape, { from, inkColor }: Portion): void {
  const { points, stride, width, color } = shape
  const count = points.length / stride
  const x = (index: number) => points[index * stride] ?? 0
  const y = (index: number) => points[index * stride + 1] ?? 0
  const widthAt = (index: number) =>
    stride === 2 ? width : width * (0.3 + (1.2 * (points[index * stride + 2] ?? 50)) / 100)
  context.strokeStyle = color === 'ink' ? inkColor : color
  if (from === 0 && count > 0) {
    context.lineWidth = widthAt(0)
    context.beginPath()
    context.moveTo(x(0), y(0))
    context.lineTo(x(0), y(0))
    context.stroke()
  }
  // A line of one width is one path; with pressure each piece has its own.
  context.lineWidth = width
  context.beginPath()
  for (let index = Math.max(1, from); index < count; index++) {
    if (stride === 3) {
      context.beginPath()
      context.lineWidth = widthAt(index)
    }
    const [beforeX, beforeY] = [x(index - 1), y(index - 1)]
    context.moveTo(
      index === 1 ? x(0) : (x(index - 2) + beforeX) / 2,
      index === 1 ? y(0) : (y(index - 2) + beforeY) / 2
    )
    context.quadraticCurveTo(beforeX, beforeY, (beforeX + x(index)) / 2, (beforeY + y(index)) / 2)
    if (index === count - 1) context.lineTo(x(index), y(index))
    if (stride === 3) context.stroke()
  }
  if (stride === 2) context.stroke()
}

function union(one: Box | null, other: Box): Box {
  if (one === null) return { ...other }
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom)
  }
}

function touches(one: Box, other: Box): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom
}
