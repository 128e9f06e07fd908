/** Updates, state vectors and presence made to hurt: nothing of them is stored or relayed, and nothing typed is lost. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { startBystanders } from '../support/bystanders.ts'
import { until, untilAsync } from '../support/clients.ts'
import { storeDocument } from '../support/documents.ts'
import {
  awarenessFrame,
  openRaw,
  type Raw,
  syncStep1,
  syncStep2,
  updateFrame,
  updatesOf
} from '../support/raw.ts'
import { startServer } from '../support/server.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

/** Each refusal of the scanner: what would make a document unreadable on some peer, or for ever. */
const malformed: readonly (readonly [string, Uint8Array])[] = [
  ['no bytes', hex('')],
  ['cut short', hex('01 01 64 00 04 01 01 74')],
  ['bytes left over', hex('00 00 00')],
  ['an empty run: a string of length 0', hex('01 01 64 00 04 01 01 74 00 00')],
  ['an empty run: GC of length 0', hex('01 01 64 00 00 00 00')],
  ['an empty run: Skip of length 0', hex('01 01 64 00 0a 00 00')],
  ['an empty run: deleted content of length 0', hex('01 01 64 00 01 01 01 74 00 00')],
  ['an empty run: no JSON elements', hex('01 01 64 00 02 01 01 74 00 00')],
  ['an empty run: no any elements', hex('01 01 64 00 08 01 01 74 00 00')],
  ['an empty deletion', hex('00 01 64 01 00 00')],
  ['a client without structs', hex('01 00 64 00 00')],
  ['the same client twice', hex('02 01 64 00 00 01 01 64 05 00 01 00')],
  ['the same client twice in the delete set', hex('00 02 64 01 00 01 64 01 04 01')],
  ['an origin that follows', hex('01 01 64 00 84 64 05 01 78 00')],
  ['a right origin that is itself', hex('01 01 64 00 44 64 00 01 78 00')],
  ['a parent that is itself', hex('01 01 64 00 04 00 64 00 01 78 00')],
  ['an unknown content', hex('01 01 64 00 0b 01 01 74 01 00')],
  ['an unknown type', hex('01 01 64 00 07 01 01 74 07 00')],
  ['JSON that does not parse', hex('01 01 64 00 05 01 01 74 02 7b 7b 00')],
  ['JSON nested a thousand deep', nestedEmbed(1_000)],
  ['a string that is not UTF-8', hex('01 01 64 00 04 01 01 74 02 c3 28 00')],
  ['an encoded surrogate', hex('01 01 64 00 04 01 01 74 03 ed a0 80 00')],
  ['a clock beyond 2^53', hex('01 01 64 ff ff ff ff ff ff ff 0f 00 01 00')],
  ['a deletion beyond 2^53', hex('00 01 64 01 ff ff ff ff ff ff ff 0f 01')],
  ['four billion clients', hex('ff ff ff ff 0f')],
  ['a string of four billion bytes', hex('01 01 64 00 04 01 01 74 ff ff ff ff 0f')],
  ['bytes as a prototype', prototypeBytes()]
]

describe.each([
  ['Update', updateFrame],
  ['SyncStep2', syncStep2]
])('a malformed %s', (_, frameOf) => {
  test.each(malformed)('[YW12] %s: 4500, set aside, and nobody else notices', async (_what, update) => {
    const store = createMemoryStore()
    const { url } = await startServer({ store, limits: { refusalDelayMs: 1 } })
    const raw = await openRaw({ url, path: 'room' })

    raw.send(frameOf(update))
    const code = await raw.closed()
    const other = await openRaw({ url, path: 'room' })
    await other.ask()

    expect(code).toBe(4500)
    expect((await store.listSetAside('room')).map(({ bytes }) => Uint8Array.from(bytes))).toEqual([update])
    expect(updatesOf(other)).toEqual([Uint8Array.of(0, 0)])
    expect(await store.list()).toEqual([])
  })
})

