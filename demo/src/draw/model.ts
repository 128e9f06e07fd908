// The canvas as Yjs data: strokes in the order they were begun, each a growing list of points. It knows nothing of
// the page.
import * as Y from 'yjs'

/** The canvas is this many units wide and high for everybody, whatever the screen. */
export const canvasSize = { width: 1200, height: 750 } as const

export type Stroke = {
  /** One of `strokeColors`. */
  readonly color: string
  readonly width: number
  /** Numbers per point: x and y, and for a pen its pressure in percent. */
  readonly stride: 2 | 3
}

/** `ink` is black on white and white on black; the others do for both. */
export const strokeColors = [
  { id: 'ink', name: 'Ink', css: 'var(--ink)' },
  { id: '#1971c2', name: 'Blue', css: '#1971c2' },
  { id: '#d6336c', name: 'Rose', css: '#d6336c' },
  { id: '#e8590c', name: 'Orange', css: '#e8590c' },
  { id: '#2f9e44', name: 'Green', css: '#2f9e44' },
  { id: '#845ef7', name: 'Violet', css: '#845ef7' }
] as const

export const strokeWidths = [
  { value: 4, name: 'Thin' },
  { value: 10, name: 'Medium' },
  { value: 24, name: 'Thick' }
] as const

const strokeWidthMax = 60

export type StrokeEntry = Y.Map<unknown>

export type Canvas = {
  readonly strokes: Y.Array<StrokeEntry>
  readonly undo: Y.UndoManager
  /** Begins a stroke; the returned function adds points to it (`stride` numbers each). */
  begin(stroke: Stroke): (numbers: readonly number[]) => void
  clear(): void
}

/** Opens the canvas of a document; one stroke, however long it took, is one step of undo, and so is clearing. */
export function openCanvas(doc: Y.Doc): Canvas {
  const strokes = strokesOf(doc)
  const origin = { name: 'draw' }
  const undo = new Y.UndoManager(strokes, {
    trackedOrigins: new Set([origin]),
    captureTimeout: Number.POSITIVE_INFINITY
  })
  return {
    strokes,
    undo,
    begin({ color, width, stride }) {
      const points = new Y.Array<number>()
      const entry = new Y.Map<unknown>(Object.entries({ color, width, stride, points }))
      undo.stopCapturing()
      doc.transact(() => strokes.push([entry]), origin)
      return numbers => doc.transact(() => points.push([...numbers]), origin)
    },
    clear() {
      undo.stopCapturing()
      doc.transact(() => strokes.delete(0, strokes.length), origin)
    }
  }
}

export function strokesOf(doc: Y.Doc): Y.Array<StrokeEntry> {
  return doc.getArray<StrokeEntry>('draw-strokes')
}

/** Reads what another client stored; what is no stroke is drawn as a thin line of ink, or not at all. */
export function readStroke(entry: StrokeEntry): Stroke & { readonly points: Y.Array<number> | null } {
  const [color, width, points] = [entry.get('color'), entry.get('width'), entry.get('points')]
  return {
    color: strokeColors.find(({ id }) => id === color)?.id ?? 'ink',
    width: typeof width === 'number' && width > 0 ? Math.min(width, strokeWidthMax) : strokeWidths[0].value,
    stride: entry.get('stride') === 3 ? 3 : 2,
    points: points instanceof Y.Array ? points : null
  }
}

/** Which strokes there are and how long each is: what Yjs has once inserted never changes, so this says enough. */
export function canvasContent(doc: Y.Doc): string {
  return strokesOf(doc)
    .map(entry => {
      const { points } = readStroke(entry)
      return `${entry._item?.id.client}.${entry._item?.id.clock}:${points?.length}`
    })
    .join(' ')
}
