// The rich text page: Tiptap over Hocuspocus's own provider, in the same room as every other page.
import '../rich.css'
import { joinByHocuspocus } from '../hocuspocus-participant.ts'
import { mountRichEditor } from '../rich/editor.ts'
import { richFragment, writeRich } from '../rich/schema.ts'
import { richSnippet } from '../rich/snippet.ts'
import { starterContent } from '../rich/starter.ts'
import { isUntouchedType } from '../seed.ts'
import { openPage } from '../shell.ts'
import { bindSnippet } from '../snippet.ts'

function showPage(): void {
  const room = openPage({
    joinRoom: joinByHocuspocus,
    contentOf: doc => richFragment(doc).toString(),
    seed: {
      isUntouched: doc => isUntouchedType(richFragment(doc)),
      write: doc => writeRich(doc, starterContent)
    },
    mount: mountRichEditor
  })
  bindSnippet(richSnippet(room))
}

showPage()
