/** The y-websocket wire, rule by rule, by hand over real sockets: YW1–YW13 of PROTOCOL.md. */
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { until, untilAsync } from '../support/clients.ts'
import { holdLoads } from '../support/disk.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import {
  awarenessFrame,
  isEndMarker,
  openRaw,
  queryAwareness,
  type Raw,
  syncStep1,
  syncStep2,
  takeApart,
  updateFrame,
  updatesOf
} from '../support/raw.ts'
import { openHocuspocus } from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'

describe('the room', () => {
  test.each([
    ['with unicode', 'zimmer-\u{1F642}-ü', encodeURIComponent('zimmer-\u{1F642}-ü')],
    ['with slashes', 'a/b/c', 'a/b/c'],
    ['with escaped slashes', 'a/b', 'a%2Fb'],
    ['that looks escaped once decoded', 'a%20b', 'a%2520b'],
    ['with a question mark', 'a?b', 'a%3Fb?token=1'],
    ['__proto__', '__proto__', '__proto__'],
    ['constructor', 'constructor', 'constructor'],
    ['with leading dots', '..hidden', '..hidden'],
    ['that climbs', '../up', '..%2Fup'],
    ['with a lone percent sign', 'a%', 'a%'],
    ['with an escape that is not hexadecimal', 'a%zz b', 'a%zz%20b'],
    ['with an escape that is not UTF-8', '%ff%fe', '%ff%fe'],
    ['with an escaped surrogate', '%ed%a0%80', '%ed%a0%80'],
    ['of 1,000 units', 'é'.repeat(1_000), encodeURIComponent('é'.repeat(1_000))]
  ])('[YW1] %s is the decoded path', async (_, name, path) => {
    const store = createMemoryStore()
    const { url } = await startServer({ store })
    const raw = await openRaw({ url, path })

    raw.send(updateFrame(textUpdate('x')))
    await raw.ask()

    expect(await store.list()).toEqual([name])
  })

  test('[YW1] the prefix is no part of the name', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store, path: '/collab' })
    const raw = await openRaw({ url, path: 'a/b' })

    raw.send(updateFrame(textUpdate('x')))
    await raw.ask()

    expect(await store.list()).toEqual(['a/b'])
  })

  test.each([
    ['empty', ''],
    ['blanks alone', '%20%09'],
    ['of 1,001 units', 'x'.repeat(1_001)]
  ])(
    '[YW2] a path that names no room, %s, is accepted, told the cure, and closed with 4400',
    async (_, path) => {
      const { url } = await startServer()

      const raw = await openRaw({ url, path })
      raw.send(syncStep1(Uint8Array.of(0)))

      expect(await raw.closed()).toBe(4400)
      expect(Buffer.concat(raw.frames).toString()).toContain('encodeURIComponent')
    }
  )

  test.each(['any-path', 'off'] as const)(
    '[YW2] a room that landed in the query of the URL is told so, with hocuspocus %s',
    async hocuspocus => {
      const { url } = await startServer({ hocuspocus })
      const raw = await openRaw({ url, path: '?v=1/my-room' })
      const reason = once(raw.socket, 'close').then(([, text]) => String(text))

      raw.send(syncStep1(Uint8Array.of(0)))

      expect(await raw.closed()).toBe(4400)
      expect(await reason).toContain('after the "?"')
      expect(Buffer.concat(raw.frames).toString()).toContain('after the "?"')
    }
  )

  test('[YW2] a client that says nothing is told after a moment that its path names no room', async () => {
    const { url } = await startServer({ limits: { firstFrameMs: 20 } })

    const raw = await openRaw({ url, path: '%20' })

    expect(await raw.closed()).toBe(4400)
  })
})

