// One person at one pane: a replica of the document, a connection of its own, and what is known about both.
// Two participants on one page share nothing but the server (`disableBc`: no BroadcastChannel between them).
import type { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { batchUpdates } from './batching.ts'
import { calmAwareness } from './calm-awareness.ts'
import { type ConnectionState, followConnection } from './connection.ts'
import { type Person, rememberedPerson, rememberPerson, type Seat } from './person.ts'
import type { RoomAddress } from './room.ts'
import { followSaving, type SaveState } from './saved.ts'
import { createSignal, type Signal } from './signal.ts'

export type Participant = {
  readonly seat: Seat
  readonly doc: Y.Doc
  readonly provider: WebsocketProvider
  /** The provider's awareness for editor bindings, which redraw at each of its changes. */
  readonly calmAwareness: Awareness
  readonly connection: Signal<ConnectionState>
  readonly saving: Signal<SaveState>
  readonly person: Signal<Person>
  /** Renames or recolours this person: announced to the room and remembered. */
  introduce(person: Person): void
}

/** Joins a room at a seat; the connection is under way when this returns. */
export function join(room: RoomAddress, seat: Seat): Participant {
  const doc = new Y.Doc()
  const WebSocketPolyfill = room.socketClass ?? WebSocket
  const options = { disableBc: true, connect: false, WebSocketPolyfill }
  const provider = new WebsocketProvider(room.serverUrl, room.path, doc, options)
  const person = createSignal(rememberedPerson(seat))
  batchUpdates(provider)
  const saving = followSaving(provider)
  announce(provider, person.value)
  provider.connect()
  return {
    seat,
    doc,
    provider,
    calmAwareness: calmAwareness(provider.awareness),
    connection: followConnection(provider),
    saving,
    person,
    introduce(changed) {
      person.set(changed)
      rememberPerson(seat, changed)
      announce(provider, changed)
    }
  }
}

/** The field `user` with these three members is what the Yjs editor bindings draw cursors from. */
function announce(provider: WebsocketProvider, { name, color }: Person): void {
  provider.awareness.setLocalStateField('user', { name, color, colorLight: `${color}33` })
}
