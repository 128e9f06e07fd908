/**
 * A fresh, real client (y-websocket or HocuspocusProvider, with a Y.Doc): what a scenario's answer is checked with.
 */
import WebSocket from 'ws'
import * as Y from 'yjs'
import { delay } from './pace.js'

const syncMs = 60_000

/** Connects, waits for `sync`, and hands the document over; `close` ends it. */
export async function realClient({ port, dialect, room, doc = new Y.Doc() }) {
  const open = dialect.name === 'hocuspocus' ? hocuspocusClient : yWebsocketClient
  const { provider, synced } = await open({ port, room, doc })
  const close = () => {
    provider.destroy()
    doc.destroy()
  }
  const timer = new AbortController()
  try {
    await Promise.race([
      synced,
      delay(syncMs, null, { signal: timer.signal }).then(() => {
        throw new Error(`a real client did not sync within ${syncMs} ms`)
      })
    ])
  } catch (error) {
    close()
    throw error
  } finally {
    timer.abort()
    synced.catch(() => {})
  }
  return { doc, provider, close }
}

async function yWebsocketClient({ port, room, doc }) {
  const { WebsocketProvider } = await import('y-websocket')
  const provider = new WebsocketProvider(`ws://127.0.0.1:${port}`, room, doc, {
    WebSocketPolyfill: WebSocket,
    disableBc: true
  })
  const synced = new Promise(resolve => provider.on('sync', isSynced => isSynced && resolve()))
  return { provider, synced }
}

async function hocuspocusClient({ port, room, doc }) {
  const { HocuspocusProvider, HocuspocusProviderWebsocket } = await import('@hocuspocus/provider')
  const websocketProvider = new HocuspocusProviderWebsocket({
    url: `ws://127.0.0.1:${port}`,
    WebSocketPolyfill: WebSocket
  })
  let provider
  const synced = new Promise(resolve => {
    provider = new HocuspocusProvider({
      websocketProvider,
      name: room,
      document: doc,
      onSynced: () => resolve()
    })
  })
  provider.attach()
  const both = {
    destroy() {
      provider.destroy()
      websocketProvider.destroy()
    },
    awareness: provider.awareness
  }
  return { provider: both, synced }
}

/**
 * Whether a fresh real client finds every writer's text complete. Servers that say `sync` before they have loaded
 * get `graceMs` to be right. Returns null, or what is missing.
 */
export async function missingFrom({ port, dialect, room, clocks, graceMs = 10_000 }) {
  const client = await realClient({ port, dialect, room })
  const end = performance.now() + graceMs
  try {
    for (;;) {
      const missing = missingIn(client.doc, clocks)
      if (missing === null || performance.now() > end) return missing
      await delay(50)
    }
  } finally {
    client.close()
  }
}

function missingIn(doc, clocks) {
  let total = 0
  for (const [clientID, clock] of clocks) {
    const has = Y.getState(doc.store, clientID)
    if (has < clock) return `room has ${has} of ${clock} updates of writer ${clientID}`
    total += clock
  }
  const { length } = doc.getText('text').toString()
  return length === total ? null : `the text has ${length} characters, not ${total}`
}
