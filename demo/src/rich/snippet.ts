// The lines that bind Tiptap to a room of this server, as the page shows them (test/browser runs them).
import type { RoomAddress } from '../room.ts'
import { richName } from './schema.ts'

/** Returns a complete program for the room. */
export function richSnippet(room: RoomAddress): string {
  return `// npm install @hocuspocus/provider @tiptap/core @tiptap/pm @tiptap/starter-kit
// npm install @tiptap/extension-collaboration @tiptap/y-tiptap yjs y-protocols
import { HocuspocusProvider } from '@hocuspocus/provider'
import { Editor } from '@tiptap/core'
import Collaboration from '@tiptap/extension-collaboration'
import StarterKit from '@tiptap/starter-kit'

const provider = new HocuspocusProvider({ url: '${room.serverUrl}', name: '${room.name}' })

new Editor({
  element: document.body,
  extensions: [
    StarterKit.configure({ undoRedo: false, trailingNode: false }),
    Collaboration.configure({ document: provider.document, field: '${richName}' })
  ]
})`
}
