// A person at a pane whose provider is Hocuspocus's: the same room on the same server, in the other dialect.
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider4'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { calmAwareness } from './calm-awareness.ts'
import { followHocuspocus } from './hocuspocus-state.ts'
import { introduction, type Participant } from './participant.ts'
import type { Seat } from './person.ts'
import type { RoomAddress } from './room.ts'
import { createTap } from './wire/tap.ts'

/** Joins a room at a seat; the connection is under way when this returns. */
export function joinByHocuspocus(room: RoomAddress, seat: Seat): Participant {
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  const tap = createTap('Hocuspocus')
  const socket = new HocuspocusProviderWebsocket({
    url: room.serverUrl,
    autoConnect: false,
    WebSocketPolyfill: tap.Socket
  })
  const provider = new HocuspocusProvider({
    websocketProvider: socket,
    name: room.name,
    document: doc,
    awareness
  })
  const introduced = introduction(awareness, seat)
  const states = followHocuspocus(provider, socket)
  const connect = () => {
    // Said first: a connection that is still closing comes back by itself then.
    socket.shouldConnect = true
    // It never rejects: what fails is tried again.
    void socket.connect()
  }
  provider.attach()
  connect()
  return {
    seat,
    doc,
    provider: { awareness, connect, disconnect: () => socket.disconnect() },
    remoteOrigin: provider,
    calmAwareness: calmAwareness(awareness),
    ...states,
    ...introduced,
    wire: { tap, unacknowledged: () => provider.unsyncedChanges }
  }
}
