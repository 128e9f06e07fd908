// The text page: two people write into one document.
import '../style.css'
import { find } from '../dom.ts'
import { linkStrip } from '../link-strip.ts'
import { bindNotice } from '../notice.ts'
import { createPane } from '../pane.ts'
import { join, type Participant } from '../participant.ts'
import { type RoomAddress, roomFromLocation } from '../room.ts'
import { bindShare } from '../share.ts'
import { bindSnippet } from '../snippet.ts'
import { mountTextEditor } from '../text-editor.ts'
import { bindThemeButton } from '../theme.ts'

const textName = 'text'

const starterText = `Meeting notes

Two people can write here at the same time.
Click into either side and type: each sees the other's cursor.

Now turn off "Connected" on one side, write on both, and turn it on again.
`

function showPage(): void {
  bindThemeButton(find('#theme'))
  const room = roomFromLocation('text')
  const left = join(room, 'left')
  const right = join(room, 'right')
  if (room.isFresh) startText(left)
  find('#strip').replaceChildren(linkStrip(left, right, doc => doc.getText(textName).toString()))
  find('#panes').replaceChildren(...[left, right].map(editorPane))
  bindNotice(find('#notice'), room, [left, right])
  bindShare(room)
  bindSnippet(snippet(room))
}

function editorPane(participant: Participant): HTMLElement {
  const pane = createPane(participant)
  mountTextEditor(pane.body, participant, participant.doc.getText(textName))
  return pane.root
}

/** Written once, by one pane, after the server has said that there is nothing: an empty room of old stays empty. */
function startText({ provider, doc }: Participant): void {
  provider.once('sync', () => {
    const text = doc.getText(textName)
    // Under an origin of its own: the undo manager tracks edits without one, and undo must not empty the page.
    if (text.length === 0) doc.transact(() => text.insert(0, starterText), 'starter')
  })
}

function snippet(room: RoomAddress): string {
  // The version is named because the package's latest release carries CodeMirror 5 by mistake.
  return `// npm install codemirror@6.0.2 y-codemirror.next y-websocket yjs
import { EditorView, basicSetup } from 'codemirror'
import { yCollab } from 'y-codemirror.next'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const doc = new Y.Doc()
const room = new WebsocketProvider('${room.serverUrl}', '${room.path}', doc)
room.awareness.setLocalStateField('user', { name: 'Ada', color: '#1971c2' })

const text = doc.getText('${textName}')
const extensions = [basicSetup, yCollab(text, room.awareness)]
new EditorView({ doc: text.toString(), extensions, parent: document.body })`
}

showPage()
