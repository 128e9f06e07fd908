/** Real Durable Streams clients, and what tests wait for on them; and the same spoken by hand. */
import { YjsProvider } from '@durable-streams/y-durable-streams'
import { createDecoder, hasContent, readVarUint8Array } from 'lib0/decoding'
import { createEncoder, toUint8Array, writeVarUint8Array } from 'lib0/encoding'
import { onTestFinished } from 'vitest'
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

/** An event of an event stream: `data` decoded, `control` parsed. */
export type StreamEvent =
  | { readonly type: 'data'; readonly messages: readonly Uint8Array[] }
  | {
      readonly type: 'control'
      readonly streamNextOffset: string
      readonly streamCursor: string
      readonly upToDate?: boolean
    }

export type EventReader = {
  readonly response: Response
  /** Every event that has come so far. */
  readonly events: StreamEvent[]
  /** Whether the server has ended it. */
  readonly isOver: () => boolean
  stop(): void
}

/** The messages of a body, in order. */
export function messagesIn(body: Uint8Array): Uint8Array[] {
  const decoder = createDecoder(body)
  const messages: Uint8Array[] = []
  while (hasContent(decoder)) messages.push(readVarUint8Array(decoder))
  return messages
}

/** What the updates of a body make of an empty document. */
export function documentOf(messages: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc()
  for (const update of messages) Y.applyUpdate(doc, update)
  return doc
}

/** One document of a server, asked by hand. */
export type RawStream = {
  readonly address: string
  ask(method: string, query?: string, init?: RequestInit): Promise<Response>
  /** POSTs updates; the headers are further ones. */
  post(updates: readonly Uint8Array[], headers?: Record<string, string>): Promise<Response>
  /** An event stream from there; it is stopped when the test ends. */
  follow(query: string, headers?: Record<string, string>): Promise<EventReader>
}

export function rawStream(url: string, document: string): RawStream {
  const address = `${streamBase(url)}/docs/${encodeURIComponent(document)}`
  const ask = (method: string, query = '', init: RequestInit = {}) =>
    fetch(`${address}${query}`, { method, redirect: 'manual', ...init })
  return {
    address,
    ask,
    post: (updates, headers = {}) => ask('POST', '', { body: bodyOf(...updates), headers }),
    follow: async (query, headers = {}) => {
      const stop = new AbortController()
      onTestFinished(() => stop.abort())
      const response = await ask('GET', query, { headers, signal: stop.signal })
      const events: StreamEvent[] = []
      let isOver = false
      void readEvents(response, events)
        .catch(() => {})
        .finally(() => {
          isOver = true
        })
      return { response, events, isOver: () => isOver, stop: () => stop.abort() }
    }
  }
}

async function readEvents({ body }: Response, events: StreamEvent[]): Promise<void> {
  if (body === null) return
  let text = ''
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const [kind = '', data = ''] = text.slice(0, end).split('\n')
      text = text.slice(end + 2)
      const value = data.replace(/^data: /, '')
      if (kind === 'event: data')
        events.push({ type: 'data', messages: messagesIn(Buffer.from(value, 'base64')) })
      else events.push({ type: 'control', ...JSON.parse(value) })
    }
  }
}

/** An update that inserts a text at the beginning of `t` of the document, and is made in it. */
export function typed(doc: Y.Doc, text: string): Uint8Array {
  const before = Y.encodeStateVector(doc)
  doc.getText('t').insert(0, text)
  return Y.encodeStateAsUpdate(doc, before)
}

/** All updates that came, in order. */
export function updatesIn({ events }: EventReader): Uint8Array[] {
  return events.flatMap(event => (event.type === 'data' ? event.messages : []))
}
