// The start page: what there is to see, and the lines that bind an editor to this server.
import '../style.css'
import '../start.css'
import { find } from '../dom.ts'
import { editorSnippet } from '../editor-snippet.ts'
import { carryRoom, roomFromLocation } from '../room.ts'
import { bindSnippet } from '../snippet.ts'
import { bindThemeButton } from '../theme.ts'

function showPage(): void {
  bindThemeButton(find('#theme'))
  const room = roomFromLocation()
  carryRoom(room)
  find('#room-name').textContent = room.name
  bindSnippet(editorSnippet(room))
}

showPage()