test.each([2 ** 20, 4])(
  '[YW12] more ranges than allowed: set aside, 4500, then 4413 (slices of %i bytes)',
  async scanBytesMax => {
    const store = createMemoryStore()
    const { url } = await startServer({
      store,
      limits: { updateRangesMax: 2, scanBytesMax, refusalDelayMs: 1 }
    })
    const bystanders = await startBystanders(url)
    // Deletions of clocks 0, 2 and 4 of client 100.
    const update = hex('00 01 64 03 00 01 02 01 04 01')

    const codes: number[] = []
    for (let i = 0; i < 2; i++) {
      const raw = await openRaw({ url, path: 'room' })
      raw.send(updateFrame(update))
      codes.push(await raw.closed())
    }

    expect(codes).toEqual([4500, 4413])
    expect(await store.listSetAside('room')).toHaveLength(2)
    await bystanders.unharmed()
  }
)

test('[I5] bystanders edit on while every malformed update comes into their room', async () => {
  const store = createMemoryStore()
  const { url } = await startServer({ store, limits: { refusalDelayMs: 1, refusalDelayMsMax: 1 } })
  const bystanders = await startBystanders(url)

  const codes: number[] = []
  for (const [, update] of malformed) {
    const raw = await openRaw({ url, path: 'room' })
    raw.send(updateFrame(update))
    codes.push(await raw.closed())
  }

  await bystanders.unharmed()
  expect(codes).toEqual([4500, ...Array(malformed.length - 1).fill(4400)])
  expect(await store.listSetAside('room')).toHaveLength(malformed.length)
})

test('[I5] who comes from the same address as somebody refused is answered at once', async () => {
  const hourMs = 3_600_000
  const store = createMemoryStore()
  const limits = { refusalDelayMs: hourMs, refusalDelayMsMax: hourMs }
  const { url } = await startServer({ store, limits })
  const all: Raw[] = []
  for (let i = 0; i < 4; i++) {
    const raw = await openRaw({ url, path: 'room' })
    raw.send(updateFrame(Uint8Array.of(9)))
    all.push(raw)
  }
  await untilAsync(async () => (await store.listSetAside('room')).length === 4, 'the refusals')

  // Behind a proxy or one household's router everybody has the same address.
  const other = await openRaw({ url, path: 'room' })
  await other.ask()

  expect(all.at(-1)?.closeCode()).toBeNull()
})

test('[I5] an update that decodes but hangs on what never comes waits in the log, for ever harmless', async () => {
  const store = createMemoryStore()
  const { url } = await startServer({ store })
  const bystanders = await startBystanders(url)

  const raw = await openRaw({ url, path: 'room' })
  for (let i = 0; i < 50; i++) {
    // A character of a client that is never heard of again, after clock 7 of another that does not exist.
    raw.send(updateFrame(Uint8Array.of(1, 1, 40 + i, 9, 0x84, 99, 7, 1, 0x78, 0)))
  }
  await raw.ask()

  await bystanders.unharmed()
  expect(raw.closeCode()).toBeNull()
  expect(raw.received().filter(each => each.type === 'sync-step-1').length).toBeLessThanOrEqual(51)
})

describe('state vectors', () => {
  test('one that announces more entries than it has, or than are allowed, closes with 4400', async () => {
    const { url } = await startServer({ limits: { stateVectorEntriesMax: 1_000 } })
    const bystanders = await startBystanders(url)
    const vectors = [hex('ff ff ff ff 0f'), hex('ff ff ff ff ff ff ff 0f 01 01'), vectorOf(1_001)]

    const codes: number[] = []
    for (const vector of vectors) {
      const raw = await openRaw({ url, path: 'room' })
      raw.send(syncStep1(vector))
      codes.push(await raw.closed())
    }

    expect(codes).toEqual([4400, 4400, 4400])
    await bystanders.unharmed()
  })

  test('one of 50,000 clients that nobody knows is answered like an empty one', async () => {
    const store = createMemoryStore()
    const doc = new Y.Doc()
    doc.getText('t').insert(0, 'stored')
    await storeDocument(store, 'room', doc)
    const { url } = await startServer({ store })
    const raw = await openRaw({ url, path: 'room' })

    await raw.ask(vectorOf(50_000))

    const copy = new Y.Doc()
    for (const update of updatesOf(raw)) Y.applyUpdate(copy, update)
    expect(copy.getText('t').toString()).toBe('stored')
  })

  test('a hundred different ones in turn are each answered', async () => {
    const store = createMemoryStore()
    const doc = new Y.Doc()
    for (let i = 0; i < 3_000; i++) doc.getText('t').insert(0, `${i % 10}`)
    await storeDocument(store, 'room', doc)
    const { url } = await startServer({ store, limits: { rejoinWaitMs: 5 } })
    const bystanders = await startBystanders(url)

    for (let clock = 1; clock <= 100; clock++) {
      const raw = await openRaw({ url, path: 'room' })
      await raw.ask(Y.encodeStateVector(new Map([[doc.clientID, clock]])))
      raw.socket.terminate()
    }

    await bystanders.unharmed()
  })
})

