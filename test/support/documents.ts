/** Documents that lie in a store before a test begins: written through a server by a client, and compacted. */
import type * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { createServer } from '../../src/server.ts'
import { barrier, connect, synced, until } from './clients.ts'
import { quietLog } from './server.ts'

/** Writes the document as one client's SyncStep2. */
export async function storeDocument(store: Store, room: string, doc: Y.Doc): Promise<void> {
  const server = createServer({ store, log: quietLog, pages: null })
  const client = connect(await server.listen(), room, { doc })
  await synced(client)
  await barrier(client)
  client.provider.destroy()
  await server.stop()
}

/** Lets a server compact the document, as one does before an idle room closes. Everything is then in a checkpoint. */
export async function compacted(store: Store, room: string): Promise<void> {
  const limits = { roomIdleMs: 10, compactionRecordsAtClose: 1 }
  const server = createServer({ store, log: quietLog, pages: null, limits })
  const client = connect(await server.listen(), room)
  await synced(client)
  client.destroy()
  let isDone = false
  const look = async () => {
    const { checkpoint, records } = await store.load(room)
    isDone = checkpoint !== null && records.length === 0
    if (!isDone) setTimeout(look, 50)
  }
  await look()
  await until(() => isDone, 'the compaction', 60_000)
  await server.stop()
}

/** A store that holds a document, and answers no load until the gate is opened. */
export async function storeWithGate(): Promise<{ store: Store; openGate: () => void }> {
  const store = createMemoryStore()
  const writer = createServer({ store, log: quietLog, pages: null })
  const client = connect(await writer.listen(), 'room')
  client.doc.getText('t').insert(0, 'stored')
  await synced(client)
  await barrier(client)
  client.destroy()
  await writer.stop()
  let openGate = () => {}
  const gate = new Promise<void>(resolve => {
    openGate = resolve
  })
  const load = store.load.bind(store)
  store.load = async document => {
    await gate
    return load(document)
  }
  return { store, openGate }
}
