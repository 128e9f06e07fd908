/** Many who come back at once with the same document: what is found out for one of them serves the others, and no more. */
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { Document } from '../../src/document/document.ts'
import type { UpdateScan } from '../../src/document/scan.ts'
import { barrier, type Client, connect, synced, until } from '../support/clients.ts'
import { storeDocument } from '../support/documents.ts'
import { startServer } from '../support/server.ts'
import { randomFrom } from '../support/trace.ts'

const deletions = 400
let judged: number

beforeEach(() => {
  judged = 0
  const judge = Document.prototype.judge
  vi.spyOn(Document.prototype, 'judge').mockImplementation(function (this: Document, scan: UpdateScan) {
    if (scan.deletes.length > deletions / 2) judged++
    return judge.call(this, scan)
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** A text with deletions all over it. */
function editedDocument(): Y.Doc {
  const random = randomFrom(7)
  const doc = new Y.Doc()
  const text = doc.getText('t')
  text.insert(0, 'lorem ipsum dolor sit amet '.repeat(200))
  for (let i = 0; i < deletions; i++) text.delete(Math.floor(random() * text.length), 1)
  return doc
}

function copyOf(doc: Y.Doc): Y.Doc {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  return copy
}

function comeBack(url: string, doc: Y.Doc): Client {
  const client = connect(url, 'room', { doc })
  onTestFinished(client.destroy)
  return client
}

const textOf = (doc: Y.Doc) => doc.getText('t').toString()

async function startStorm(count: number) {
  const store = createMemoryStore()
  const doc = editedDocument()
  await storeDocument(store, 'room', doc)
  judged = 0
  const { url } = await startServer({ store })
  const clients = Array.from({ length: count }, () => comeBack(url, copyOf(doc)))
  await Promise.all(clients.map(synced))
  await Promise.all(clients.map(barrier))
  return { url, doc, clients }
}

test('the deletions of all who come back with the same ones are judged once', async () => {
  const { doc, clients } = await startStorm(20)

  expect(judged).toBe(1)
  for (const client of clients) expect(textOf(client.doc)).toBe(textOf(doc))
})

test('who comes back later with the same ones is sent what was deleted since', async () => {
  const { url, doc, clients } = await startStorm(2)
  const [first] = clients
  if (first === undefined) throw new Error('nobody came')
  first.doc.getText('t').delete(10, 50)
  await barrier(first)

  const late = comeBack(url, copyOf(doc))
  await synced(late)

  expect(textOf(late.doc)).toBe(textOf(first.doc))
  expect(textOf(late.doc)).not.toBe(textOf(doc))
})

test('who has deleted one thing more while away is heard, however alike the rest is', async () => {
  const { url, doc, clients } = await startStorm(2)
  const alone = copyOf(doc)
  const before = Y.encodeStateAsUpdate(alone, Y.encodeStateVector(alone)).length
  // Beside something deleted, so that a run grows by one and the bytes keep their number.
  const text = alone.getText('t')
  for (let at = 0; ; at++) {
    const copy = copyOf(alone)
    copy.getText('t').delete(at, 1)
    if (Y.encodeStateAsUpdate(copy, Y.encodeStateVector(copy)).length !== before) continue
    text.delete(at, 1)
    break
  }

  const late = comeBack(url, alone)
  await synced(late)

  expect(judged).toBe(2)
  for (const { doc } of clients) await until(() => textOf(doc) === textOf(alone), 'the deletion')
})

test('who lacks more than others is sent that, and who lacks nothing is sent nothing', async () => {
  const store = createMemoryStore()
  const doc = editedDocument()
  const ahead = copyOf(doc)
  const versions = [copyOf(doc)]
  for (let i = 0; i < 6; i++) {
    ahead.getText('t').insert(5 * i, `what ${i} wrote `)
    versions.push(copyOf(ahead))
  }
  await storeDocument(store, 'room', ahead)
  const { url } = await startServer({ store })

  // Who lacks little comes before who lacks more.
  for (const version of [...versions.reverse(), ...versions]) {
    const client = comeBack(url, copyOf(version))
    await synced(client)
    expect(textOf(client.doc)).toBe(textOf(ahead))
  }
})
