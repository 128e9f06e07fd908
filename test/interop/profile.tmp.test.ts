import { onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { connect, synced } from '../support/clients.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import { openRaw, updatesOf } from '../support/raw.ts'
import { startServer } from '../support/server.ts'

test('profile', async () => {
  const doc = new Y.Doc()
  const a = doc.getArray('a')
  for (let k = 0; k < 30; k++) {
    doc.clientID = 1 + (k % 3)
    doc.transact(() => {
      for (let i = 0; i < 1500; i++) {
        const l = new Y.Map()
        a.push([l])
        for (let j = 0; j < 9; j++) {
          l.set('key ' + j, `some words here ${i} ${j}`)
        }
      }
    })
  }
  console.log('built ' + Y.encodeStateAsUpdate(doc).length)
  const store = createMemoryStore()
  await storeDocument(store, 'room', doc)
  await compacted(store, 'room')
  const cp = (await store.load('room')).checkpoint
  console.log(cp?.segments.map(s => s.length))
  const { url } = await startServer({ store })
  const raw = await openRaw({ url, path: 'room' })
  await raw.ask()
  console.log(raw.frames.map(f => f.length))
  const plain = new Y.Doc()
  let t = performance.now()
  Y.applyUpdate(plain, Y.encodeStateAsUpdate(doc))
  console.log('plain', performance.now() - t)
  const p2 = new Y.Doc()
  t = performance.now()
  for (const u of updatesOf(raw)) Y.applyUpdate(p2, u)
  console.log('held back', performance.now() - t)
}, 200_000)
