// A stroke as it is drawn: its points, the place it takes, and the lines that make it.
import type { Stroke } from './model.ts'

export type Box = { left: number; top: number; right: number; bottom: number }

export type Shape = Stroke & {
  readonly points: number[]
  readonly box: Box
  /** How many points are on the bitmap. */
  drawn: number
}

export type Portion = {
  readonly from: number
  /** What the colour `ink` is at present. */
  readonly inkColor: string
}

/** Full pressure is half again as wide as the chosen width, none at all a third of it. */
const pressureWidth = { least: 0.3, more: 1.2 } as const

export function newShape(stroke: Stroke): Shape {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity }
  return { ...stroke, points: [], box, drawn: 0 }
}

/** Adds points, `stride` numbers each; what is no number is taken as 0. */
export function addPoints({ points, box, stride, width }: Shape, numbers: readonly unknown[]): void {
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

export function pointCount({ points, stride }: Shape): number {
  return points.length / stride
}

/** Draws a shape from a point on: curves through the middles between points, and a straight end to the last one. */
export function drawShape(
  context: CanvasRenderingContext2D,
  shape: Shape,
  { from, inkColor }: Portion
): void {
  const count = pointCount(shape)
  context.strokeStyle = shape.color === 'ink' ? inkColor : shape.color
  if (from === 0 && count > 0) drawDot(context, shape)
  // A line of one width is one path without a gap, far cheaper than its pieces; with pressure each has its own.
  const isPen = shape.stride === 3
  const first = Math.max(1, from)
  context.lineWidth = shape.width
  if (!isPen) beginAt(context, shape, first)
  for (let index = first; index < count; index++) {
    if (isPen) {
      context.lineWidth = widthAt(shape, index)
      beginAt(context, shape, index)
    }
    addPiece(context, shape, index)
    if (isPen) context.stroke()
  }
  if (!isPen) context.stroke()
}

function drawDot(context: CanvasRenderingContext2D, shape: Shape): void {
  const [x = 0, y = 0] = shape.points
  context.lineWidth = widthAt(shape, 0)
  context.beginPath()
  context.moveTo(x, y)
  context.lineTo(x, y)
  context.stroke()
}

/** Begins a path where the piece that leads to a point begins. */
function beginAt(context: CanvasRenderingContext2D, shape: Shape, index: number): void {
  const before = pointAt(shape, index - 1)
  const start = index === 1 ? before : middle(pointAt(shape, index - 2), before)
  context.beginPath()
  context.moveTo(start.x, start.y)
}

function addPiece(context: CanvasRenderingContext2D, shape: Shape, index: number): void {
  const before = pointAt(shape, index - 1)
  const at = pointAt(shape, index)
  const end = middle(before, at)
  context.quadraticCurveTo(before.x, before.y, end.x, end.y)
  if (index === pointCount(shape) - 1) context.lineTo(at.x, at.y)
}

function pointAt({ points, stride }: Shape, index: number) {
  return { x: points[index * stride] ?? 0, y: points[index * stride + 1] ?? 0 }
}

function middle(one: { x: number; y: number }, other: { x: number; y: number }) {
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 }
}

function widthAt({ points, stride, width }: Shape, index: number): number {
  if (stride === 2) return width
  const pressure = (points[index * stride + 2] ?? 50) / 100
  return width * (pressureWidth.least + pressureWidth.more * pressure)
}

export function union(one: Box | null, other: Box): Box {
  if (one === null) return { ...other }
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom)
  }
}

export function touches(one: Box, other: Box): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom
}

export function contains(outer: Box, inner: Box): boolean {
  return (
    outer.left <= inner.left &&
    outer.top <= inner.top &&
    outer.right >= inner.right &&
    outer.bottom >= inner.bottom
  )
}
