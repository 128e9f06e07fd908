/** Real Hocuspocus providers of every supported major version, and what tests wait for on them. */
import {
  HocuspocusProvider as Provider2,
  HocuspocusProviderWebsocket as Websocket2
} from '@hocuspocus/provider2'
import {
  HocuspocusProvider as Provider3,
  HocuspocusProviderWebsocket as Websocket3
} from '@hocuspocus/provider3'
import {
  HocuspocusProvider as Provider4,
  HocuspocusProviderWebsocket as Websocket4
} from '@hocuspocus/provider4'
import { onTestFinished } from 'vitest'
import WebSocket from 'ws'
import * as Y from 'yjs'
import { until } from './clients.ts'

export type ProviderVersion = '2.15' | '3.4' | '4.8'
export type HocuspocusProvider = Provider4
export type SharedWebsocket = Websocket4

/** The three share the members that tests use; options differ where it says so below. */
const providers = { '2.15': Provider2, '3.4': Provider3, '4.8': Provider4 } as unknown as Record<
  ProviderVersion,
  typeof Provider4
>
const websockets = { '2.15': Websocket2, '3.4': Websocket3, '4.8': Websocket4 } as unknown as Record<
  ProviderVersion,
  typeof Websocket4
>

export const providerVersions = Object.keys(providers) as ProviderVersion[]

export type HocuspocusClient = {
  readonly doc: Y.Doc
  readonly provider: HocuspocusProvider
  readonly websocket: SharedWebsocket
  destroy(): void
}

export type HocuspocusOptions = {
  readonly version?: ProviderVersion
  readonly doc?: Y.Doc
  readonly token?: string | null | (() => string | Promise<string>)
  /** A socket shared with other providers, from `openSocket`. */
  readonly websocket?: SharedWebsocket
  readonly path?: string
  readonly configuration?: Record<string, unknown>
}

/** Providers take their listeners off a socket before they close one that is not open yet, which is an error then. */
class QuietWebSocket extends WebSocket {
  constructor(url: string) {
    super(url)
    this.on('error', () => {})
  }
}

/** A socket for several providers, closed after the test. It connects at once. */
export function openSocket(
  url: string,
  version: ProviderVersion,
  options: Record<string, unknown> = {}
): SharedWebsocket {
  const websocket = new websockets[version]({
    url: url.replace(/^http/, 'ws'),
    WebSocketPolyfill: QuietWebSocket,
    // Real ones wait a second and more; tests have no need to.
    delay: 100,
    minDelay: 50,
    ...options
  })
  onTestFinished(() => websocket.destroy())
  return websocket
}

/** A provider of `room`; destroyed after the test. 2.x sends no Auth frame unless it has a token. */
export function provide(url: string, room: string, options: HocuspocusOptions = {}): HocuspocusClient {
  const version = options.version ?? '4.8'
  const doc = options.doc ?? new Y.Doc()
  const websocket = options.websocket ?? openSocket(`${url}${options.path ?? ''}`, version)
  const provider = new providers[version]({
    name: room,
    document: doc,
    websocketProvider: websocket,
    token: options.token ?? null,
    // 2.x only: no channel to other providers of this process.
    broadcast: false,
    ...options.configuration
  } as ConstructorParameters<typeof Provider4>[0])
  // 2.x attaches itself, the others only where they have made the socket themselves.
  if (version !== '2.15') provider.attach()
  let isDestroyed = false
  const destroy = () => {
    if (isDestroyed) return
    isDestroyed = true
    provider.destroy()
    if (options.websocket === undefined) websocket.destroy()
  }
  onTestFinished(destroy)
  return { doc, provider, websocket, destroy }
}

/** Resolves when the provider says that it is synced. */
export function providerSynced({ provider }: HocuspocusClient): Promise<void> {
  return until(() => provider.isSynced, 'the provider to be synced')
}

/** Resolves when everything the provider has sent was acknowledged: it is on disk. */
export function saved({ provider }: HocuspocusClient): Promise<void> {
  return until(() => provider.isSynced && !provider.hasUnsyncedChanges, 'no unsaved changes')
}

/** As a broken network: no close frame. */
export function breakOff({ websocket }: HocuspocusClient): void {
  // The sockets of these tests are ws sockets, which have it.
  ;(websocket.webSocket as unknown as { terminate(): void } | null)?.terminate()
}

/** Ends the connection until `websocket.connect()`. */
export async function goOffline({ websocket, provider }: HocuspocusClient): Promise<void> {
  websocket.disconnect()
  await until(() => websocket.webSocket === null && !provider.isSynced, 'the connection to be over')
}
