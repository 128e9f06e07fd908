/** Real Durable Streams clients, and what tests wait for on them; and the same spoken by hand. */
import { YjsProvider } from '@durable-streams/y-durable-streams'
import { createEncoder, toUint8Array, writeVarUint8Array } from 'lib0/encoding'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'

export type LiveMode = 'sse' | 'long-poll'

export type StreamClient = {
  readonly doc: Y.Doc
  readonly awareness: Awareness
  readonly provider: YjsProvider
  readonly errors: readonly Error[]
  destroy(): void
}

export type StreamClientOptions = {
  readonly doc?: Y.Doc
  readonly liveMode?: LiveMode
  readonly headers?: Record<string, string>
  readonly awareness?: boolean
}

/** Where streams of the server at this URL are. */
export function streamBase(url: string): string {
  return `${url}/v1/yjs/test`
}

/** A client of the document at the server's URL. Names are given as applications give them: encoded. */
export function connectStream(
  url: string,
  document: string,
  options: StreamClientOptions = {}
): StreamClient {
  const { doc = new Y.Doc(), liveMode = 'sse', headers = {}, awareness: hasAwareness = true } = options
  const awareness = new Awareness(doc)
  const errors: Error[] = []
  const provider = new YjsProvider({
    doc,
    baseUrl: streamBase(url),
    docId: encodeURIComponent(document),
    headers,
    liveMode,
    ...(hasAwareness ? { awareness } : {}),
    connect: false
  })
  provider.on('error', (error: Error) => void errors.push(error))
  void provider.connect()
  return {
    doc,
    awareness,
    provider,
    errors,
    destroy: () => {
      provider.destroy()
      awareness.destroy()
    }
  }
}

/** Resolves when the client says that it is synced. */
export function streamSynced({ provider }: StreamClient): Promise<void> {
  if (provider.synced) return Promise.resolve()
  return new Promise(resolve => {
    const listener = (isSynced: boolean) => {
      if (!isSynced) return
      provider.off('synced', listener)
      resolve()
    }
    provider.on('synced', listener)
  })
}

/** Updates as the body of one POST. */
export function bodyOf(...updates: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const encoder = createEncoder()
  for (const update of updates) writeVarUint8Array(encoder, update)
  return Uint8Array.from(toUint8Array(encoder))
}
