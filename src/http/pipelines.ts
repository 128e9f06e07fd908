/**
 * Ends connections in the middle of what they have sent. What is read at once may hold 1,700 requests, and Node parses them
 * all, also those behind the one at which their connection was destroyed: objects for each, and an error with a stack, which
 * takes longer than to answer them. It knows sockets and chunks, nothing of requests.
 */
import type { EventEmitter } from 'node:events'
import { Server as HttpServer } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'

export class Pipelines {
  /** What was read last, and of whom: whoever is called by the parser is called while this is parsed. */
  #socket: Socket | null = null
  #chunk: Buffer | null = null
  /** One for each server that is watched. */
  readonly #looks = new Set<(chunk: Buffer) => void>()

  /** Looks at what connections of the server bring from now on. The returned function ends it. */
  watch(httpServer: object): () => void {
    const event = eventOf(httpServer)
    if (event === null) return () => {}
    const server = httpServer as HttpServer
    const pipelines = this
    const look = function (this: Socket, chunk: Buffer) {
      if (!pipelines.#looks.has(look)) return void this.off('data', look)
      pipelines.#socket = this
      pipelines.#chunk = chunk
    }
    // Before the parser; and the parser reads by events only when somebody else does.
    const connected = (socket: Socket) => void socket.prependListener('data', look)
    server.on(event, connected)
    this.#looks.add(look)
    return () => {
      server.off(event, connected)
      this.#looks.delete(look)
      this.#socket = null
      this.#chunk = null
    }
  }

  /** It speaks another protocol from now on. */
  leave(socket: EventEmitter): void {
    for (const look of this.#looks) socket.off('data', look)
  }

  /** Destroys the connection. To its parser the rest is no request. */
  end(socket: Socket): void {
    socket.destroy()
    if (this.#socket !== socket) return
    this.#chunk?.fill(0)
    this.#socket = null
    this.#chunk = null
  }
}

/** What announces a socket on which requests come: none where these come in another way, as in HTTP/2. */
function eventOf(httpServer: object): 'connection' | 'secureConnection' | null {
  if (httpServer instanceof HttpServer) return 'connection'
  return httpServer instanceof HttpsServer ? 'secureConnection' : null
}
