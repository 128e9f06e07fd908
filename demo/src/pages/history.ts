// The history page: two people write, and beside them is the same document at any moment of its past.
import '../style.css'
import '../past.css'
import { find } from '../dom.ts'
import { atMostEvery } from '../frames.ts'
import type { Participant } from '../participant.ts'
import { createPastClient } from '../past/client.ts'
import { documentPrefix, signEdits, textName, textOf } from '../past/model.ts'
import { mountPast } from '../past/panel.ts'
import { Past } from '../past/past.ts'
import { pastSnippet } from '../past/snippet.ts'
import { writeStarter } from '../past/starter.ts'
import type { RoomAddress } from '../room.ts'
import { openPage } from '../shell.ts'
import { bindSnippet } from '../snippet.ts'
import { mountTextEditor } from '../text-editor.ts'

/** How long after an edit its past is asked for: it has to be on disk first. */
const refreshMs = 700

function showPage(): void {
  const participants: Participant[] = []
  const room = openPage({
    contentOf: doc => textOf(doc).toString(),
    // Only documents of this name have a past, and only this page writes to them.
    reach: here => ({ ...here, path: encodeURIComponent(`${documentPrefix}${here.name}`) }),
    mount: (participant, body) => {
      participants.push(participant)
      signEdits(participant)
      mountTextEditor(body, participant, {
        text: participant.doc.getText(textName),
        label: `Shared text, ${participant.seat} pane`,
        placeholder: 'Write something, then slide back to before you did.'
      })
    }
  })
  const past = new Past(createPastClient(room))
  const report = mountPast(find('#past'), past)
  bindSnippet(pastSnippet)
  follow(past, participants)
  void begin(past, participants, { room, say: report.say })
}

function follow(past: Past, participants: readonly Participant[]): void {
  const refresh = atMostEvery(refreshMs, () => {
    // Of a document that nobody has written to yet there is nothing to ask.
    if (participants.some(({ doc }) => doc.store.clients.size > 0)) void past.refresh()
  })
  for (const { doc, connection, saving } of participants) {
    doc.on('update', refresh)
    saving.watch(refresh)
    connection.watch(({ phase }) => {
      if (phase === 'online') refresh()
    })
  }
}

async function begin(past: Past, participants: readonly Participant[], scene: Scene): Promise<void> {
  const { room, say } = scene
  const [visitor] = participants
  if (visitor === undefined) return
  const taken = participants.map(({ person }) => person.value.color)
  const isWritten = await writeStarter(visitor, room, {
    taken,
    stage: {
      begun: () => say('Two bots write something to look back at. It takes a few seconds.'),
      name: name => past.nameNow(name)
    }
  })
  if (isWritten) say('The bots are done. Slide back, or press play.')
}

type Scene = { readonly room: RoomAddress; say(words: string): void }

showPage()
