/** Questions about the past of a server's documents, as the application and HTTP ask them. Needs dist (globalSetup). */
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createServer, type Server, type ServerOptions } from '../../src/index.ts'

type Started = { readonly server: Server; readonly url: string }

async function started(options: ServerOptions = {}): Promise<Started> {
  const server = createServer({ data: ':memory:', pages: null, history: [{ documents: '**' }], ...options })
  onTestFinished(() => server.stop())
  return { server, url: await server.listen() }
}

/** What somebody writes, as one update each; resolves to when it was written. */
async function write(server: Server, author: string, change: (doc: Y.Doc) => void): Promise<number> {
  await server.change('notes', change, { author })
  return Date.now()
}

const body = (doc: Y.Doc) => doc.getText('body')

async function typed(server: Server): Promise<void> {
  await write(server, 'ann', doc => body(doc).insert(0, 'hello'))
  await write(server, 'ben', doc => body(doc).insert(5, ' world'))
  await write(server, 'ann', doc => body(doc).delete(0, 5))
}

function textOf(update: Uint8Array): string {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return body(doc).toString()
}

test('a document is given as it was after any record, the newest included, though nothing is sealed', async () => {
  const { server } = await started()
  await typed(server)
  const history = server.history('notes')

  const { head, beginsAt, versions, holes } = await history.extent()

  expect({ beginsAt: beginsAt.sequence, versions, holes }).toEqual({ beginsAt: 0, versions: [], holes: [] })
  const texts = ['', 'hello', 'hello world', ' world']
  for (const [back, text] of texts.toReversed().entries()) {
    expect(textOf(await history.at({ sequence: head - back }))).toBe(text)
  }
  expect(await history.contents({ sequence: head }, { types: { body: 'text' } })).toEqual({
    body: [{ insert: ' world' }]
  })
})

test('who wrote what, who took it away, and who worked when', async () => {
  const { server } = await started()
  await typed(server)
  const history = server.history('notes')
  const { head } = await history.extent()

  const changed = await history.diff({ sequence: head - 2 }, null)
  const stands = await history.blame(null, { roots: ['body'] })
  const { bursts, isComplete } = await history.activity()

  const said = (all: typeof changed) =>
    all.body?.pieces.map(({ change, text, by }) => [change, text, by?.author?.user])
  expect(said(changed)).toEqual([
    ['removed', 'hello', 'ann'],
    ['added', ' world', 'ben']
  ])
  expect(said(stands)).toEqual([['kept', ' world', 'ben']])
  expect(isComplete).toBe(true)
  expect(bursts).toMatchObject([
    { author: { user: 'ann', origin: 'server' }, inserted: 5, deleted: 5, changes: 2 },
    { author: { user: 'ben' }, inserted: 6, deleted: 0, changes: 1 }
  ])
})

test('what the history does not know is said, with from when on it does', async () => {
  const { server } = await started({ history: [{ documents: 'notes' }] })
  await typed(server)
  const history = server.history('notes')

  await expect(history.at({ timeMs: 1_000 })).rejects.toMatchObject({
    code: 'ERR_NO_MOMENT',
    publicReason: expect.stringMatching(/begins at 20\d\d-/)
  })
  await expect(history.at({ sequence: 1_000_000 })).rejects.toMatchObject({ code: 'ERR_NO_MOMENT' })
  await expect(history.at({ version: 'none' })).rejects.toMatchObject({ code: 'ERR_NO_VERSION' })
  await expect(server.history('nothing').extent()).rejects.toMatchObject({ code: 'ERR_NO_DOCUMENT' })
  await server.apply('other', Y.encodeStateAsUpdate(new Y.Doc()), { author: 'ann' })
  await server.change('other', doc => body(doc).insert(0, 'x'))
  await expect(server.history('other').extent()).rejects.toMatchObject({ code: 'ERR_NO_HISTORY' })
  // @ts-expect-error: as plain JavaScript may ask
  await expect(history.at({ time: 1 })).rejects.toThrow(TypeError)
})
