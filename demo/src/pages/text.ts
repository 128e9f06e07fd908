// The text page: two people write into one document.

import { editorSnippet, textName } from '../editor-snippet.ts'
import { isUntouchedType } from '../seed.ts'
import { openPage } from '../shell.ts'
import { bindSnippet } from '../snippet.ts'
import { mountTextEditor } from '../text-editor.ts'

const starterText = `Meeting notes

Two people can write here at the same time.
Click into either side and type: each sees the other’s cursor.

Now turn off “Connected” on one side, write on both, and turn it on again.
`

function showPage(): void {
  const room = openPage({
    contentOf: doc => doc.getText(textName).toString(),
    seed: {
      isUntouched: doc => isUntouchedType(doc.getText(textName)),
      write: doc => doc.getText(textName).insert(0, starterText)
    },
    mount: (participant, body) => {
      mountTextEditor(body, participant, {
        text: participant.doc.getText(textName),
        label: `Shared text, ${participant.seat} pane`,
        placeholder: 'Write something: it appears on the other side.'
      })
    }
  })
  bindSnippet(editorSnippet(room))
}

showPage()