describe('messages', () => {
  const update = textUpdate('x')
  test.each([
    ['an empty message', Uint8Array.of()],
    ['an unknown sync step', Uint8Array.of(0, 3, 0)],
    ['an update cut short', updateFrame(update).subarray(0, 10)],
    ['bytes left over', Uint8Array.from([...updateFrame(update), 0])],
    ['an awareness message cut short', awarenessFrame({ clientID: 1, clock: 1, state: '{}' }).subarray(0, 4)],
    ['a state vector cut short', syncStep1(Uint8Array.of(3, 1, 1))],
    ['bytes left over in a state vector', syncStep1(Uint8Array.of(0, 0))],
    ['a number beyond 2^53', Uint8Array.from([0, 0, ...Array(8).fill(0xff), 0x7f])]
  ])('[YW3] %s closes with 4400', async (_, frame) => {
    const { url } = await startServer()
    const raw = await openRaw({ url, path: 'room' })

    raw.send(frame)

    expect(await raw.closed()).toBe(4400)
  })

  test.each([
    ['the auth type, which only servers have', Uint8Array.of(2, 0, 0)],
    ['a type of an application', Uint8Array.of(100, 1, 2, 3)],
    ['a type of several bytes', Uint8Array.of(0xff, 0x7f)]
  ])('[YW16] %s is ignored and counted, and the connection goes on', async (_, frame) => {
    const server = await startServer()
    const { url } = server
    const raw = await openRaw({ url, path: 'room' })
    await raw.ask()

    raw.send(frame, updateFrame(update))
    await raw.ask()

    expect(raw.closeCode()).toBeNull()
    expect(await server.read('room')).not.toBeNull()
    expect(await server.metrics()).toContain('chorus_ignored_messages_total{kind="unknown-type"} 1')
  })

  test('[YW16] a text frame is ignored and counted, in either dialect', async () => {
    const server = await startServer()
    const { url } = server
    const raw = await openRaw({ url, path: 'room' })
    const hocuspocus = await openHocuspocus(url)

    raw.socket.send('ping')
    await raw.ask()
    hocuspocus.raw.socket.send('ping')
    await hocuspocus.join('room')

    expect(raw.closeCode()).toBeNull()
    expect(await server.metrics()).toContain('chorus_ignored_messages_total{kind="text"} 2')
  })

  test('[YW16] text frames are paid for like messages: whoever pours them in is not read for a while', async () => {
    const { url } = await startServer({ limits: { messagesPerSecondMax: 10, messagesBurstMax: 10 } })
    const raw = await openRaw({ url, path: 'room' })
    const startMs = performance.now()

    for (let i = 0; i < 19; i++) raw.socket.send('ping')
    await raw.ask()

    expect(performance.now() - startMs).toBeGreaterThan(700)
  })

  test('[YW17] several messages in one frame are taken in order, each as if it came alone', async () => {
    const { url } = await startServer()
    const raw = await openRaw({ url, path: 'room' })
    const other = await openRaw({ url, path: 'room' })
    await other.ask()

    // As clients in Rust greet: SyncStep1 of nothing, and an awareness message of no entries.
    raw.send(Uint8Array.of(0, 0, 1, 0, 1, 1, 0))
    await until(() => raw.frames.some(isEndMarker), 'the end marker')
    const entry = { clientID: 7, clock: 1, state: '{}' }
    raw.send(
      Uint8Array.from([...updateFrame(update), ...awarenessFrame(entry), ...syncStep1(Uint8Array.of(0))])
    )
    await until(() => raw.frames.filter(isEndMarker).length === 2, 'the second end marker')

    await until(() => other.entriesOf(7).length > 0, 'the state')
    expect(updatesOf(other)).toContainEqual(Buffer.from(update))
  })

  test('[YW17] what comes in the first frame waits for the room as a whole', async () => {
    let open = () => {}
    const gate = new Promise<null>(resolve => {
      open = () => resolve(null)
    })
    const server = await startServer({ load: () => gate })
    const { url } = server
    const raw = await openRaw({ url, path: 'room' })

    raw.send(Uint8Array.from([...updateFrame(update), ...syncStep1(Uint8Array.of(0))]))
    await aMoment(url)
    open()
    await until(() => raw.frames.some(isEndMarker), 'the end marker')

    expect(await server.read('room')).not.toBeNull()
  })

  test('[YW17] of a frame that ends in nonsense the messages before count, then it closes with 4400', async () => {
    const server = await startServer()
    const { url } = server
    const raw = await openRaw({ url, path: 'room' })

    raw.send(Uint8Array.from([...updateFrame(update), 0, 9]))

    expect(await raw.closed()).toBe(4400)
    await untilAsync(async () => (await server.read('room')) !== null, 'the update')
  })

  test('[YW17] a frame of a million messages is charged for each and gives way to others', async () => {
    const { url } = await startServer({ limits: { messagesPerSecondMax: 1, messagesBurstMax: 100 } })
    const raw = await openRaw({ url, path: 'flood' })
    const other = await openRaw({ url, path: 'room' })
    await Promise.all([raw.ask(), other.ask()])

    raw.send(new Uint8Array(1_000_000).fill(3))
    // The million would take days.
    for (let i = 0; i < 20; i++) await other.ask()

    expect(raw.frames.length).toBeLessThan(400)
  })

  test('[YW3] a message of more than twice frameBytesMax closes with 1009', async () => {
    const { url } = await startServer({ limits: { frameBytesMax: 10_000 } })
    const raw = await openRaw({ url, path: 'room' })

    raw.send(updateFrame(new Uint8Array(20_001)))

    expect(await raw.closed()).toBe(1009)
  })
})

