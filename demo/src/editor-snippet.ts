// The lines that bind an editor to a room of this server, as the pages show them (test/browser runs them).
import type { RoomAddress } from './room.ts'

/** The name of the shared text, in the pages and in the lines they show. */
export const textName = 'text'

/** Returns a complete program for the room. */
export function editorSnippet(room: RoomAddress): string {
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
