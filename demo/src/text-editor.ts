// CodeMirror 6 bound to a participant's Y.Text, with the others' named cursors.
import { Compartment, EditorState } from '@codemirror/state'
import { EditorView, type KeyBinding, keymap, placeholder } from '@codemirror/view'
import {
  YSyncConfig,
  yCollab,
  yRemoteSelections,
  yRemoteSelectionsTheme,
  ySyncFacet,
  yUndoManagerKeymap
} from 'y-codemirror.next'
import * as Y from 'yjs'
import type { Participant } from './participant.ts'
import { personFrom } from './person.ts'

/**
 * The browser's own editing does the rest. No `history` of CodeMirror: undo takes back one's own edits only, and that
 * is the undo manager's business. Select-all is ours because lines out of sight are not in the page.
 */
const editingKeys: readonly KeyBinding[] = [
  { key: 'Enter', shift: insertLineBreak, run: insertLineBreak },
  { key: 'Mod-a', run: selectAll }
]

export type TextEditor = { readonly view: EditorView; destroy(): void }

export type TextEditorOptions = {
  readonly text: Y.Text
  /** What assistive technology calls it. */
  readonly label: string
  readonly placeholder: string
}

/** Mounts an editor of a shared text into `parent`. */
export function mountTextEditor(
  parent: HTMLElement,
  participant: Participant,
  { text, label, placeholder: hint }: TextEditorOptions
): TextEditor {
  const { awareness } = participant.provider
  const cursors = new Compartment()
  const undo = new Y.UndoManager(text)
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text.toString(),
      extensions: [
        keymap.of([...yUndoManagerKeymap, ...editingKeys]),
        EditorView.lineWrapping,
        placeholder(hint),
        // A long text scrolls: what scrolls has to take the focus, and axe believes only the attribute.
        EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
        // `yCollab(text, awareness)` is all it takes. It is taken apart here only so that the cursors can be
        // redrawn (below); of several values of the facet the last one counts.
        yCollab(text, null, { undoManager: undo }),
        ySyncFacet.of(new YSyncConfig(text, participant.calmAwareness)),
        yRemoteSelectionsTheme,
        cursors.of(yRemoteSelections)
      ]
    })
  })
  const stopWatching = onOthersRenamed(participant, () => {
    view.dispatch({ effects: cursors.reconfigure([]) })
    view.dispatch({ effects: cursors.reconfigure(yRemoteSelections) })
    // The plugin draws when it is updated, not when it is made.
    view.dispatch({})
  })
  return {
    view,
    destroy() {
      stopWatching()
      view.destroy()
      undo.destroy()
      awareness.setLocalStateField('cursor', null)
    }
  }
}

function insertLineBreak(view: EditorView): boolean {
  const change = view.state.replaceSelection(view.state.lineBreak)
  view.dispatch(view.state.update(change, { userEvent: 'input', scrollIntoView: true }))
  return true
}

function selectAll(view: EditorView): boolean {
  view.dispatch({ selection: { anchor: 0, head: view.state.doc.length }, userEvent: 'select' })
  return true
}

/** y-codemirror.next keeps a drawn cursor as long as its colour stays, so a new name would not show. */
function onOthersRenamed({ provider }: Participant, redraw: () => void): () => void {
  const { awareness } = provider
  const names = new Map<number, string>()
  const changed = () => {
    let isRenamed = false
    for (const [clientID, state] of awareness.getStates()) {
      const name = personFrom(state.user)?.name ?? ''
      const known = names.get(clientID)
      if (clientID !== awareness.clientID && known !== undefined && known !== name) isRenamed = true
      names.set(clientID, name)
    }
    for (const clientID of names.keys()) {
      if (!awareness.getStates().has(clientID)) names.delete(clientID)
    }
    if (isRenamed) redraw()
  }
  awareness.on('change', changed)
  return () => awareness.off('change', changed)
}
