// A bot: a person who is not there, with a document and a connection of its own and an unmodified provider, of either
// dialect. It shares nothing with the others but the server.
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider4'
import type { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { type ConnectionState, followConnection } from '../connection.ts'
import type { Person } from '../person.ts'
import { followSaving } from '../saved.ts'
import { createSignal, type Signal } from '../signal.ts'
import type { Followed, Ledger } from './ledger.ts'
import { bookSaved, type Replica } from './replica.ts'
import { Writer } from './writer.ts'

export type Bot = Replica & {
  readonly dialect: 'y-websocket' | 'Hocuspocus'
  /** It has seen the document once. */
  readonly hasJoined: boolean
  /** Makes one edit, connected or not. */
  edit(): void
  /** Ends as a tab that crashes: nothing more is sent. Returns how many of its edits nobody had been promised. */
  crash(): number
}

export type BotHome = {
  /** The y-websocket server URL and the room's path. */
  readonly serverUrl: string
  readonly room: string
  readonly socketClass: typeof WebSocket
  readonly ledger: Ledger
  readonly random: () => number
}

type Connected = {
  readonly awareness: Awareness
  readonly connection: Signal<ConnectionState>
  readonly unsaved: Signal<number>
  destroy(): void
}

/** Joins the room; the connection is under way when this returns. */
export function joinAsBot(home: BotHome, person: Person, dialect: Bot['dialect']): Bot {
  const doc = new Y.Doc()
  const { connected, followed } =
    dialect === 'Hocuspocus' ? speakHocuspocus(home, doc, person) : speakYWebsocket(home, doc, person)
  const { awareness, connection, unsaved } = connected
  let hasJoined = false
  connection.watch(({ phase }) => {
    hasJoined ||= phase === 'online'
  })
  const writer = new Writer(doc, person.name, home.random)
  awareness.setLocalStateField('user', { ...person, colorLight: `${person.color}33` })
  return {
    person,
    dialect,
    doc,
    connection,
    unsaved,
    get hasJoined() {
      return hasJoined
    },
    edit() {
      const cursor = writer.edit()
      awareness.setLocalStateField('cursor', { anchor: cursor, head: cursor })
    },
    crash() {
      const orphaned = followed.orphan()
      connected.destroy()
      doc.destroy()
      return orphaned
    }
  }
}

type Speaking = { readonly connected: Connected; readonly followed: Followed }

function speakYWebsocket(home: BotHome, doc: Y.Doc, { name }: Person): Speaking {
  const provider = new WebsocketProvider(home.serverUrl, home.room, doc, {
    WebSocketPolyfill: home.socketClass,
    disableBc: true,
    connect: false
  })
  const followed = home.ledger.follow(doc, name, provider)
  const unsaved = bookSaved(followSaving(provider), followed)
  const connection = followConnection(provider)
  provider.connect()
  const { awareness } = provider
  return { followed, connected: { awareness, connection, unsaved, destroy: () => provider.destroy() } }
}

/** The server tells this provider of each message that is on the disk (SyncStatus). */
function speakHocuspocus(home: BotHome, doc: Y.Doc, { name }: Person): Speaking {
  const socket = new HocuspocusProviderWebsocket({
    url: home.serverUrl,
    WebSocketPolyfill: home.socketClass,
    delay: 250,
    minDelay: 100,
    maxDelay: 2000,
    autoConnect: false
  })
  const room = decodeURIComponent(home.room)
  const provider = new HocuspocusProvider({ websocketProvider: socket, name: room, document: doc })
  const followed = home.ledger.follow(doc, name, provider)
  const unsaved = bookReceipts(provider, () => socket.webSocket?.readyState === WebSocket.OPEN, followed)
  const connection = createSignal<ConnectionState>({ phase: 'connecting' })
  provider.on('synced', () => connection.set({ phase: 'online' }))
  provider.on('close', () => connection.set({ phase: 'retrying', failures: 1 }))
  provider.attach()
  void socket.connect()
  const { awareness } = provider
  if (awareness === null) throw new Error('a Hocuspocus provider without awareness')
  const destroy = () => {
    provider.destroy()
    socket.destroy()
  }
  return { followed, connected: { awareness, connection, unsaved, destroy } }
}

/**
 * The provider's count of unsynced changes begins at one with every connection, but what was written without one is
 * sent, and receipted, in addition: with many of those it is zero while something newer is still on its way. So the
 * receipts are counted here, and an edit is promised only when all that are due have come.
 */
function bookReceipts(
  provider: HocuspocusProvider,
  isOpen: () => boolean,
  followed: Followed
): Signal<number> {
  const unsaved = createSignal(0)
  let queued = 0
  let due = Number.POSITIVE_INFINITY
  let last = 0
  provider.document.on('update', (_update: Uint8Array, origin: unknown) => {
    if (origin === provider) return
    if (isOpen()) due += 1
    else queued += 1
  })
  provider.on('open', () => {
    // The one is for the SyncStep2; the provider sets its own count so, in a moment.
    due = 1 + queued
    queued = 0
    last = 1
  })
  provider.on('unsyncedChanges', ({ number }: { number: number }) => {
    if (number === last - 1 || (number === 0 && last === 0)) due -= 1
    last = number
    unsaved.set(number)
    if (number === 0 && due <= 0) followed.saved(followed.made)
  })
  return unsaved
}