describe('presence', () => {
  test('[AW6] twenty thousand invented users from one socket are nobody to the others', async () => {
    const { url } = await startServer()
    const bystanders = await startBystanders(url)
    const viewer = await openRaw({ url, path: 'room' })
    await viewer.ask()
    const raw = await openRaw({ url, path: 'room' })
    await raw.ask()

    const invented = Array.from({ length: 19_000 }, (_, i) => ({ clientID: 10 + i, clock: 1, state: '{}' }))
    raw.send(awarenessFrame(...invented))
    for (const each of invented.slice(0, 300)) raw.send(awarenessFrame(each))
    await raw.ask()
    await viewer.ask()

    expect(viewer.entriesOf(11)).toEqual([])
    expect(viewer.entriesOf(300)).toEqual([])
    await bystanders.unharmed()
  })

  test('[AW8] a state of 5 MB closes with 4400 and reaches nobody', async () => {
    const { url } = await startServer()
    const bystanders = await startBystanders(url)
    const raw = await openRaw({ url, path: 'room' })
    await raw.ask()

    raw.send(awarenessFrame({ clientID: 5, clock: 1, state: JSON.stringify('x'.repeat(5_000_000)) }))

    expect(await raw.closed()).toBe(4400)
    await bystanders.unharmed()
  })

  test.each([2 ** 47, 2 ** 47 - 1])(
    '[AW8] the highest clock that is taken (%i) harms nobody who echoes it',
    async clock => {
      const { url } = await startServer({ limits: { awarenessRestMs: 50 } })
      const bystanders = await startBystanders(url)
      const viewer = await openRaw({ url, path: 'room' })
      viewer.send(awarenessFrame({ clientID: 9, clock: 1, state: '{}' }))
      await viewer.ask()

      const attacker = await openRaw({ url, path: 'room' })
      attacker.send(awarenessFrame({ clientID: 5, clock, state: '{"n":"x"}' }))
      await attacker.ask()
      await until(() => viewer.entriesOf(5).length > 0, 'the attacker as 5')
      // Every y-websocket client sends what it was told back, with the clock that the server has given it.
      const echo = viewer.entriesOf(5).at(-1)
      viewer.send(awarenessFrame(echo ?? { clientID: 5, clock, state: '' }))
      await viewer.ask()

      expect(viewer.closeCode()).toBeNull()
      await bystanders.unharmed()
    }
  )

  test('[AW8] a clock jump to the bound does not silence the victim for good', async () => {
    const { url } = await startServer()
    const viewer = await openRaw({ url, path: 'room' })
    viewer.send(awarenessFrame({ clientID: 9, clock: 1, state: '{}' }))
    await viewer.ask()
    const attacker = await openRaw({ url, path: 'room' })
    attacker.send(awarenessFrame({ clientID: 5, clock: 2 ** 47 - 1, state: '{"n":"x"}' }))
    await attacker.ask()
    await until(() => viewer.entriesOf(5).length > 0, 'the attacker as 5')
    attacker.socket.terminate()
    await until(() => viewer.entriesOf(5).at(-1)?.state === 'null', 'the attacker gone')

    const victim = await openRaw({ url, path: 'room' })
    victim.send(awarenessFrame({ clientID: 5, clock: 1, state: '{"n":"victim"}' }))
    await victim.ask()
    await until(() => viewer.entriesOf(5).at(-1)?.state === '{"n":"victim"}', 'the victim visible')
    victim.send(awarenessFrame({ clientID: 5, clock: 2, state: '{"n":"still"}' }))
    await until(() => viewer.entriesOf(5).at(-1)?.state === '{"n":"still"}', 'the victim still visible')

    const clocks = viewer.entriesOf(5).map(({ clock }) => clock)
    expect(clocks).toEqual([...clocks].sort((a, b) => a - b))
  })
})

