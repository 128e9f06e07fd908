/**
 * A y-prosemirror editor that is mounted before the document is there (I13). It removes what its schema does not allow,
 * a list without items for one: a document that becomes visible in halves would be damaged for everyone.
 */
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { cutSegments } from '../../src/document/segments.ts'
import { barrier, type Client, connect, disconnect, synced } from '../support/clients.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import { mountEditor, richDocument } from '../support/prosemirror.ts'
import { startServer } from '../support/server.ts'

const kilobyte = 1024
const megabyte = 1024 * kilobyte

type Opened = { readonly client: Client; readonly text: () => string; readonly own: () => number }

/** `own` counts what the editor changes by itself. */
function openEditor(url: string): Opened {
  const client = connect(url, 'room', { connect: false })
  onTestFinished(client.destroy)
  const editor = mountEditor(client.doc)
  onTestFinished(editor.destroy)
  let own = 0
  client.doc.on('update', (_update: Uint8Array, origin: unknown) => {
    if (origin !== client.provider) own++
  })
  client.provider.connect()
  return { client, text: editor.text, own: () => own }
}

function textOf(doc: Y.Doc): string {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  return mountEditor(copy).text()
}

async function logOf(store: Store): Promise<unknown> {
  const { records, checkpoint } = await store.load('room')
  return { sequences: records.map(each => each.sequence), generation: checkpoint?.generation }
}

describe.each([
  ['100 KB in the log', 100 * kilobyte, false],
  ['100 KB in a checkpoint', 100 * kilobyte, true],
  ['3 MB in a checkpoint', 3 * megabyte, true],
  ['12 MB in a checkpoint', 12 * megabyte, true]
])('%s', (_, bytes, isCompacted) => {
  test('[I13] opening it changes nothing, on this side or the other', { timeout: 120_000 }, async () => {
    const store = createMemoryStore()
    const { doc } = richDocument(bytes)
    await storeDocument(store, 'room', doc)
    if (isCompacted) await compacted(store, 'room')
    const server = await startServer({ store })
    const before = await logOf(store)

    const { client, text, own } = openEditor(server.url)
    await synced(client)
    await barrier(client)
    await disconnect(client)
    client.provider.connect()
    await synced(client)
    await barrier(client)

    expect(own()).toBe(0)
    expect(await logOf(store)).toEqual(before)
    expect(await server.metrics()).toMatch(/^chorus_updates_total 0$/m)
    expect(text() === textOf(doc)).toBe(true)
    expect(text().length).toBeGreaterThan(bytes / 4)
  })
})

test('[I13] a log of single transactions by three people opens without a change', async () => {
  const store = createMemoryStore()
  const server = await startServer({ store })
  const writer = connect(server.url, 'room')
  onTestFinished(writer.destroy)
  await synced(writer)
  for (const update of richDocument(100 * kilobyte).updates) {
    Y.applyUpdate(writer.doc, update, 'typed')
    await barrier(writer)
  }
  const before = await logOf(store)

  const { client, text, own } = openEditor(server.url)
  await synced(client)
  await barrier(client)

  expect(own()).toBe(0)
  expect(await logOf(store)).toEqual(before)
  expect(text() === textOf(writer.doc)).toBe(true)
})

test('a document that arrives in causal segments would be damaged, and this is seen', () => {
  const { doc } = richDocument(1 * megabyte)
  const segments = cutSegments(Y.encodeStateAsUpdate(doc), { segmentBytes: 256 * kilobyte })
  const halves = new Y.Doc()
  const editor = mountEditor(halves)
  onTestFinished(editor.destroy)
  let own = 0
  halves.on('update', (_update: Uint8Array, origin: unknown) => {
    if (origin !== 'segment') own++
  })

  for (const { update } of segments) Y.applyUpdate(halves, update, 'segment')

  expect(segments.length).toBeGreaterThan(3)
  expect(own).toBeGreaterThan(0)
  expect(editor.text() === textOf(doc)).toBe(false)
})
