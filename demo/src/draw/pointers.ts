// The others' pointers over the canvas, up to sixty times a second, as awareness carries them.
import { element } from '../dom.ts'
import { oncePerFrame } from '../frames.ts'
import type { Participant } from '../participant.ts'
import { personFrom } from '../person.ts'
import { canvasSize } from './model.ts'

const field = 'pointer'
const svgNamespace = 'http://www.w3.org/2000/svg'

export type Point = { readonly x: number; readonly y: number }

/** Tells the others where this participant points; null when nowhere. */
export function announcePointer({ provider }: Participant, point: Point | null): void {
  provider.awareness.setLocalStateField(field, point)
}

/** Makes the layer that shows the others' pointers. */
export function pointerLayer({ provider }: Participant): HTMLElement {
  const { awareness } = provider
  const layer = element('div', { class: 'pointer-layer', 'aria-hidden': 'true' })
  const shown = new Map<number, Pointer>()
  const show = oncePerFrame(() => {
    const states = awareness.getStates()
    for (const [clientID, state] of states) {
      const point = clientID === awareness.clientID ? null : pointFrom(state[field])
      const person = personFrom(state.user)
      if (point === null || person === null) {
        shown.get(clientID)?.root.remove()
        shown.delete(clientID)
        continue
      }
      let pointer = shown.get(clientID)
      if (pointer === undefined) {
        pointer = newPointer()
        shown.set(clientID, pointer)
        layer.append(pointer.root)
      }
      pointer.show(point, person)
    }
    for (const [clientID, { root }] of shown) {
      if (states.has(clientID)) continue
      root.remove()
      shown.delete(clientID)
    }
  })
  awareness.on('change', show)
  return layer
}

type Pointer = {
  readonly root: HTMLElement
  show(point: Point, person: { name: string; color: string }): void
}

function newPointer(): Pointer {
  const svg = document.createElementNS(svgNamespace, 'svg')
  svg.setAttribute('viewBox', '0 0 16 16')
  const arrow = document.createElementNS(svgNamespace, 'path')
  arrow.setAttribute('d', 'M1 1l13 5.500-5.700 2.300L6 14.500z')
  svg.append(arrow)
  const name = element('span', {})
  const root = element('div', { class: 'pointer' }, svg, name)
  return {
    root,
    show({ x, y }, person) {
      if (name.textContent !== person.name) name.textContent = person.name
      root.style.setProperty('--person', person.color)
      // In percent of the layer, which has the canvas's proportions.
      root.style.translate = `${(x / canvasSize.width) * 100}cqw ${(y / canvasSize.height) * 100}cqh`
    }
  }
}

function pointFrom(value: unknown): Point | null {
  const { x, y } = (value ?? {}) as Record<string, unknown>
  if (typeof x !== 'number' || typeof y !== 'number' || !Number.isFinite(x + y)) return null
  return { x: Math.min(Math.max(x, 0), canvasSize.width), y: Math.min(Math.max(y, 0), canvasSize.height) }
}
