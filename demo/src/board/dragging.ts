// Cards dragged by mouse, pen or a long press. The library follows the pointer; what a drop means is decided here.
import {
  draggable,
  dropTargetForElements,
  monitorForElements
} from '@atlaskit/pragmatic-drag-and-drop/element/adapter'
import type { List, Spot } from './model.ts'

type Edge = 'above' | 'below'

/** What a drop target says of itself at a moment. */
type Target = { readonly list: string; readonly card: string | null; readonly edge: Edge }

export type Dragging = {
  /** Makes a card one that can be dragged and dropped on; returns what undoes it. */
  addCard(item: HTMLElement, face: HTMLElement, where: () => { card: string; list: string }): () => void
  /** Makes a list one that can be dropped on: what is dropped beside its cards goes to its end. */
  addList(root: HTMLElement, list: string): () => void
}

export type DraggingListeners = {
  /** The lists as they are shown now. */
  lists(): readonly List[]
  held(card: string | null): void
  dropped(card: string, spot: Spot): void
}

/** Follows the drags of one board; cards of another pane's board find no target here. */
export function followDragging({ lists, held, dropped }: DraggingListeners): Dragging {
  const board = Symbol('board')
  const isOurs = ({ source }: { source: { data: Record<string | symbol, unknown> } }) =>
    source.data.board === board
  let marked: HTMLElement | null = null
  const mark = (element: HTMLElement | null, edge: Edge) => {
    if (marked !== element) delete marked?.dataset.drop
    marked = element
    if (element !== null) element.dataset.drop = edge
  }

  monitorForElements({
    canMonitor: isOurs,
    onDragStart: ({ source }) => held(String(source.data.card)),
    onDrag: ({ location }) => {
      const target = location.current.dropTargets[0]
      mark((target?.element as HTMLElement | undefined) ?? null, target?.data.edge as Edge)
    },
    onDrop: ({ source, location }) => {
      mark(null, 'below')
      held(null)
      const target = location.current.dropTargets[0]?.data as Target | undefined
      const card = String(source.data.card)
      if (target !== undefined) dropped(card, spotOf(target, { card, lists: lists() }))
    }
  })

  return {
    addCard(item, face, where) {
      const ends = [
        draggable({ element: face, getInitialData: () => ({ board, card: where().card }) }),
        dropTargetForElements({
          element: item,
          canDrop: isOurs,
          getData: ({ input, element }) => {
            const { top, height } = element.getBoundingClientRect()
            return { ...where(), edge: input.clientY < top + height / 2 ? 'above' : 'below' }
          }
        })
      ]
      return () => {
        for (const end of ends) end()
      }
    },
    addList(root, list) {
      return dropTargetForElements({
        element: root,
        canDrop: isOurs,
        getData: () => ({ list, card: null, edge: 'below' })
      })
    }
  }
}

/** Below a card is above the next one that is not the dragged card itself. */
function spotOf(target: Target, { card, lists }: { card: string; lists: readonly List[] }): Spot {
  const { list, edge } = target
  const others = lists.find(({ id }) => id === list)?.cards ?? []
  if (target.card === null) return { list, before: null }
  const index = others.findIndex(({ id }) => id === target.card) + Number(edge === 'below')
  const before = others.slice(index).find(({ id }) => id !== card)
  return { list, before: before?.id ?? null }
}
