// One person at one pane: a replica of the document, a connection of its own, and what is known about both.
// Two participants on one page share nothing but the server (`disableBc`: no BroadcastChannel between them).
import type { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { batchUpdates } from './batching.ts'
import { calmAwareness } from './calm-awareness.ts'
import { type ConnectionState, followConnection } from './connection.ts'
import type { Person, Seat } from './person.ts'
import { rememberedPerson, rememberPerson } from './remembered-person.ts'
import type { RoomAddress } from './room.ts'
import { followSaving, type SaveState } from './saved.ts'
import { createSignal, type Signal } from './signal.ts'
import { createTap, type Tap } from './wire/tap.ts'

export type Participant = {
  readonly seat: Seat
  readonly doc: Y.Doc
  /** What pages use of a provider, whatever dialect it speaks. */
  readonly provider: Pick<WebsocketProvider, 'awareness' | 'connect' | 'disconnect'>
  /** The origin of transactions that came from the server. */
  readonly remoteOrigin: unknown
  /** The provider's awareness for editor bindings, which redraw at each of its changes. */
  readonly calmAwareness: Awareness
  readonly connection: Signal<ConnectionState>
  readonly saving: Signal<SaveState>
  readonly person: Signal<Person>
  /** Renames or recolours this person: announced to the room and remembered. */
  introduce(person: Person): void
  readonly wire: {
    readonly tap: Tap
    /** How many acknowledgements are due, in a dialect that has them. */
    unacknowledged(): number
  }
}

/** Joins a room at a seat; the connection is under way when this returns. */
export function join(room: RoomAddress, seat: Seat): Participant {
  const doc = new Y.Doc()
  const tap = createTap('y-websocket', room.socketClass)
  const options = { disableBc: true, connect: false, WebSocketPolyfill: tap.Socket }
  const provider = new WebsocketProvider(room.serverUrl, room.path, doc, options)
  batchUpdates(provider)
  const saving = followSaving(provider)
  const introduced = introduction(provider.awareness, seat)
  provider.connect()
  return {
    seat,
    doc,
    provider,
    remoteOrigin: provider,
    calmAwareness: calmAwareness(provider.awareness),
    connection: followConnection(provider),
    saving,
    ...introduced,
    wire: { tap, unacknowledged: () => 0 }
  }
}

/** The person remembered at a seat, announced to the room now and whenever something changes. */
export function introduction(awareness: Awareness, seat: Seat): Pick<Participant, 'person' | 'introduce'> {
  const person = createSignal(rememberedPerson(seat))
  announce(awareness, person.value)
  return {
    person,
    introduce(changed) {
      person.set(changed)
      rememberPerson(seat, changed)
      announce(awareness, changed)
    }
  }
}

/** The field `user` with these three members is what the Yjs editor bindings draw cursors from. */
function announce(awareness: Awareness, { name, color }: Person): void {
  awareness.setLocalStateField('user', { name, color, colorLight: `${color}33` })
}
