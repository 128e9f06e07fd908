// The chat page: a conversation that is a document.
import '../chat.css'
import { mountChat } from '../chat/chat.ts'
import { chatContent } from '../chat/model.ts'
import { openPage } from '../shell.ts'

const title = document.title
const unread = new Map<string, number>()

openPage({
  contentOf: chatContent,
  mount: (participant, body, room) =>
    mountChat(participant, body, {
      room: room.name,
      unreadChanged(count) {
        unread.set(participant.seat, count)
        const most = document.hidden ? Math.max(...unread.values()) : 0
        document.title = most > 0 ? `(${most}) ${title}` : title
      }
    })
})
