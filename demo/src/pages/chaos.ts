// The chaos page: a document under a server that is killed again and again.
import '../style.css'
import '../chaos.css'
import { type ChildState, childServer } from '../chaos/child-server.ts'
import { textName } from '../chaos/document.ts'
import { fingerprintOf } from '../chaos/fingerprint.ts'
import { cleanLine } from '../chaos/network.ts'
import { mountPanel } from '../chaos/panel.ts'
import { refusalNote } from '../chaos/refusal-note.ts'
import { bookSaved } from '../chaos/replica.ts'
import { Run, type Settings } from '../chaos/run.ts'
import { find } from '../dom.ts'
import type { Participant } from '../participant.ts'
import type { RoomAddress } from '../room.ts'
import { openPage } from '../shell.ts'
import { mountTextEditor } from '../text-editor.ts'

const settings: Settings = { bots: 6, latencyMs: 80, jitterMs: 120, lossShare: 0.001 }

function showPage(): void {
  // Asked first, so that the answer is there when the page is.
  const asked = childServer.state().catch(() => null)
  let run: Run | undefined
  const runIn = (room: RoomAddress): Run => {
    run ??= new Run({ serverUrl: `${room.serverUrl}/chaos/ws`, room: room.path }, settings)
    return run
  }
  const room = openPage({
    contentOf: fingerprintOf,
    // The panes' connections are clean, but they wait at the gate like everybody's: a page that holds the document would
    // bring back what the server lost, before anybody could see that it did.
    reach: here => ({
      ...here,
      serverUrl: `${here.serverUrl}/chaos/ws`,
      socketClass: runIn(here).network.socketClass(() => cleanLine)
    }),
    mount: (participant, body, here) => {
      watchPane(runIn(here), participant)
      mountTextEditor(body, participant, {
        text: participant.doc.getText(textName),
        label: `Shared text, ${participant.seat} pane`,
        placeholder: 'The bots begin in a moment. You can write here, too.'
      })
    }
  })
  void begin(runIn(room), asked)
}

function watchPane(run: Run, { doc, provider, connection, saving, person }: Participant): void {
  const followed = run.ledger.follow(doc, person.value.name, provider)
  run.watchPane({ person: person.value, doc, connection, unsaved: bookSaved(saving, followed) })
}

/** Nothing is begun on a server that does not allow it, and the page says how to. */
async function begin(run: Run, asked: Promise<ChildState | null>): Promise<void> {
  mountPanel(find('#chaos'), run)
  const state = await asked
  if (state === null || !state.isAllowed) {
    run.stop()
    find('#chaos').replaceChildren(refusalNote(state === null ? 'unreachable' : state.refusal))
    for (const id of ['#strip', '#panes', '#notice']) find(id).remove()
    return
  }
  try {
    const started = state.phase === 'up' ? state : await childServer.start()
    if (started.isAllowed) await run.open(started.pid)
  } catch (error) {
    run.complaint.set(error instanceof Error ? error.message : String(error))
  }
}

showPage()
