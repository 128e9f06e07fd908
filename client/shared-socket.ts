/**
 * One WebSocket for several documents, in the Hocuspocus dialect (PROTOCOL.md): each message begins with the document's name,
 * and a token comes in a message of its own. It is open while somebody has a channel on it.
 */
import { createDecoder, readTailAsUint8Array, readVarString, readVarUint } from 'lib0/decoding'
import { writeUint8Array, writeVarString, writeVarUint } from 'lib0/encoding'
import { askAcknowledgements, messageTypes, written } from './messages.ts'
import type { Attempt, Channel, ChannelEvents, Closed, Transport } from './transport.ts'
import { createSocket, type SocketClass, sendBytes } from './web-socket.ts'

const closeType = 7
const authTypes = { token: 0, denied: 1, authenticated: 2 } as const

export type ChorusSocketOptions = {
  /** A WebSocket class, where there is no global one (Node 20). */
  readonly WebSocketPolyfill?: SocketClass
}

export class ChorusSocket implements Transport {
  readonly url: string
  readonly #socketClass: SocketClass | undefined
  /** Bounded by the server, which refuses too many. */
  readonly #channels = new Map<string, SharedChannel>()
  #socket: WebSocket | null = null
  #opened = 0

  /** `url`: of the server, without a document. Nothing is opened before a provider connects. */
  constructor(url: string, options: ChorusSocketOptions = {}) {
    this.url = url.replace(/^http/, 'ws').replace(/\/+$/, '')
    this.#socketClass = options.WebSocketPolyfill
  }

  open(attempt: Attempt, events: ChannelEvents): Channel {
    this.#socket ??= this.#begin()
    // Several providers of one document are told apart by what follows a zero.
    const key = `${nameOf(attempt.room)}\0${++this.#opened}`
    const channel = new SharedChannel({ key, token: attempt.token, events }, this)
    this.#channels.set(key, channel)
    if (this.#socket.readyState === this.#socket.OPEN) channel.begin()
    return channel
  }

  /** Called by channels only. */
  send(key: string, message: Uint8Array): void {
    const socket = this.#socket
    if (socket === null || socket.readyState !== socket.OPEN) return
    const bytes = written(encoder => {
      writeVarString(encoder, key)
      writeUint8Array(encoder, message)
    })
    sendBytes(socket, bytes)
  }

  /** Called by channels only: this one is over. */
  leave(key: string): void {
    if (!this.#channels.delete(key)) return
    this.send(key, Uint8Array.of(closeType))
    if (this.#channels.size > 0) return
    this.#silence()
  }

  #begin(): WebSocket {
    const socket = createSocket(this.#socketClass, this.url, [])
    socket.onopen = () => {
      for (const channel of [...this.#channels.values()]) channel.begin()
    }
    socket.onmessage = ({ data }) => {
      if (typeof data !== 'string') this.#received(new Uint8Array(data as ArrayBuffer))
    }
    socket.onclose = ({ code, reason }) => this.#closed({ code: code || 1006, reason })
    // What failed is told by `close`, which follows.
    socket.onerror = () => {}
    return socket
  }

  #received(bytes: Uint8Array): void {
    // A bare Ping or Pong: the connection lives.
    if (bytes.length === 1) return
    const decoder = createDecoder(bytes)
    const key = readVarString(decoder)
    this.#channels.get(key)?.received(readTailAsUint8Array(decoder))
  }

  #closed(closed: Closed): void {
    const channels = [...this.#channels.values()]
    this.#channels.clear()
    this.#silence()
    for (const channel of channels) channel.ended(closed)
  }

  #silence(): void {
    const socket = this.#socket
    this.#socket = null
    if (socket === null) return
    socket.onopen = null
    socket.onmessage = null
    socket.onclose = null
    socket.close()
  }
}

type SharedChannelParts = {
  readonly key: string
  readonly token: string | null
  readonly events: ChannelEvents
}

class SharedChannel implements Channel {
  readonly #parts: SharedChannelParts
  readonly #socket: ChorusSocket
  #isOpen = false

  constructor(parts: SharedChannelParts, socket: ChorusSocket) {
    this.#parts = parts
    this.#socket = socket
  }

  begin(): void {
    this.renew(this.#parts.token ?? '')
    this.send(askAcknowledgements())
  }

  received(message: Uint8Array): void {
    const { events } = this.#parts
    const decoder = createDecoder(message)
    if (readVarUint(decoder) !== messageTypes.auth) return events.received(message)
    switch (readVarUint(decoder)) {
      case authTypes.token:
        return events.tokenWanted()
      case authTypes.denied:
        return this.#denied(readVarString(decoder))
      default:
        if (this.#isOpen) return
        this.#isOpen = true
        return events.opened()
    }
  }

  /** The socket goes on for the others. The message has no code: what a provider does about it is the same for all. */
  #denied(reason: string): void {
    this.#socket.leave(this.#parts.key)
    this.ended({ code: codeOfReason(reason), reason })
  }

  ended(closed: Closed): void {
    this.#parts.events.closed(closed)
  }

  send(message: Uint8Array): void {
    this.#socket.send(this.#parts.key, message)
  }

  renew(token: string): void {
    this.send(
      written(encoder => {
        writeVarUint(encoder, messageTypes.auth)
        writeVarUint(encoder, authTypes.token)
        writeVarString(encoder, token)
      })
    )
  }

  close(): void {
    this.#socket.leave(this.#parts.key)
  }
}

/** A PermissionDenied is a text; these are the server's own, as its table of close codes has them. */
const codes: Readonly<Record<string, number>> = {
  'not authenticated': 4401,
  'the access has expired; come back with a new token': 4503,
  'the access has expired, and the same token came again and again': 4401,
  'not authenticated in time; try again': 4502,
  'who you are cannot be checked now; try again': 1013,
  'no access now; try again later': 4504,
  'there is no such document': 4404,
  'the document was deleted': 4404,
  'this copy belongs to a document that was deleted': 4410,
  'updates could not be read again; they were set aside': 4400,
  'updates are too large; they were set aside': 4413,
  'the server is at a limit; try again later': 1013,
  'too many documents on one connection': 1013
}

/** The close code that the server's reason stands for. An application's own reason is one of access. */
export function codeOfReason(reason: string): number {
  return codes[reason] ?? 4403
}

/** The server decodes what stands in a URL once; here the name is as it is. */
function nameOf(room: string): string {
  try {
    return decodeURIComponent(room)
  } catch {
    // An invalid escape stands for itself.
    return room
  }
}
