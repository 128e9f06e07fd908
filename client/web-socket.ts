/** A WebSocket for one document, as y-websocket opens it: the room in the URL's path. */
import { askAcknowledgements, readMessage, tokenMessage } from './messages.ts'
import type { Attempt, Channel, ChannelEvents, Transport } from './transport.ts'

/** What is used of a WebSocket: the browser's, Node's own, or that of the package `ws`. */
export type SocketClass = new (url: string, protocols?: string[]) => WebSocket

export type WebSocketOptions = {
  readonly socketClass: SocketClass | undefined
  readonly protocols: readonly string[]
}

/** Such a token fits into a subprotocol, where no access log writes it down. A longer one might not fit into a header. */
const protocolToken = /^[\w!#$%&'*+.^`|~-]{1,4096}$/

/** Throws where there is no WebSocket, and for what is no URL. */
export function webSocketTransport(serverUrl: string, options: WebSocketOptions): Transport {
  const url = serverUrl.replace(/^http/, 'ws').replace(/\/+$/, '')
  // Said at once, not at each try.
  socketClassOf(options.socketClass)
  new URL(url)
  return { url, open: (attempt, events) => open(url, attempt, { ...options, events }) }
}

/** The address of one document, without the token. */
export function documentUrl(serverUrl: string, { room, params }: Pick<Attempt, 'room' | 'params'>): string {
  // What comes after these never reaches the server.
  const path = room.replace(/[#?]/g, encodeURIComponent)
  const query = new URLSearchParams(params).toString()
  return `${serverUrl}/${path}${query === '' ? '' : `?${query}`}`
}

function open(
  serverUrl: string,
  attempt: Attempt,
  to: WebSocketOptions & { readonly events: ChannelEvents }
): Channel {
  const { token, params } = attempt
  const fits = token === null || protocolToken.test(token)
  const url = documentUrl(serverUrl, fits ? attempt : { ...attempt, params: { ...params, token } })
  const carried = token === null || !fits ? [] : ['chorus', `chorus.token.${token}`]
  return new WebSocketChannel(createSocket(to.socketClass, url, [...to.protocols, ...carried]), to.events)
}

/** Throws for what is no URL of a WebSocket. */
export function createSocket(
  socketClass: SocketClass | undefined,
  url: string,
  protocols: string[]
): WebSocket {
  const found = socketClassOf(socketClass)
  const socket = protocols.length === 0 ? new found(url) : new found(url, protocols)
  socket.binaryType = 'arraybuffer'
  return socket
}

/** The bytes of lib0 lie in memory that is not shared, though its types do not say so. */
export function sendBytes(socket: WebSocket, bytes: Uint8Array): void {
  socket.send(bytes as Uint8Array<ArrayBuffer>)
}

function socketClassOf(socketClass: SocketClass | undefined): SocketClass {
  const found = socketClass ?? globalThis.WebSocket
  if (found === undefined)
    throw new Error('there is no WebSocket here; give one as the option WebSocketPolyfill')
  return found
}

class WebSocketChannel implements Channel {
  readonly #socket: WebSocket
  /** Why access was refused: servers say so before they close, and older ones nowhere else. */
  #denied = ''

  constructor(socket: WebSocket, events: ChannelEvents) {
    this.#socket = socket
    socket.onopen = () => {
      sendBytes(socket, askAcknowledgements())
      events.opened()
    }
    socket.onmessage = ({ data }) => {
      if (typeof data !== 'string') this.#received(new Uint8Array(data as ArrayBuffer), events)
    }
    socket.onclose = ({ code, reason }) => {
      this.#silence()
      events.closed({ code: code || 1006, reason: reason || this.#denied })
    }
    // What failed is told by `close`, which follows.
    socket.onerror = () => {}
  }

  #received(bytes: Uint8Array, events: ChannelEvents): void {
    const message = readMessage(bytes)
    if (message.type === 'token-request') return events.tokenWanted()
    if (message.type === 'denied') this.#denied = message.reason
    events.received(bytes)
  }

  send(message: Uint8Array): void {
    if (this.#socket.readyState === this.#socket.OPEN) sendBytes(this.#socket, message)
  }

  renew(token: string): void {
    this.send(tokenMessage(token))
  }

  close(): void {
    this.#silence()
    this.#socket.close()
  }

  /** A socket that is still flushing tells nothing any more. `onerror` stays: one that is still opening reports that. */
  #silence(): void {
    this.#socket.onopen = null
    this.#socket.onmessage = null
    this.#socket.onclose = null
  }
}
