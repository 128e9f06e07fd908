/** Real y-websocket clients of every supported major version, and what tests wait for on them. */
import WebSocket from 'ws'
import { WebsocketProvider as Provider3 } from 'y-websocket'
import { WebsocketProvider as Provider1 } from 'y-websocket-1'
import { WebsocketProvider as Provider2 } from 'y-websocket-2'
import * as Y from 'yjs'

// Each provider of 1.5 and 2.1 listens for the end of the process.
process.setMaxListeners(100)

/** Against waiting for ever, and no judgement of how long something may take: a busy machine may take its time. */
export const patienceMs = 60_000

export type Provider = InstanceType<typeof Provider3>

export type ClientVersion = '1.5' | '2.1' | '3.1'

/** The three share the constructor and the members that tests use. */
const providers = { '1.5': Provider1, '2.1': Provider2, '3.1': Provider3 } as unknown as Record<
  ClientVersion,
  typeof Provider3
>

export const clientVersions = Object.keys(providers) as ClientVersion[]

export type Client = { readonly doc: Y.Doc; readonly provider: Provider; destroy(): void }

export type ClientOptions = {
  readonly version?: ClientVersion
  readonly doc?: Y.Doc
  readonly params?: Record<string, string>
  readonly connect?: boolean
  /** The page that a browser would name in its handshake; without it none is named. */
  readonly origin?: string
}

/** A client of `room` at the server's URL (http or ws), without a channel to other clients of this process. */
export function connect(url: string, room: string, options: ClientOptions = {}): Client {
  const doc = options.doc ?? new Y.Doc()
  const provider = new providers[options.version ?? '3.1'](url.replace(/^http/, 'ws'), room, doc, {
    WebSocketPolyfill: webSocketOf(options.origin),
    disableBc: true,
    connect: options.connect ?? true,
    params: options.params ?? {}
  })
  return {
    doc,
    provider,
    destroy: () => {
      provider.destroy()
      doc.destroy()
    }
  }
}

/** `ws` has what a provider uses of the browser's own. */
function webSocketOf(origin: string | undefined): typeof globalThis.WebSocket {
  if (origin === undefined) return WebSocket as unknown as typeof globalThis.WebSocket
  const withOrigin = class extends WebSocket {
    constructor(address: string) {
      super(address, { origin })
    }
  }
  return withOrigin as unknown as typeof globalThis.WebSocket
}

/** Resolves when the client says that it is synced. */
export function synced({ provider }: Client): Promise<void> {
  if (provider.synced) return Promise.resolve()
  return new Promise(resolve => {
    const listener = (isSynced: boolean) => {
      if (!isSynced) return
      provider.off('sync', listener)
      resolve()
    }
    provider.on('sync', listener)
  })
}

/** Ends the connection, and resolves when the client has noticed: only then will it connect again when told to. */
export async function disconnect({ provider }: Client): Promise<void> {
  provider.disconnect()
  await until(() => provider.ws === null && !provider.synced, 'the connection to be over')
}

/**
 * Resolves when the condition holds; it is looked at after every event of the documents and their awareness, and now
 * and then for what has no event. Rejects with the description after `timeoutMs`.
 */
export function until(condition: () => boolean, what: string, timeoutMs = patienceMs): Promise<void> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now()
    const look = () => {
      if (condition()) resolve()
      else if (performance.now() - startMs > timeoutMs)
        reject(new Error(`waited ${timeoutMs} ms for: ${what}`))
      else setTimeout(look, 5)
    }
    look()
  })
}

/** As `until`, for what must be asked for. */
export async function untilAsync(
  condition: () => Promise<boolean>,
  what: string,
  timeoutMs = patienceMs
): Promise<void> {
  const startMs = performance.now()
  while (!(await condition())) {
    if (performance.now() - startMs > timeoutMs) throw new Error(`waited ${timeoutMs} ms for: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** Waits until all documents have the same state, and returns it. */
export async function converged(
  clients: readonly Pick<Client, 'doc'>[],
  timeoutMs = patienceMs
): Promise<Uint8Array> {
  const state = ({ doc }: Pick<Client, 'doc'>) => Buffer.from(Y.encodeStateAsUpdate(doc)).toString('base64')
  await until(() => new Set(clients.map(state)).size === 1, 'all documents equal', timeoutMs)
  return Y.encodeStateAsUpdate((clients[0] as Pick<Client, 'doc'>).doc)
}

/**
 * Resolves when the server has made everything durable that this client sent before: SyncStep1 is answered only then
 * (rule YW6).
 */
export function barrier({ provider, doc }: Client): Promise<void> {
  const socket = provider.ws
  if (socket === null) return Promise.reject(new Error('not connected'))
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error('the connection closed before the barrier'))
    socket.addEventListener('close', closed)
    const handlers = provider.messageHandlers as unknown[]
    const original = handlers[0] as (...args: unknown[]) => unknown
    handlers[0] = (encoder: unknown, decoder: { arr: Uint8Array; pos: number }, ...rest: unknown[]) => {
      const step = decoder.arr[decoder.pos]
      const result = original(encoder, decoder, ...rest)
      if (step === 1) {
        handlers[0] = original
        socket.removeEventListener('close', closed)
        resolve()
      }
      return result
    }
    const vector = Y.encodeStateVector(doc)
    if (vector.length > 127) throw new Error('a state vector this long needs a longer length')
    socket.send(Uint8Array.from([0, 0, vector.length, ...vector]))
  })
}
