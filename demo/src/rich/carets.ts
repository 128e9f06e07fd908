// The others' cursors and selections, with their names, in their colours.
import { Extension } from '@tiptap/core'
import { yCursorPlugin } from '@tiptap/y-tiptap'
import { element } from '../dom.ts'
import { oncePerFrame } from '../frames.ts'
import type { Participant } from '../participant.ts'
import { personFrom } from '../person.ts'

const nobody = { name: 'Someone', color: '#6b7673' }

/** Draws the carets of everybody else in the room. */
export function remoteCarets({ calmAwareness }: Participant): Extension {
  return Extension.create({
    name: 'remoteCarets',
    addProseMirrorPlugins: () => [
      yCursorPlugin(calmAwareness, {
        cursorBuilder: (user: unknown, clientID: number) => caret(user, clientID),
        selectionBuilder: (user: unknown) => ({
          class: 'rich-selection',
          style: `--person: ${(personFrom(user) ?? nobody).color}`
        })
      })
    ]
  })
}

function caret(user: unknown, clientID: number): HTMLElement {
  const flag = element('span', { class: 'rich-caret-name' })
  // The invisible characters keep the line's height and the caret's place in it.
  const root = element(
    'span',
    { class: 'rich-caret', 'data-client': String(clientID) },
    '\u2060',
    flag,
    '\u2060'
  )
  show(root, user)
  return root
}

/** A drawn caret is kept as long as its client is here, so a new name or colour has to be put into it. */
export function keepNamesCurrent(root: HTMLElement, { calmAwareness }: Participant): void {
  const update = oncePerFrame(() => {
    const states = calmAwareness.getStates()
    for (const drawn of root.querySelectorAll<HTMLElement>('.rich-caret')) {
      show(drawn, states.get(Number(drawn.dataset.client))?.user)
    }
  })
  calmAwareness.on('change', update)
}

function show(root: HTMLElement, user: unknown): void {
  const { name, color } = personFrom(user) ?? nobody
  const flag = root.querySelector('.rich-caret-name')
  if (flag !== null && flag.textContent !== name) flag.textContent = name
  root.style.setProperty('--person', color)
}
