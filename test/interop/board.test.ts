/** A board whose cards are read as they appear: no card is ever seen without its title (I13). */
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { barrier, type Client, connect, converged, disconnect, synced } from '../support/clients.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import { startServer } from '../support/server.ts'

type Card = Y.Map<string>

/** Observes as an app does, and notes every card that has no title yet. */
function watch(doc: Y.Doc): { readonly titles: () => number; readonly untitled: () => number } {
  let untitled = 0
  let titles = 0
  const board = doc.getArray<Card>('board')
  board.observeDeep(() => {
    titles = 0
    for (const card of board) {
      if (card.get('title') === undefined) untitled++
      else titles++
    }
  })
  return { titles: () => titles, untitled: () => untitled }
}

/** A card whose title comes after it, as apps write them, in one transaction. */
function addCard(doc: Y.Doc, title: string): void {
  doc.transact(() => {
    const card: Card = new Y.Map()
    doc.getArray<Card>('board').push([card])
    card.set('text', 'lorem ipsum '.repeat(20))
    card.set('title', title)
  })
}

function join(url: string, doc = new Y.Doc()): Client {
  const client = connect(url, 'board', { doc })
  onTestFinished(client.destroy)
  return client
}

async function storedBoard(cards: number, { isCompacted }: { isCompacted: boolean }): Promise<Store> {
  const store = createMemoryStore()
  const doc = new Y.Doc()
  for (let i = 0; i < cards; i++) addCard(doc, `card ${i}`)
  await storeDocument(store, 'board', doc)
  if (isCompacted) await compacted(store, 'board')
  return store
}

describe.each([
  ['1,000 cards in the log', 1_000, false],
  ['1,000 cards in a checkpoint', 1_000, true],
  ['20,000 cards, held back', 20_000, true]
])('%s', (_, cards, isCompacted) => {
  test('[I13] no card without its title is seen on a join', async () => {
    const { url } = await startServer({ store: await storedBoard(cards, { isCompacted }) })
    const doc = new Y.Doc()
    const seen = watch(doc)

    await synced(join(url, doc))

    expect(seen.titles()).toBe(cards)
    expect(seen.untitled()).toBe(0)
  })
})

test('[I13] nor while others add cards during the join, nor on a rejoin that lacks some', async () => {
  const { url } = await startServer({ store: await storedBoard(5_000, { isCompacted: true }) })
  const writer = join(url)
  await synced(writer)
  const doc = new Y.Doc()
  const seen = watch(doc)

  const reader = join(url, doc)
  for (let i = 0; i < 300; i++) {
    addCard(writer.doc, `during ${i}`)
    if (i % 10 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  await synced(reader)
  await disconnect(reader)
  for (let i = 0; i < 300; i++) addCard(writer.doc, `away ${i}`)
  await barrier(writer)
  reader.provider.connect()
  await synced(reader)
  await converged([writer, reader])

  expect(seen.titles()).toBe(5_600)
  expect(seen.untitled()).toBe(0)
})

test('the watcher would notice a card whose title comes later', () => {
  const source = new Y.Doc()
  const updates: Uint8Array[] = []
  source.on('update', (update: Uint8Array) => updates.push(update))
  const card: Card = new Y.Map()
  source.getArray<Card>('board').push([card])
  card.set('title', 'late')
  const doc = new Y.Doc()
  const seen = watch(doc)

  for (const update of updates) Y.applyUpdate(doc, update)

  expect(seen.untitled()).toBe(1)
})
