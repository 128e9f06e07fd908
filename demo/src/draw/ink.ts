// Strokes on a bitmap. A stroke that grows is drawn on from where it ended; only what was removed is drawn anew, and
// only where it was. So the cost follows what changes, not how much there is.
import * as Y from 'yjs'
import { canvasSize, readStroke, type StrokeEntry } from './model.ts'
import {
  addPoints,
  type Box,
  contains,
  drawShape,
  newShape,
  pointCount,
  type Shape,
  touches,
  union
} from './shape.ts'

export class Ink {
  readonly element = document.createElement('canvas')
  readonly #context: CanvasRenderingContext2D
  readonly #strokes: Y.Array<StrokeEntry>
  readonly #shapes = new Map<StrokeEntry, Shape>()
  /** As the strokes lie upon each other. */
  #ordered: Shape[] = []
  /** What has to be drawn anew. */
  #stale: Box | null = null
  #scale = 0
  #inkColor = ''

  /** Makes the bitmap and follows `strokes`; `changed` is called when there is something to paint. */
  constructor(strokes: Y.Array<StrokeEntry>, changed: () => void) {
    const context = this.element.getContext('2d')
    if (context === null) throw new Error('this browser has no canvas')
    this.#context = context
    this.#strokes = strokes
    this.#list()
    strokes.observeDeep(events => {
      for (const { target } of events) if (target !== strokes) this.#grow(target)
      if (events.some(({ target }) => target === strokes)) this.#list()
      changed()
    })
  }

  /** Draws what has changed since the last time. */
  paint(): void {
    if (this.#scale === 0) return
    if (this.#stale !== null) this.#repaint(this.#stale)
    this.#stale = null
    for (const shape of this.#ordered) {
      if (shape.drawn === pointCount(shape)) continue
      drawShape(this.#context, shape, { from: shape.drawn, inkColor: this.#inkColor })
      shape.drawn = pointCount(shape)
    }
  }

  /** The element has another size, or the page another theme: everything is drawn anew. */
  refresh(): void {
    const width = Math.round(this.element.clientWidth * devicePixelRatio)
    if (width === 0) return
    this.#inkColor = getComputedStyle(this.element).color
    this.#scale = width / canvasSize.width
    this.element.width = width
    this.element.height = Math.round(canvasSize.height * this.#scale)
    this.#context.setTransform(this.#scale, 0, 0, this.#scale, 0, 0)
    this.#context.lineCap = 'round'
    this.#context.lineJoin = 'round'
    this.#stale = null
    for (const shape of this.#ordered) shape.drawn = 0
    this.paint()
  }

  /** Points are only ever added at the end. */
  #grow(points: Y.AbstractType<unknown>): void {
    if (!(points instanceof Y.Array && points.parent instanceof Y.Map)) return
    const shape = this.#shapes.get(points.parent)
    if (shape !== undefined) addPoints(shape, points.slice(shape.points.length))
  }

  #list(): void {
    this.#ordered = this.#strokes.map(entry => this.#shapeOf(entry))
    const present = new Set(this.#ordered)
    for (const [entry, shape] of this.#shapes) {
      if (present.has(shape)) continue
      this.#shapes.delete(entry)
      this.#stale = union(this.#stale, shape.box)
    }
    // What comes in beneath something that is drawn already: the place is drawn anew, in order.
    const last = this.#ordered.findLastIndex(({ drawn }) => drawn > 0)
    for (const shape of this.#ordered.slice(0, Math.max(0, last))) {
      if (shape.drawn === 0) this.#stale = union(this.#stale, shape.box)
    }
  }

  #shapeOf(entry: StrokeEntry): Shape {
    const known = this.#shapes.get(entry)
    if (known !== undefined) return known
    const { points, ...stroke } = readStroke(entry)
    const shape = newShape(stroke)
    addPoints(shape, points?.toArray() ?? [])
    this.#shapes.set(entry, shape)
    return shape
  }

  #repaint(box: Box): void {
    const context = this.#context
    const [width, height] = [box.right - box.left, box.bottom - box.top]
    context.save()
    context.beginPath()
    context.rect(box.left, box.top, width, height)
    context.clip()
    context.clearRect(box.left, box.top, width, height)
    for (const shape of this.#ordered) {
      if (!touches(shape.box, box)) continue
      drawShape(context, shape, { from: 0, inkColor: this.#inkColor })
      // Drawn a second time it would lie upon those above it.
      if (contains(box, shape.box)) shape.drawn = pointCount(shape)
    }
    context.restore()
  }
}
