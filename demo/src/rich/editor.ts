// Tiptap bound to a participant's fragment, with the others' cursors and an undo of one's own.
import { Editor } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import type { Participant } from '../participant.ts'
import { keepNamesCurrent, remoteCarets } from './carets.ts'
import { extensions, richFragment } from './schema.ts'
import { richToolbar } from './toolbar.ts'

/** Fills a pane: a toolbar, and the text below it. */
export function mountRichEditor(participant: Participant, body: HTMLElement): void {
  const paper = document.createElement('div')
  paper.className = 'rich-paper'
  const editor = new Editor({
    element: paper,
    // The page's own style sheet has these rules.
    injectCSS: false,
    extensions: [
      ...extensions,
      Collaboration.configure({ fragment: richFragment(participant.doc) }),
      remoteCarets(participant)
    ],
    editorProps: {
      attributes: {
        role: 'textbox',
        'aria-multiline': 'true',
        'aria-label': `Shared rich text, ${participant.seat} pane`
      }
    }
  })
  keepNamesCurrent(paper, participant)
  body.classList.add('rich')
  body.append(richToolbar(editor, participant.seat), paper)
}
