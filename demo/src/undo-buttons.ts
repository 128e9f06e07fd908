// Undo and redo of one's own edits: two buttons, and the keys everybody knows.
import type * as Y from 'yjs'
import { element, icon } from './dom.ts'

const undoIcon = 'M7 4 3.500 7.500 7 11M4 7.500h7.500a4.500 4.500 0 0 1 0 9H8'
const redoIcon = 'M13 4l3.500 3.500L13 11M16 7.500H8.500a4.500 4.500 0 0 0 0 9H12'

/** Makes the two buttons; the keys work while the focus is inside `root` and not in a text. */
export function undoButtons(root: HTMLElement, undo: Y.UndoManager): readonly HTMLElement[] {
  const back = button('Undo my last change', undoIcon, () => undo.undo())
  const again = button('Redo my last change', redoIcon, () => undo.redo())
  const show = () => {
    back.disabled = undo.undoStack.length === 0
    again.disabled = undo.redoStack.length === 0
  }
  for (const event of ['stack-item-added', 'stack-item-popped', 'stack-cleared'] as const)
    undo.on(event, show)
  root.addEventListener('keydown', event => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || isText(event.target)) return
    const key = event.key.toLowerCase()
    if (key !== 'z' && key !== 'y') return
    event.preventDefault()
    if (key === 'y' || event.shiftKey) undo.redo()
    else undo.undo()
  })
  show()
  return [back, again]
}

function button(label: string, path: string, act: () => void): HTMLButtonElement {
  const made = element(
    'button',
    { class: 'icon-button', type: 'button', 'aria-label': label, title: label },
    icon(path)
  )
  made.addEventListener('click', act)
  return made
}

/** A text has an undo of its own. */
function isText(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, [contenteditable]') !== null
}
