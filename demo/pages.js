/**
 * The pages of the gallery, in the order of the navigation: one row here, `<id>.html` beside this file and
 * `src/pages/<id>.ts` make a page. The first one is the start page.
 */
export const pages = [
  {
    id: 'index',
    name: 'Start',
    title: 'Chorus · a sync server for Yjs, live',
    description:
      'Text, rich text, a board, a canvas and a chat, each with two people in one room, a past to slide through, and a server to kill. A live demo of the Chorus sync server.'
  },
  {
    id: 'text',
    name: 'Text',
    title: 'Text · Chorus',
    description:
      'Two editors in one room: write, cut one off, connect it again. A live demo of the Chorus sync server.'
  },
  {
    id: 'rich',
    name: 'Rich text',
    title: 'Rich text · Chorus',
    description:
      'Tiptap over the Hocuspocus provider, two people in one text. A live demo of the Chorus sync server.'
  },
  {
    id: 'board',
    name: 'Board',
    title: 'Board · Chorus',
    description:
      'Lists and cards that two people move at once, by mouse, touch or keyboard. A live demo of the Chorus sync server.'
  },
  {
    id: 'draw',
    name: 'Draw',
    title: 'Draw · Chorus',
    description:
      'One canvas for everybody, with everybody’s pointer on it. A live demo of the Chorus sync server.'
  },
  {
    id: 'chat',
    name: 'Chat',
    title: 'Chat · Chorus',
    description:
      'A conversation that is a Yjs document: history, who is typing, what is unread. A live demo of the Chorus sync server.'
  },
  {
    id: 'history',
    name: 'History',
    title: 'History · Chorus',
    description:
      'A document at any moment of its past: who wrote what, what changed, and a button to restore it. A live demo of the Chorus sync server.'
  },
  {
    id: 'chaos',
    name: 'Chaos',
    title: 'Chaos · Chorus',
    description:
      'Bots type while their server is killed and their network fails, and every edit is checked. A live demo of the Chorus sync server.'
  }
]
