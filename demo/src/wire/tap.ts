// Where the wire view looks in: the WebSocket class that a pane's provider is given. What is shown is thus what
// passed, byte for byte. While nobody listens it costs one comparison per message, and nothing is kept.

export type At = { readonly connection: number; readonly atMs: number }

export type MessagePassage = At & {
  readonly kind: 'sent' | 'received'
  /** Not to be written to: the provider holds the same bytes. */
  readonly bytes: Uint8Array
}

export type ConnectionPassage = At &
  ({ readonly kind: 'opened' } | { readonly kind: 'closed'; readonly code: number; readonly reason: string })

export type Passage = MessagePassage | ConnectionPassage

export type Dialect = 'y-websocket' | 'Hocuspocus'

export type Tap = {
  readonly dialect: Dialect
  /** For the provider's `WebSocketPolyfill`. */
  readonly Socket: typeof WebSocket
  /** One listener at a time; it is called before the provider sees what was received, and after it has sent. */
  listen(listener: ((passage: Passage) => void) | null): void
}

/** Creates the tap of one pane, into sockets of that class; they count up from 1. */
export function createTap(dialect: Dialect, Socket: typeof WebSocket = WebSocket): Tap {
  let listener: ((passage: Passage) => void) | null = null
  let connections = 0

  class TappedSocket extends Socket {
    readonly #connection: number

    constructor(...address: ConstructorParameters<typeof WebSocket>) {
      super(...address)
      connections += 1
      const connection = connections
      this.#connection = connection
      // The first listeners of this socket: the provider adds its own when this returns.
      this.addEventListener('open', () => listener?.({ kind: 'opened', connection, atMs: performance.now() }))
      this.addEventListener('close', ({ code, reason }) =>
        listener?.({ kind: 'closed', connection, atMs: performance.now(), code, reason })
      )
      this.addEventListener('message', ({ data }) => this.#tell('received', data))
    }

    override send(data: string | ArrayBufferLike | Blob | ArrayBufferView<ArrayBufferLike>): void {
      super.send(data as Parameters<WebSocket['send']>[0])
      this.#tell('sent', data)
    }

    #tell(kind: 'sent' | 'received', data: unknown): void {
      if (listener === null) return
      const bytes = bytesOf(data)
      // Neither dialect has text messages, and both clients ask for array buffers.
      if (bytes !== null) listener({ kind, connection: this.#connection, atMs: performance.now(), bytes })
    }
  }

  return {
    dialect,
    Socket: TappedSocket,
    listen(next) {
      listener = next
    }
  }
}

function bytesOf(data: unknown): Uint8Array | null {
  if (data instanceof Uint8Array) return data
  return data instanceof ArrayBuffer ? new Uint8Array(data) : null
}
