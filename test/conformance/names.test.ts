/** One table of names, for both dialects and for the application's own calls. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { barrier, clientVersions, connect, synced, until } from '../support/clients.ts'
import { openRaw, syncStep1 } from '../support/raw.ts'
import { authFrame, openHocuspocus } from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'
import { textOf, textUpdate } from '../support/text.ts'

const names: readonly string[] = [
  'plain',
  '50% off',
  '100%',
  'C#',
  'x?y',
  'a/../b',
  'a%20b',
  '%',
  ' with blanks ',
  '__proto__',
  'zimmer-\u{1F642}',
  '\u00e9 composed',
  'e\u0301 decomposed',
  'x'.repeat(1_000)
]

const notNames: readonly string[] = ['', ' ', '\t\n', '\u00a0', 'x'.repeat(1_001)]

describe('a name that documents may have', () => {
  test.each(names)('[YW1, HP5] %j is one document in both dialects and on the server', async name => {
    const server = await startServer()
    await server.apply(name, textUpdate('x'))

    const raw = await openRaw({ url: server.url, path: encodeURIComponent(name) })
    await raw.ask()
    const hocuspocus = await openHocuspocus(server.url)
    await hocuspocus.join(name)

    expect(raw.frames.some(({ length }) => length > 8)).toBe(true)
    expect(hocuspocus.said().some(({ what, payload }) => what === 'update' && payload.length > 2)).toBe(true)
    expect(await server.documents()).toEqual([name])
    expect(textOf(await server.read(name))).toBe('x')
    expect(await server.delete(name)).toBe(true)
  })

  test('[YW1] the same letters composed and decomposed are two documents', async () => {
    const server = await startServer()

    await server.apply('\u00e9', textUpdate('one'))
    await server.apply('e\u0301', textUpdate('two'))

    expect(await server.documents()).toHaveLength(2)
  })
})

describe('a name that no document may have', () => {
  test.each(notNames)('[YW2, HP5] %j is refused in both dialects and on the server', async name => {
    const server = await startServer()

    const raw = await openRaw({ url: server.url, path: encodeURIComponent(name) })
    raw.send(syncStep1(Uint8Array.of(0)))
    const hocuspocus = await openHocuspocus(server.url)
    hocuspocus.raw.send(authFrame(name, ''))
    await until(() => hocuspocus.heard(name).some(what => what.startsWith('denied')), 'the refusal')

    expect(await raw.closed()).toBe(4400)
    const isRefused = { code: 'ERR_ROOM_NAME' }
    await expect(server.apply(name, textUpdate('x'))).rejects.toMatchObject(isRefused)
    await expect(server.change(name, () => {})).rejects.toMatchObject(isRefused)
    await expect(server.read(name)).rejects.toMatchObject(isRefused)
    await expect(server.delete(name)).rejects.toMatchObject(isRefused)
  })
})

describe.each(clientVersions)('y-websocket %s', version => {
  test.each(['50% off', '100%'])('[YW1] opens %j, encoded or not, as one document', async name => {
    const server = await startServer()

    const plain = connect(server.url, name, { version })
    const encoded = connect(server.url, encodeURIComponent(name), { version })
    await Promise.all([synced(plain), synced(encoded)])
    plain.doc.getText('t').insert(0, 'x')
    await barrier(plain)
    await until(() => encoded.doc.getText('t').toString() === 'x', 'the other to have it')

    expect(await server.documents()).toEqual([name])
    plain.destroy()
    encoded.destroy()
  })

  test('[YW1] opens C#, x?y and a/../b when they are encoded', async () => {
    const server = await startServer()
    const odd = ['C#', 'a/../b', 'x?y']

    for (const name of odd) {
      const client = connect(server.url, encodeURIComponent(name), { version })
      await synced(client)
      client.doc.getText('t').insert(0, name)
      await barrier(client)
      client.destroy()
    }

    expect(await server.documents()).toEqual(odd)
    const doc = new Y.Doc()
    Y.applyUpdate(doc, (await server.read('C#')) ?? new Uint8Array())
    expect(doc.getText('t').toString()).toBe('C#')
  })
})