describe('the handshake', () => {
  test('[YW4] the server begins with the state vector of what is durable', async () => {
    const { store, doc } = await stored('some text')
    const { url } = await startServer({ store })

    const raw = await openRaw({ url, path: 'room' })
    await until(() => raw.frames.length > 0, 'the first message')

    expect(raw.received()).toEqual([
      { type: 'sync-step-1', payload: Uint8Array.from(Y.encodeStateVector(doc)) }
    ])
  })

  test('[YW4] nothing is sent before the room is loaded', async () => {
    const { store } = await stored('some text')
    const openGate = holdLoads(store)
    const { url } = await startServer({ store })

    const raw = await openRaw({ url, path: 'room' })
    raw.send(syncStep1(Uint8Array.of(0)), queryAwareness)
    await aMoment(url)
    const before = raw.frames.length
    openGate()
    await until(() => raw.frames.some(isEndMarker), 'the end marker')

    expect(before).toBe(0)
    expect(textOf(raw)).toBe('some text')
  })

  test.each([1, 3])(
    '[YW4] %i updates of a client that leaves before the room is loaded are kept',
    async count => {
      const { store } = await stored('some text')
      const openGate = holdLoads(store)
      const server = await startServer({ store })
      const raw = await openRaw({ url: server.url, path: 'room' })
      for (let i = 0; i < count; i++) {
        const doc = new Y.Doc()
        doc.getText('t').insert(0, 'x')
        raw.send(updateFrame(Y.encodeStateAsUpdate(doc)))
      }
      raw.socket.close()
      await raw.closed()
      await aMoment(server.url)

      openGate()
      const lengthOf = async () => {
        const doc = new Y.Doc()
        Y.applyUpdate(doc, (await server.read('room')) ?? Uint8Array.of(0, 0))
        return doc.getText('t').length
      }
      await untilAsync(async () => (await lengthOf()) === 'some text'.length + count, 'the updates')
      const left = async () => /^chorus_connections (.*)$/m.exec(await server.metrics())?.[1]
      await untilAsync(async () => (await left()) === '0', 'the connection to be gone')
    }
  )

  test('[YW5] the stored document comes as updates, checkpoint before tail, then the end marker', async () => {
    const { store, doc } = await stored('checkpoint ', { isCompacted: true })
    const { url } = await startServer({ store })
    const writer = await openRaw({ url, path: 'room' })
    await writer.ask()
    for (const word of ['one ', 'two ', 'three']) writer.send(updateFrame(typed(doc, word)))
    await writer.ask()

    const raw = await openRaw({ url, path: 'room' })
    await raw.ask()
    await raw.ask(Y.encodeStateVector(doc))

    const types = raw.received().map(each => each.type)
    expect(types[0]).toBe('sync-step-1')
    expect(types.slice(1, -2).every(type => type === 'update')).toBe(true)
    expect(types.slice(-2)).toEqual(['sync-step-2', 'sync-step-2'])
    expect(raw.frames.slice(-2).every(isEndMarker)).toBe(true)
    const first = new Y.Doc()
    Y.applyUpdate(first, updatesOf(raw)[0] as Uint8Array)
    expect(first.getText('t').toString()).toBe('checkpoint ')
    expect(textOf(raw)).toBe('checkpoint one two three')
  })

  test('[YW5] of a document that was never written to comes the end marker alone', async () => {
    const { url } = await startServer()
    const raw = await openRaw({ url, path: 'room' })

    await raw.ask()

    expect(raw.frames.map(frame => frame.toString('hex'))).toEqual(['00000100', '0001020000'])
  })

  test('[YW6] a SyncStep1 is answered only when what came before it is durable', async () => {
    const store = createMemoryStore()
    const append = store.append.bind(store)
    let release = () => {}
    const gate = new Promise<void>(resolve => {
      release = resolve
    })
    store.append = async entries => {
      await gate
      return append(entries)
    }
    const { url } = await startServer({ store })
    const raw = await openRaw({ url, path: 'room' })

    raw.send(updateFrame(textUpdate('x')))
    const answered = raw.ask()
    await aMoment(url)
    const wasAnswered = raw.frames.some(isEndMarker)
    release()
    await answered

    expect(wasAnswered).toBe(false)
    expect((await store.load('room')).records).toHaveLength(1)
  })

  test('[YW13] a later SyncStep1 of who has everything is answered with the end marker alone', async () => {
    const { store, doc } = await stored('some text')
    const { url } = await startServer({ store })
    const raw = await openRaw({ url, path: 'room' })
    await raw.ask()
    const before = raw.frames.length

    await raw.ask(Y.encodeStateVector(doc))

    expect(raw.frames.slice(before).map(isEndMarker)).toEqual([true])
  })

  test.each([
    ['in the log', { isCompacted: false }],
    ['in a checkpoint', { isCompacted: true }]
  ])(
    '[YW13] a later SyncStep1 is answered by what its vector lacks, deletions included: %s',
    async (_, how) => {
      const { store, doc } = await stored('some text', how)
      const { url } = await startServer({ store })
      const raw = await openRaw({ url, path: 'room' })
      await raw.ask(Y.encodeStateVector(doc))
      const old = Y.encodeStateAsUpdate(doc)
      const another = textUpdate('more')
      Y.applyUpdate(doc, another)
      const withoutDeletes = Y.encodeStateAsUpdate(doc)
      raw.send(updateFrame(another), updateFrame(changed(doc, () => doc.getText('t').delete(0, 2))))
      await raw.ask(Y.encodeStateVector(doc))

      for (const update of [null, old, another, withoutDeletes]) {
        const replica = new Y.Doc()
        if (update !== null) Y.applyUpdate(replica, update)
        const seen = raw.frames.length
        await raw.ask(Y.encodeStateVector(replica))
        for (const sent of raw.frames.slice(seen).map(takeApart)) {
          if (sent.type === 'update') Y.applyUpdate(replica, sent.payload)
        }
        expect(replica.getText('t').toString()).toBe(doc.getText('t').toString())
      }
    }
  )

  test('[YW13] a vector ahead of the server is harmless', async () => {
    const { store, doc } = await stored('some text')
    const { url } = await startServer({ store })
    const raw = await openRaw({ url, path: 'room' })
    await raw.ask()
    const before = raw.frames.length
    doc.getText('t').insert(0, 'more than the server has')

    await raw.ask(Y.encodeStateVector(doc))

    expect(raw.frames.slice(before).map(isEndMarker)).toEqual([true])
  })

  test('[YW13] what is asked while an answer is on its way is answered together, each with its marker', async () => {
    const { store, doc } = await stored('x'.repeat(12_000_000))
    const { url } = await startServer({ store })
    const raw = await openRaw({ url, path: 'room' })
    await raw.ask(Y.encodeStateVector(doc))
    const before = raw.frames.length

    // More than a socket takes at once: while the first answer is on its way the others are asked for.
    raw.socket.pause()
    const asked = Promise.all(Array.from({ length: 10 }, () => raw.ask()))
    const other = await openRaw({ url, path: 'room' })
    await other.ask(Y.encodeStateVector(doc))
    raw.socket.resume()
    await asked

    const bytes = raw.frames.slice(before).reduce((sum, frame) => sum + frame.length, 0)
    expect(bytes).toBeLessThan(3 * 12_000_000)
    expect(raw.frames.slice(before).filter(isEndMarker)).toHaveLength(10)
  })

  test('[YW13] many deletions are sent to who has all structs once in a while, not at each SyncStep1', async () => {
    const doc = new Y.Doc()
    typed(doc, 'a'.repeat(1_000))
    for (let i = 0; i < 100; i++) doc.getText('t').delete(i * 2, 1)
    const store = createMemoryStore()
    await storeDocument(store, 'room', doc)
    const { url } = await startServer({ store, limits: { resyncDeletesMs: 200 } })
    const raw = await openRaw({ url, path: 'room' })
    await raw.ask()
    const before = raw.frames.length

    await raw.ask(Y.encodeStateVector(doc))
    const atOnce = raw.frames.length - before
    await untilAsync(async () => {
      await raw.ask(Y.encodeStateVector(doc))
      return raw.frames.slice(before).some(({ length }) => length > 100)
    }, 'the deletions')

    expect(atOnce).toBe(1)
  })
})

