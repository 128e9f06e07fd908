/** Restores, undos and named versions as an application asks for them, of a server that keeps histories. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import type { HistoryStore } from '../../persistence/history.ts'
import { createMemoryStore, StoreError } from '../../persistence/index.ts'
import type { DocumentHistory } from '../../src/documents/history-api.ts'
import type { Server } from '../../src/server.ts'
import { startServer } from '../support/server.ts'

type Written = { readonly server: Server; readonly history: DocumentHistory; text(): Promise<string> }

/** A document that ada has begun with "one two". */
async function written(): Promise<Written> {
  const server = await startServer({ history: [{ documents: 'notes/*' }] })
  await by(server, 'ada', text => text.insert(0, 'one two'))
  const text = async () => {
    const doc = new Y.Doc()
    Y.applyUpdate(doc, (await server.read('notes/a')) as Uint8Array)
    return doc.getText('t').toString()
  }
  return { server, history: server.history('notes/a'), text }
}

function by(server: Server, author: string, change: (text: Y.Text) => void): Promise<void> {
  return server.change('notes/a', doc => change(doc.getText('t')), { author })
}

describe('history.restore', () => {
  test('brings back a version, and blame names who wrote what came back', async () => {
    const { server, history, text } = await written()
    const then = await history.name('then', { author: 'ada' })
    await by(server, 'bob', each => each.delete(0, 4))
    await by(server, 'bob', each => each.insert(3, ' three'))

    const answer = await history.restore({ version: then.id }, { author: 'eve', key: 'k' })

    expect(await text()).toBe('one two')
    const pieces = (await history.blame()).t?.pieces ?? []
    expect(pieces.map(piece => piece.text).join('')).toBe('one two')
    for (const piece of pieces) expect(piece.by?.author?.user).toBe('ada')
    const { author } = (await history.versions()).find(({ id }) => id === answer.version) ?? {}
    expect(author).toBe('eve')
    // And the version before it brings back what the restore took away.
    await history.restore({ version: answer.version as string })
    expect(await text()).toBe('two three')
  })

  test('of chosen roots leaves the others, and a key is for one thing', async () => {
    const { server, history } = await written()
    const { sequence } = await history.name('then')
    await server.change('notes/a', doc => {
      doc.getText('t').delete(0, 4)
      doc.getMap('m').set('k', 1)
    })

    await history.restore({ sequence }, { roots: ['t'], key: 'k' })

    const doc = new Y.Doc()
    Y.applyUpdate(doc, (await server.read('notes/a')) as Uint8Array)
    expect([doc.getText('t').toString(), doc.getMap('m').toJSON()]).toEqual(['one two', { k: 1 }])
    const other = history.restore({ sequence }, { key: 'k' })
    await expect(other).rejects.toMatchObject({ code: 'ERR_KEY_REUSED' })
  })

  test('says clearly what it cannot do, and does nothing then', async () => {
    const { server, history, text } = await written()
    const unknown = { version: 'none' }
    await expect(history.restore(unknown)).rejects.toMatchObject({ code: 'ERR_NO_VERSION' })
    await expect(history.restore({ sequence: 99 })).rejects.toMatchObject({ code: 'ERR_NO_MOMENT' })
    await expect(history.undo({ user: 'ada', from: unknown })).rejects.toMatchObject({
      code: 'ERR_NO_VERSION'
    })
    for (const wrong of [{}, { sequence: -1 }, { sequence: 1, timeMs: 1 }, null] as never[])
      await expect(history.restore(wrong)).rejects.toThrow(TypeError)
    for (const wrong of [{ key: '' }, { author: 'x'.repeat(300) }, { roots: 't' }, { none: 1 }] as never[])
      await expect(history.restore({ sequence: 1 }, wrong)).rejects.toThrow(TypeError)
    await expect(history.undo({ from: { sequence: 1 } } as never)).rejects.toThrow(TypeError)
    const nowhere = server.history('notes/none')
    await expect(nowhere.restore({ sequence: 1 })).rejects.toMatchObject({ code: 'ERR_NO_DOCUMENT' })
    await server.apply('other', new Uint8Array([0, 0]))
    await server.change('other', doc => void doc.getText('t').insert(0, 'x'))
    const off = server.history('other').restore({ sequence: 1 })
    await expect(off).rejects.toMatchObject({ code: 'ERR_NO_HISTORY' })

    expect(await text()).toBe('one two')
    expect(await history.versions()).toEqual([])
  })

  test('can be given up before it is committed', async () => {
    const { history, text } = await written()
    const { sequence } = await history.name('then')
    const signal = AbortSignal.abort()
    await expect(history.restore({ sequence }, { signal })).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    expect(await text()).toBe('one two')
  })
})

describe('history.undo', () => {
  test('takes back what one user did after a moment, until now', async () => {
    const { server, history, text } = await written()
    const from = await history.name('then')
    await by(server, 'bob', each => each.delete(0, 4))
    await by(server, 'eve', each => each.insert(3, '!'))

    await history.undo({ user: 'bob', from: { version: from.id } })

    expect(await text()).toBe('one two!')
  })
})

describe('history.name', () => {
  test('names now, a record, or a time; unname takes the name away, and the document can be had by it', async () => {
    const { server, history } = await written()
    await by(server, 'bob', each => each.insert(7, ' three'))
    const now = await history.name('now', { author: 'ada' })
    const first = await history.name('first', { moment: { sequence: 1 } })
    const timed = await history.name('timed', { moment: { timeMs: Date.now() } })

    expect([first.sequence, now.sequence, timed.sequence]).toEqual([1, 2, 2])
    expect(now).toMatchObject({ name: 'now', kind: 'named', author: 'ada' })
    expect(first.timeMs).toBeLessThanOrEqual(now.timeMs)
    expect(await history.versions()).toEqual([now, first, timed])
    const doc = new Y.Doc()
    Y.applyUpdate(doc, await history.at({ version: first.id }))
    expect(doc.getText('t').toString()).toBe('one two')
    expect(await history.unname(first.id)).toBe(true)
    expect(await history.unname(first.id)).toBe(false)
    await expect(history.at({ version: first.id })).rejects.toMatchObject({ code: 'ERR_NO_VERSION' })
    await expect(history.name('')).rejects.toThrow(TypeError)
  })

  test('is refused above the bound, and the names that are there stay', async () => {
    const server = await startServer({ history: [{ documents: '**' }], limits: { versionsMax: 2 } })
    await by(server, 'ada', text => text.insert(0, 'x'))
    const history = server.history('notes/a')
    await history.name('one')
    await history.name('two')
    await expect(history.name('three')).rejects.toMatchObject({ code: 'ERR_TOO_MANY_VERSIONS' })
    expect((await history.versions()).map(({ name }) => name)).toEqual(['one', 'two'])
  })
})

test('a store that fails when a version is named, or loses its name, is told as a fault of the store', async () => {
  const store = createMemoryStore()
  const server = await startServer({ store, history: [{ documents: 'notes/*' }] })
  await by(server, 'ada', text => text.insert(0, 'one two'))
  const history = server.history('notes/a')
  const { id } = await history.name('then')
  const kept = store.history as HistoryStore
  kept.write = () => Promise.reject(new StoreError('STORE_FAILED', 'the disk is away'))

  await expect(history.name('now')).rejects.toMatchObject({ code: 'ERR_STORE' })
  await expect(history.unname(id)).rejects.toMatchObject({ code: 'ERR_STORE' })
})
