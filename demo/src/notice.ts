// One line above the panes when the server cannot be reached or refuses: what is wrong and what happens next.
import type { Participant } from './participant.ts'
import type { RoomAddress } from './room.ts'

/** One failure may be a hiccup that mends itself in 200 ms; from the second on it is worth words. */
const failuresBeforeWords = 2

/** Shows the notice while a participant that should be connected is not. */
export function bindNotice(box: HTMLElement, room: RoomAddress, participants: readonly Participant[]): void {
  const show = () => {
    const words = noticeWords(room, participants)
    if (box.textContent !== words) box.textContent = words
    box.hidden = words === ''
  }
  for (const { connection } of participants) connection.watch(show)
}

function noticeWords(room: RoomAddress, participants: readonly Participant[]): string {
  const states = participants.map(({ connection }) => connection.value)
  const refused = states.find(state => state.phase === 'refused')
  if (refused !== undefined) {
    return `The server refused this room (${refused.reason}). Turn “Connected” on to try again.`
  }
  const isUnreachable = states.some(
    state => state.phase === 'retrying' && state.failures >= failuresBeforeWords
  )
  if (!isUnreachable) return ''
  return (
    `No sync server answers at ${room.serverUrl}. Is it running? You can go on writing: this page keeps trying ` +
    'and sends everything when the server is back. Keep it open until then.'
  )
}