describe('a rejoin', () => {
  test('[YW7] with a current state vector brings nothing but the end marker', async () => {
    const { store, doc } = await stored('some text', { isCompacted: true })
    const { url } = await startServer({ store })
    const raw = await openRaw({ url, path: 'room' })

    raw.send(syncStep2(Y.encodeStateAsUpdate(doc)))
    await raw.ask(Y.encodeStateVector(doc))

    expect(updatesOf(raw)).toEqual([Uint8Array.of(0, 0)])
  })

  test('[YW7] brings the structs and the deletions that the client lacks', async () => {
    const { store, doc } = await stored('some text')
    const old = Y.encodeStateAsUpdate(doc)
    const { url } = await startServer({ store })
    const writer = await openRaw({ url, path: 'room' })
    writer.send(updateFrame(typed(doc, ' and more')), updateFrame(deleted(doc, 0, 5)))
    await writer.ask()
    const client = new Y.Doc()
    Y.applyUpdate(client, old)
    const vector = Y.encodeStateVector(client)

    const raw = await openRaw({ url, path: 'room' })
    raw.send(syncStep2(Y.encodeStateAsUpdate(client)))
    await raw.ask(vector)
    for (const update of updatesOf(raw)) Y.applyUpdate(client, update)

    expect(client.getText('t').toString()).toBe('text and more')
  })

  test('[YW7] deletions come after rejoinWaitMs to a client that never sends its SyncStep2', async () => {
    const { store, doc } = await stored('some text', { isCompacted: true })
    const { url } = await startServer({ store, limits: { rejoinWaitMs: 300 } })
    const writer = await openRaw({ url, path: 'room' })
    writer.send(updateFrame(deleted(doc, 0, 5)))
    await writer.ask()
    const vector = Y.encodeStateVector(doc)

    const raw = await openRaw({ url, path: 'room' })
    const startMs = performance.now()
    await raw.ask(vector)

    expect(performance.now() - startMs).toBeGreaterThan(250)
    expect(updatesOf(raw).map(update => Y.decodeUpdate(update).structs.length)).toEqual([0, 0])
    expect(updatesOf(raw).some(update => Y.decodeUpdate(update).ds.clients.size === 1)).toBe(true)
  })
})

