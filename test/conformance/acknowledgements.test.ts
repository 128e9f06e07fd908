/** Acknowledgements, rule by rule, by hand over real sockets: AK1–AK7 of PROTOCOL.md. */
import { createDecoder, readVarUint } from 'lib0/decoding'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { until } from '../support/clients.ts'
import { holdAppends } from '../support/disk.ts'
import { openRaw, type Raw, syncStep2, updateFrame } from '../support/raw.ts'
import { openHocuspocus, updateFrameOf } from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'

const ask = Uint8Array.of(0xe3, 0x08, 0)

/** What was said about acknowledgements, in order. */
function acknowledgements({ frames }: Raw, prefixBytes = 0): string[] {
  return frames.flatMap(frame => {
    const decoder = createDecoder(frame.subarray(prefixBytes))
    if (readVarUint(decoder) !== 1_123) return []
    const kind = readVarUint(decoder)
    return kind === 2 ? ['token?'] : [`${kind === 0 ? 'count' : 'not taken'} ${readVarUint(decoder)}`]
  })
}

describe('who asks', () => {
  test('[AK1] is answered before the document, and who does not ask is told nothing', async () => {
    const { url } = await startServer()
    const [asking, silent] = [await openRaw({ url, path: 'a' }), await openRaw({ url, path: 'a' })]

    asking.send(ask)
    for (const raw of [asking, silent]) await raw.ask()
    for (const raw of [asking, silent]) raw.send(updateFrame(inserted(raw === asking ? 1 : 2)))
    for (const raw of [asking, silent]) await raw.ask()

    const at = asking.frames.findIndex(frame => frame[0] === 0xe3)
    expect(asking.frames[at]?.toString('hex')).toBe('e3080000')
    expect(asking.frames.findIndex(frame => frame.toString('hex') === '0001020000')).toBeGreaterThan(at)
    expect(acknowledgements(silent)).toEqual([])
  })

  test('[AK2] is told of updates and SyncStep2s when they are on disk, not before', async () => {
    const store = createMemoryStore()
    const disk = holdAppends(store)
    const { url } = await startServer({ store })
    const raw = await openRaw({ url, path: 'a' })
    raw.send(ask)
    await raw.ask()

    raw.send(updateFrame(inserted(1)), syncStep2(inserted(2)))
    await until(() => disk.waiting() > 0, 'the append')
    const before = acknowledgements(raw)
    disk.open()
    await until(() => acknowledgements(raw).includes('count 2'), 'the count')

    expect(before).toEqual(['count 0'])
    expect(await store.list()).toEqual(['a'])
  })

  test('[AK2] is told of what brings nothing new, too', async () => {
    const { url } = await startServer()
    const raw = await openRaw({ url, path: 'a' })
    raw.send(ask, updateFrame(inserted(1)), updateFrame(inserted(1)), syncStep2(Uint8Array.of(0, 0)))

    await until(() => acknowledgements(raw).includes('count 3'), 'the count')
  })

  test('[AK4] again is answered with the count, which goes on', async () => {
    const { url } = await startServer()
    const raw = await openRaw({ url, path: 'a' })
    raw.send(ask, updateFrame(inserted(1)))
    await until(() => acknowledgements(raw).includes('count 1'), 'the count')

    raw.send(ask, updateFrame(inserted(2)))
    await until(() => acknowledgements(raw).includes('count 2'), 'the count')

    expect(acknowledgements(raw)).toEqual(['count 0', 'count 1', 'count 1', 'count 2'])
  })

  test('[AK3] and may only read is told the number of what was not taken, and no more', async () => {
    const { url } = await startServer({ authorize: () => ({ user: null, access: 'read' }) })
    const raw = await openRaw({ url, path: 'a' })
    raw.send(ask, syncStep2(Uint8Array.of(0, 0)), updateFrame(inserted(1)), syncStep2(inserted(1)))

    await until(() => acknowledgements(raw).includes('not taken 3'), 'the refusals')

    expect(acknowledgements(raw)).toEqual(['count 0', 'count 1', 'not taken 2', 'not taken 3'])
    expect(raw.frames.filter(frame => frame[0] === 2)).toEqual([])
  })

  test('[AK5] on a routing key has counts in place of receipts, and the other key of the socket has receipts', async () => {
    const { url } = await startServer()
    const { raw, join, heard } = await openHocuspocus(url)
    await join('doc1')
    await join('doc2')
    raw.send(Uint8Array.from([4, ...Buffer.from('doc1'), ...ask]))

    for (const key of ['doc1', 'doc2']) raw.send(updateFrameOf(key, inserted(1)))
    await until(() => heard('doc2').filter(what => what === 'saved').length === 2, 'the receipt')
    await until(() => acknowledgements(raw, 5).includes('count 1'), 'the count')

    expect(heard('doc1').filter(what => what === 'saved')).toHaveLength(1)
  })
})

describe('[AK6] a grant that ends', () => {
  const soon = { lifeMs: 1_000 }

  test('is renewed by the token that was asked for, and nothing is interrupted', async () => {
    const tokens: (string | null)[] = []
    const { url } = await startServer({
      authorize: ({ token }) => {
        tokens.push(token)
        return {
          user: null,
          access: 'write',
          expiresAt: Date.now() + (token === 'new' ? 3_600_000 : soon.lifeMs)
        }
      }
    })
    const raw = await openRaw({ url, path: 'a?token=old' })
    raw.send(ask)
    await until(() => acknowledgements(raw).includes('token?'), 'the question')

    raw.send(Uint8Array.of(0xe3, 0x08, 1, 3, ...Buffer.from('new')))
    await until(() => tokens.length === 2, 'the token')
    await new Promise(resolve => setTimeout(resolve, 1.5 * soon.lifeMs))
    await raw.ask()

    expect(tokens).toEqual(['old', 'new'])
    expect(raw.closeCode()).toBeNull()
  })

  test('is not asked about where nobody asked for acknowledgements', async () => {
    const { url } = await startServer({
      authorize: () => ({ user: null, access: 'write', expiresAt: Date.now() + soon.lifeMs })
    })
    const raw = await openRaw({ url, path: 'a?token=old' })
    raw.send(updateFrame(inserted(1)))

    expect(await raw.closed()).toBe(4503)
    expect(acknowledgements(raw)).toEqual([])
  })
})

test('[AK7] a message of another kind closes with 4400', async () => {
  const { url } = await startServer()
  const raw = await openRaw({ url, path: 'a' })

  raw.send(Uint8Array.of(0xe3, 0x08, 9))

  expect(await raw.closed()).toBe(4400)
})

function inserted(clientID: number): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = clientID
  doc.getText('t').insert(0, `by ${clientID}`)
  return Y.encodeStateAsUpdate(doc)
}