describe('connections that do not play along', () => {
  test('[RM3] one that reads nothing of a large document is closed with 1013', async () => {
    const store = createMemoryStore()
    const doc = new Y.Doc()
    for (let i = 0; i < 40; i++) doc.getText(`t${i}`).insert(0, 'x'.repeat(300_000))
    await storeDocument(store, 'room', doc)
    const server = await startServer({
      store,
      limits: { joinStallMs: 300, joinBytesPerSecondMin: 100 * 1024 * 1024 }
    })
    const bystanders = await startBystanders(server.url)
    const raw = await openRaw({ url: server.url, path: 'room' })
    raw.socket.pause()
    raw.send(syncStep1(Uint8Array.of(0)))

    while (!(await server.metrics()).includes('ERR_NO_PROGRESS'))
      await new Promise(resolve => setTimeout(resolve, 50))
    raw.socket.resume()

    expect(await raw.closed()).toBe(1013)
    await bystanders.unharmed()
  })

  test('one that never sends SyncStep1 is sent no document, may edit, and may ask later', async () => {
    const { url } = await startServer()
    const bystanders = await startBystanders(url)
    const raw = await openRaw({ url, path: 'room' })
    const doc = new Y.Doc()
    doc.getText('silent').insert(0, 'here')
    raw.send(updateFrame(Y.encodeStateAsUpdate(doc)))

    await bystanders.unharmed()
    const before = updatesOf(raw)
    await raw.ask()

    const copy = new Y.Doc()
    for (const update of updatesOf(raw)) Y.applyUpdate(copy, update)
    expect(before).toEqual([])
    expect(copy.getText('silent').toString()).toBe('here')
    expect(copy.getText('bystanders').length).toBeGreaterThan(0)
  })

  test('[YW1] rooms named like members of every object are rooms like others', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store })
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'valueOf']

    for (const name of names) {
      const doc = new Y.Doc()
      doc.getText('t').insert(0, name)
      const raw = await openRaw({ url, path: name })
      raw.send(updateFrame(Y.encodeStateAsUpdate(doc)))
      await raw.ask()
    }
    const found = await Promise.all(
      names.map(async name => {
        const raw = await openRaw({ url, path: name })
        await raw.ask()
        const copy = new Y.Doc()
        for (const update of updatesOf(raw)) Y.applyUpdate(copy, update)
        return copy.getText('t').toString()
      })
    )

    expect(found).toEqual(names)
    expect(await store.list()).toEqual([...names].sort())
  })
})

function vectorOf(clients: number): Uint8Array {
  return Y.encodeStateVector(new Map(Array.from({ length: clients }, (_, i) => [i + 1, 1])))
}

/** One ContentEmbed whose JSON is arrays within arrays. */
function nestedEmbed(depth: number): Uint8Array {
  const json = Buffer.from('['.repeat(depth) + ']'.repeat(depth))
  return Uint8Array.from([
    1,
    1,
    100,
    0,
    5,
    1,
    1,
    0x74,
    (json.length % 128) | 0x80,
    json.length >> 7,
    ...json,
    0
  ])
}

/** ContentAny of an object whose `__proto__` is bytes: Yjs reads it, and throws whenever it writes it. */
function prototypeBytes(): Uint8Array {
  return Uint8Array.from([
    1,
    1,
    100,
    0,
    8,
    1,
    1,
    0x74,
    1,
    118,
    1,
    9,
    ...Buffer.from('__proto__'),
    116,
    1,
    5,
    0
  ])
}