describe('updates', () => {
  test('[YW8] one that brings nothing new is neither stored nor relayed, and is acknowledged', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store })
    const [a, b] = await both(url)
    const update = textUpdate('x')
    const vector = Y.encodeStateVectorFromUpdate(update)
    a.send(updateFrame(update))
    await a.ask(vector)
    await until(() => updatesOf(b).length === 2, 'the update at the other')

    b.send(updateFrame(update), syncStep2(update), updateFrame(Uint8Array.of(0, 0)))
    await b.ask(vector)
    a.send(updateFrame(update))
    await a.ask(vector)
    await b.ask(vector)

    expect((await store.load('room')).records).toHaveLength(1)
    // The end markers and the one update.
    expect(updatesOf(a).filter(isContent)).toHaveLength(0)
    expect(updatesOf(b).filter(isContent)).toHaveLength(1)
  })

  test('[YW8] a repeated deletion is nothing new, a new one is', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store })
    const raw = await openRaw({ url, path: 'room' })
    const doc = new Y.Doc()
    raw.send(updateFrame(typed(doc, 'some text')))
    await raw.ask()
    const deletion = deleted(doc, 0, 2)

    for (let i = 0; i < 3; i++) {
      raw.send(updateFrame(deletion))
      await raw.ask()
    }

    expect((await store.load('room')).records).toHaveLength(2)
  })

  test('[YW11] one that leaves a gap is stored, relayed, and asked about once', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store })
    const [a, b] = await both(url)
    const doc = new Y.Doc()
    const [first, second, third] = ['1', '2', '3'].map(each => typed(doc, each)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array
    ]

    a.send(updateFrame(third))
    await a.ask()
    a.send(updateFrame(third))
    await a.ask()
    const asked = steps1Of(a)
    await until(() => updatesOf(b).filter(isContent).length === 1, 'the update at the other')
    a.send(syncStep2(Y.mergeUpdates([first, second])))
    await a.ask()
    const late = await openRaw({ url, path: 'room' })
    await late.ask()

    expect(asked).toBe(2)
    expect(steps1Of(a)).toBe(2)
    expect(textOf(late)).toBe('123')
  })

  test('[YW11] a SyncStep2 that leaves a gap is never answered with a question', async () => {
    const { url } = await startServer()
    const [a] = await both(url)
    const doc = new Y.Doc()
    typed(doc, '1')

    a.send(syncStep2(typed(doc, '2')))
    await a.ask()

    expect(steps1Of(a)).toBe(1)
  })

  test('[YW12] a malformed one is set aside and closes with 4500, the second with 4400', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store, limits: { refusalDelayMs: 10 } })
    const bad = Uint8Array.of(1, 1, 5, 0, 4, 1, 1, 0x74, 0, 0)

    const first = await openRaw({ url, path: 'room' })
    first.send(updateFrame(bad))
    const firstCode = await first.closed()
    const second = await openRaw({ url, path: 'room' })
    second.send(syncStep2(bad))
    const secondCode = await second.closed()

    expect([firstCode, secondCode]).toEqual([4500, 4400])
    const aside = await store.listSetAside('room')
    expect(aside.map(entry => Uint8Array.from(entry.bytes))).toEqual([bad, bad])
  })

  test('[YW12] what is sent after a refused update is not taken: it may hang on that one', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store })
    const raw = await openRaw({ url, path: 'room' })

    raw.send(updateFrame(Uint8Array.of(9)), updateFrame(textUpdate('x')))
    await raw.closed()

    expect((await store.load('room')).records).toHaveLength(0)
  })

  test('[YW12] one beyond the size of a document is set aside: 4500, then 4413', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store, limits: { documentBytesMax: 1_000, refusalDelayMs: 10 } })
    const big = textUpdate('x'.repeat(2_000))

    const codes: number[] = []
    for (let i = 0; i < 2; i++) {
      const raw = await openRaw({ url, path: 'room' })
      raw.send(updateFrame(big))
      codes.push(await raw.closed())
    }

    expect(codes).toEqual([4500, 4413])
    expect((await store.listSetAside('room')).map(entry => entry.bytes.length)).toEqual([
      big.length,
      big.length
    ])
  })

  test('[YW12] a document at its limit refuses what would make it larger, and nothing else', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store, limits: { documentBytesMax: 1_000 } })
    const [a, b] = await both(url)
    const doc = new Y.Doc()
    a.send(updateFrame(typed(doc, 'x'.repeat(900))))
    await a.ask()

    a.send(updateFrame(typed(doc, 'y'.repeat(200))))

    expect(await a.closed()).toBe(4500)
    await b.ask()
    expect(textOf(b)).toBe('x'.repeat(900))
  })
})

describe('awareness messages', () => {
  test('[YW9] QueryAwareness is answered with all states', async () => {
    const { url } = await startServer()
    const [a, b] = await both(url)
    a.send(awarenessFrame({ clientID: 11, clock: 3, state: '{"name":"a"}' }))
    b.send(awarenessFrame({ clientID: 12, clock: 1, state: '{"name":"b"}' }))
    await until(() => a.entriesOf(12).length > 0 && b.entriesOf(11).length > 0, 'each other')
    const before = a.frames.length

    a.send(queryAwareness)
    await until(() => a.frames.length > before, 'the answer')

    const answer = a.received().at(before)
    expect(answer).toMatchObject({ type: 'awareness' })
    const states = answer?.type === 'awareness' ? answer.entries.map(entry => entry.state) : []
    expect(states.sort()).toEqual(['{"name":"a"}', '{"name":"b"}'])
  })

  test('[YW10] who was sent nothing for keepAliveMs gets the empty awareness message', async () => {
    const { url } = await startServer({ limits: { keepAliveMs: 100, heartbeatMs: 50 } })
    const raw = await openRaw({ url, path: 'room' })
    await raw.ask()
    const before = raw.frames.length

    await until(() => raw.frames.length >= before + 2, 'two messages')

    expect(raw.frames.slice(before).map(frame => frame.toString('hex'))).toEqual(
      Array(raw.frames.length - before).fill('010100')
    )
  })

  test('[YW10] who is sent something now and then gets none', async () => {
    const { url } = await startServer({ limits: { keepAliveMs: 200, heartbeatMs: 50 } })
    const raw = await openRaw({ url, path: 'room' })

    for (let i = 0; i < 12; i++) {
      await raw.ask()
      await new Promise(resolve => setTimeout(resolve, 50))
    }

    expect(raw.frames.filter(frame => frame.toString('hex') === '010100')).toEqual([])
  })
})

async function stored(text: string, { isCompacted = false } = {}): Promise<{ store: Store; doc: Y.Doc }> {
  const store = createMemoryStore()
  const doc = new Y.Doc()
  doc.getText('t').insert(0, text)
  await storeDocument(store, 'room', doc)
  if (isCompacted) await compacted(store, 'room')
  return { store, doc }
}

/** Two connections in the room that have joined. */
async function both(url: string): Promise<[Raw, Raw]> {
  const pair: [Raw, Raw] = [await openRaw({ url, path: 'room' }), await openRaw({ url, path: 'room' })]
  await Promise.all(pair.map(raw => raw.ask()))
  return pair
}

/** Waits until the server has had its chance to answer what was sent before: it has answered something else. */
async function aMoment(url: string): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await fetch(`${url}/healthz`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

function textUpdate(text: string): Uint8Array {
  return typed(new Y.Doc(), text)
}

/** The update that appending the text comes to. */
function typed(doc: Y.Doc, text: string): Uint8Array {
  return changed(doc, () => doc.getText('t').insert(doc.getText('t').length, text))
}

function deleted(doc: Y.Doc, index: number, length: number): Uint8Array {
  return changed(doc, () => doc.getText('t').delete(index, length))
}

function changed(doc: Y.Doc, change: () => void): Uint8Array {
  const vector = Y.encodeStateVector(doc)
  let update = vector
  doc.once('update', (each: Uint8Array) => {
    update = each
  })
  change()
  return update
}

function textOf(raw: Raw): string {
  const doc = new Y.Doc()
  for (const update of updatesOf(raw)) Y.applyUpdate(doc, update)
  return doc.getText('t').toString()
}

function isContent(update: Uint8Array): boolean {
  return update.length > 2
}

function steps1Of(raw: Raw): number {
  return raw.received().filter(each => each.type === 'sync-step-1').length
}
