/** The Hocuspocus wire, rule by rule, by hand over real sockets: HP1–HP16 of PROTOCOL.md. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import type { Authorize } from '../../src/access/grant.ts'
import { faults } from '../../src/base/errors.ts'
import { until, untilAsync } from '../support/clients.ts'
import { holdAppends } from '../support/disk.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import { startProxy } from '../support/proxy.ts'
import { openRaw, syncStep1, updateFrame } from '../support/raw.ts'
import {
  authFrame,
  closeFrame,
  openHocuspocus,
  statelessFrame,
  step1Frame,
  step2Frame,
  updateFrameOf
} from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'
import { randomFrom } from '../support/trace.ts'

const nothing = Uint8Array.of(0, 0)

/** Not an update: its only struct is cut short. */
const malformed = Uint8Array.of(1, 1, 1, 0)

function textUpdate(text: string, clientID?: number): Uint8Array {
  const doc = new Y.Doc()
  if (clientID !== undefined) doc.clientID = clientID
  doc.getText('t').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

/** A document that is written in letter by letter, and the update that each edit makes. */
function recorded(): { doc: Y.Doc; updates: Uint8Array[]; insert(letter: string): void } {
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  return { doc, updates, insert: letter => doc.getText('t').insert(doc.getText('t').length, letter) }
}

const byToken: Authorize = ({ token }) => {
  if (token === 'hang') return new Promise(() => {})
  const access = token === 'writer' ? 'write' : token === 'reader' ? 'read' : 'none'
  return { user: null, access }
}

describe('the first message', () => {
  test('[HP2] a y-websocket client is greeted before it has said anything', async () => {
    const { url } = await startServer()

    const raw = await openRaw({ url, path: 'room' })
    await until(() => raw.frames.length === 1, 'the greeting')

    expect(raw.received()[0]?.type).toBe('sync-step-1')
  })

  test('[HP2] an Auth frame after the greeting makes it a Hocuspocus connection, and its path means nothing', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store })
    const client = await openHocuspocus(url, 'collaboration')
    await until(() => client.raw.frames.length === 1, 'the greeting')

    await client.join('room')
    client.raw.send(updateFrameOf('room', textUpdate('x')))
    await until(() => client.heard('room').filter(what => what === 'saved').length === 2, 'it to be saved')

    // As a provider reads it: something for an empty address, which is nobody's.
    expect(client.heard('')).toEqual(['sync-step-2'])
    expect(await store.list()).toEqual(['room'])
  })

  test.each([
    ['root-path', '', null],
    ['root-path', 'room', 4400],
    ['off', 'room', 4400],
    ['off', '', 4400]
  ] as const)(
    '[HP1, HP2] with hocuspocus %s an Auth frame at /%s ends with %s',
    async (hocuspocus, path, code) => {
      const { url } = await startServer({ hocuspocus })
      const client = await openHocuspocus(url, path)

      client.raw.send(authFrame('room', 'tok'))

      if (code !== null) expect(await client.raw.closed()).toBe(code)
      else await until(() => client.heard('room').length > 0, 'an answer')
    }
  )
})

describe('addresses', () => {
  test('[HP3] beyond the limit they are refused, and the others go on; who leaves makes room', async () => {
    const { url } = await startServer({ limits: { roomsPerConnectionMax: 3 } })
    const client = await openHocuspocus(url)
    for (const name of ['a', 'b', 'c']) await client.join(name)

    client.raw.send(authFrame('d', ''))
    await until(() => client.heard('d').length === 1, 'a refusal')
    client.raw.send(closeFrame('a'))
    await client.join('d')
    await client.join('b')

    expect(client.heard('d')[0]).toMatch(/^denied: too many/)
  })

  test('[HP5] a name that is none is refused, and the socket goes on', async () => {
    const { url } = await startServer()
    const client = await openHocuspocus(url)
    const long = 'x'.repeat(1_001)

    client.raw.send(authFrame(long, ''), step1Frame(long), authFrame('\0session', ''))
    await until(() => client.heard(long).length + client.heard('\0session').length === 2, 'two refusals')
    await client.join('room')

    expect(client.heard(long)).toEqual([`denied: ${faults.ERR_ROOM_NAME.publicReason}`])
  })

  test.each([
    ['empty', ''],
    ['of blanks alone', ' \t'],
    ['longer than any address', 'x'.repeat(3_000)]
  ])(
    '[HP5] a name that is %s is refused for its address alone, and nobody is asked about it',
    async (_, name) => {
      const asked: string[] = []
      const { url } = await startServer({
        authorize: ({ document }) => {
          asked.push(document)
          return { user: null, access: 'write' }
        }
      })
      const client = await openHocuspocus(url)
      await client.join('room')

      client.raw.send(authFrame(name, ''), step1Frame(name))
      await until(() => client.heard(name).length > 0, 'the refusal')
      await client.join('other')

      expect(client.heard(name)[0]).toBe(`denied: ${faults.ERR_ROOM_NAME.publicReason}`)
      expect(asked).toEqual(['room', 'other'])
    }
  )

  test('[HP4] who sends no Auth comes in with its SyncStep1, and without a token', async () => {
    const tokens: (string | null)[] = []
    const { url } = await startServer({
      authorize: ({ token }) => {
        tokens.push(token)
        return { user: null, access: 'write' }
      }
    })
    const client = await openHocuspocus(url)

    client.raw.send(step1Frame('room'))

    await until(() => client.heard('room').includes('sync-step-2'), 'the end marker')
    expect(tokens).toEqual([null])
  })

  test('[HP7] Authenticated, our SyncStep1, the document and the end marker come in this order', async () => {
    const { url } = await startServer()
    const writer = await openHocuspocus(url)
    await writer.join('room')
    writer.raw.send(updateFrameOf('room', textUpdate('x')))
    await until(() => writer.heard('room').filter(what => what === 'saved').length === 2, 'it to be saved')

    const reader = await openHocuspocus(url)
    await reader.join('room\0session', 'tok')

    expect(reader.heard('room\0session')).toEqual([
      'authenticated: read-write',
      'sync-step-1',
      'update',
      'sync-step-2',
      'saved'
    ])
  })

  test('[HP11] CLOSE is answered if a version was stated, and the address may come back', async () => {
    const { url } = await startServer()
    const client = await openHocuspocus(url)

    client.raw.send(authFrame('new', '', '4.8.0'), authFrame('old', ''))
    await until(() => client.heard('new').length + client.heard('old').length === 2, 'both open')
    client.raw.send(closeFrame('new'), closeFrame('old'), closeFrame('nobody'))
    await client.join('new')
    await client.join('old')

    expect(client.heard('new')[1]).toBe('close: provider_initiated')
    expect(client.said().filter(({ what }) => what.startsWith('close'))).toHaveLength(1)
  })
})

describe('receipts', () => {
  test('[HP8] there is one for each Update and SyncStep2, whatever it brings', async () => {
    const { url } = await startServer()
    const [a, b] = [await openHocuspocus(url), await openHocuspocus(url)]
    await a.join('room')
    await b.join('room')
    const updates = Array.from({ length: 50 }, (_, i) => textUpdate(`${i}`))

    for (const update of updates) a.raw.send(updateFrameOf('room', update))
    for (const update of updates) b.raw.send(updateFrameOf('room', update))
    b.raw.send(step2Frame('room', nothing))
    const saved = (client: typeof a) => client.heard('room').filter(what => what === 'saved').length
    await until(() => saved(a) === 51 && saved(b) === 52, 'the receipts')
    // One more exchange: what should not come has come.
    a.raw.send(step2Frame('room', nothing))
    b.raw.send(step2Frame('room', nothing))
    await until(() => saved(a) >= 52 && saved(b) >= 53, 'the last receipt')

    expect([saved(a), saved(b)]).toEqual([52, 53])
  })

  test('[HP8] what repeats an update of somebody else waits until that one is on disk', async () => {
    const store = createMemoryStore()
    const gate = holdAppends(store)
    const { url } = await startServer({ store })
    const [a, b] = [await openHocuspocus(url), await openHocuspocus(url)]
    await a.join('room')
    await b.join('room')
    const update = textUpdate('x')

    a.raw.send(updateFrameOf('room', update))
    b.raw.send(updateFrameOf('room', update))
    await new Promise(resolve => setTimeout(resolve, 50))
    const early = [a, b].map(client => client.heard('room').filter(what => what === 'saved').length)
    gate.open()
    await until(
      () => [a, b].every(client => client.heard('room').filter(what => what === 'saved').length === 2),
      'both receipts'
    )

    expect(early).toEqual([1, 1])
  })

  test('[HP9] none comes before the end marker, and before the SyncStep2 that holds everything', async () => {
    const { url } = await startServer()
    const client = await openHocuspocus(url)
    const { doc, updates, insert } = recorded()
    for (const letter of 'abc') insert(letter)

    client.raw.send(authFrame('room', ''), step1Frame('room'))
    for (const update of updates) client.raw.send(updateFrameOf('room', update))
    client.raw.send(step1Frame('room', Y.encodeStateVector(doc)))
    await until(() => client.heard('room').filter(what => what === 'sync-step-2').length === 2, 'two markers')
    await new Promise(resolve => setTimeout(resolve, 50))
    const early = client.heard('room').filter(what => what === 'saved').length
    client.raw.send(updateFrameOf('room', textUpdate('counted')))
    client.raw.send(step2Frame('room', nothing), step2Frame('room', nothing))
    await until(() => client.heard('room').includes('saved'), 'a receipt')
    client.raw.send(updateFrameOf('room', textUpdate('last')))
    await until(() => client.heard('room').filter(what => what === 'saved').length >= 3, 'the last receipt')

    // The counter was set to one by the second SyncStep1: one for that, one for each of the two updates since.
    expect(early).toBe(0)
    expect(client.heard('room').filter(what => what === 'saved')).toHaveLength(3)
  })

  test('[HP9] who never answers our SyncStep1 is told of its updates after a while, not of the SyncStep2', async () => {
    const { url } = await startServer({ limits: { rejoinWaitMs: 100 } })
    const client = await openHocuspocus(url)
    const saved = () => client.heard('room').filter(what => what === 'saved').length

    client.raw.send(authFrame('room', ''), step1Frame('room'), updateFrameOf('room', textUpdate('one')))
    await until(() => saved() === 1, 'the receipt of the first')
    client.raw.send(updateFrameOf('room', textUpdate('two')))
    await until(() => saved() === 2, 'the receipt of the second')
    // A slow provider's comes late: it counts as one, as before.
    client.raw.send(step2Frame('room', nothing))
    await until(() => saved() === 3, 'the receipt of the SyncStep2')

    expect(client.heard('room').filter(what => what === 'sync-step-2')).toHaveLength(1)
  })

  test('[YW17] several messages in one frame, each with its address, are taken in order', async () => {
    const { url } = await startServer()
    const client = await openHocuspocus(url)

    client.raw.send(
      Buffer.concat([authFrame('a', ''), step1Frame('a'), authFrame('b', '', '4.8.0'), step1Frame('b')])
    )
    await until(() => client.heard('b').includes('sync-step-2'), 'both rooms')

    expect(client.heard('a')).toContain('sync-step-2')
    expect(client.heard('a')).toContain('authenticated: read-write')
  })

  test('[YW17] on the path of a room a first frame of several messages makes a Hocuspocus connection', async () => {
    const { url } = await startServer()
    const client = await openHocuspocus(url, 'elsewhere')

    client.raw.send(Buffer.concat([authFrame('a', ''), step1Frame('a')]))
    await until(() => client.heard('a').includes('sync-step-2'), 'the room')

    expect(client.raw.closeCode()).toBeNull()
  })

  test('[HP9] the answer to a question of the server is not counted', async () => {
    const { url } = await startServer()
    const client = await openHocuspocus(url)
    await client.join('room')
    const doc = new Y.Doc()
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    for (const letter of 'abc') doc.getText('t').insert(doc.getText('t').length, letter)

    client.raw.send(updateFrameOf('room', updates[2] as Uint8Array))
    const asks = () => client.heard('room').filter(what => what === 'sync-step-1').length
    await until(() => asks() === 2, 'the question for what is missing')
    client.raw.send(step2Frame('room', Y.encodeStateAsUpdate(doc)))
    client.raw.send(updateFrameOf('room', updates[1] as Uint8Array))
    const saved = () => client.heard('room').filter(what => what === 'saved').length
    await until(() => saved() === 3, 'the receipts')
    await new Promise(resolve => setTimeout(resolve, 50))

    expect(saved()).toBe(3)
  })

  test('[HP9] what was made before the SyncStep1 and comes after it is owed no receipt, the rest is', async () => {
    const { url } = await startServer()
    const client = await openHocuspocus(url)
    const { doc, updates, insert } = recorded()
    for (const letter of 'abcde') insert(letter)
    const vector = Y.encodeStateVector(doc)
    const heard = (what: string) => client.heard('room').filter(each => each === what).length

    client.raw.send(authFrame('room', ''), step1Frame('room', vector))
    for (const update of updates) client.raw.send(updateFrameOf('room', update))
    await until(() => heard('sync-step-1') === 1, 'the question of the server')
    client.raw.send(step2Frame('room', Y.encodeStateAsUpdate(doc)))
    await until(() => heard('saved') > 0, 'the receipt')
    await new Promise(resolve => setTimeout(resolve, 50))
    const joined = heard('saved')
    insert('f')
    client.raw.send(updateFrameOf('room', updates.at(-1) as Uint8Array))
    await until(() => heard('saved') > joined, 'the receipt of a new one')
    await new Promise(resolve => setTimeout(resolve, 50))

    expect([joined, heard('saved')]).toEqual([1, 2])
  })

  test('[HP9] an Update that the SyncStep1 covers half, and one of deletions alone, are owed', async () => {
    const { url } = await startServer()
    const client = await openHocuspocus(url)
    const { doc, updates, insert } = recorded()
    insert('a')
    insert('b')
    const vector = Y.encodeStateVector(doc)
    insert('c')
    const half = Y.mergeUpdates(updates.slice(1))
    doc.getText('t').delete(0, 1)
    const saved = () => client.heard('room').filter(what => what === 'saved').length

    client.raw.send(authFrame('room', ''), step1Frame('room', vector))
    for (const update of [updates[0], half, updates[3]])
      client.raw.send(updateFrameOf('room', update as Uint8Array))
    client.raw.send(step2Frame('room', Y.encodeStateAsUpdate(doc)))
    await until(() => saved() >= 3, 'the receipts')
    await new Promise(resolve => setTimeout(resolve, 50))

    expect(saved()).toBe(3)
  })

  test('[HP9] a SyncStep1 that waited among the Updates, and knows less, does not begin anew', async () => {
    const { url } = await startServer()
    const client = await openHocuspocus(url)
    const { doc, updates, insert } = recorded()
    insert('a')
    const older = Y.encodeStateVector(doc)
    insert('b')
    const vector = Y.encodeStateVector(doc)
    insert('counted')
    const [first, second, counted] = updates as [Uint8Array, Uint8Array, Uint8Array]
    const saved = () => client.heard('room').filter(what => what === 'saved').length

    client.raw.send(authFrame('room', ''), step1Frame('room', vector), updateFrameOf('room', counted))
    client.raw.send(updateFrameOf('room', first), step1Frame('room', older), updateFrameOf('room', second))
    for (let i = 0; i < 2; i++) client.raw.send(step2Frame('room', Y.encodeStateAsUpdate(doc)))
    await until(() => saved() >= 2, 'the receipts')
    await new Promise(resolve => setTimeout(resolve, 50))

    expect(saved()).toBe(2)
  })

  test('[HP9, HP10] an Update of a reader from before its SyncStep1 is owed nothing when it may write', async () => {
    const server = await startServer({ authorize: byToken })
    const client = await openHocuspocus(server.url)
    const { doc, updates, insert } = recorded()
    for (const letter of 'abc') insert(letter)
    const heard = (what: string) => client.heard('room').filter(each => each === what).length

    client.raw.send(authFrame('room', 'reader'), step1Frame('room', Y.encodeStateVector(doc)))
    for (const update of updates) client.raw.send(updateFrameOf('room', update))
    client.raw.send(step2Frame('room', Y.encodeStateAsUpdate(doc)))
    await until(() => heard('not saved') === 4, 'the refusals')
    client.raw.send(authFrame('room', 'writer'))
    await until(() => heard('sync-step-1') === 2, 'the question for what was refused')
    client.raw.send(step2Frame('room', Y.encodeStateAsUpdate(doc)))
    await until(() => heard('saved') > 0, 'the receipt')
    await new Promise(resolve => setTimeout(resolve, 50))

    expect(heard('saved')).toBe(1)
  })

  test('[HP10] a reader: Updates are refused, a SyncStep2 only if it brings something', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store, authorize: byToken })
    const writer = await openHocuspocus(url)
    await writer.join('room', 'writer')
    const update = textUpdate('x')
    writer.raw.send(updateFrameOf('room', update))
    await until(() => writer.heard('room').filter(what => what === 'saved').length === 2, 'it to be saved')

    const reader = await openHocuspocus(url)
    await reader.join('room', 'reader')
    const from = reader.heard('room').length
    reader.raw.send(
      step2Frame('room', update),
      updateFrameOf('room', update),
      step2Frame('room', textUpdate('new')),
      updateFrameOf('room', textUpdate('newer'))
    )
    await until(() => reader.heard('room').length >= from + 4, 'four answers')

    expect(reader.heard('room')).toContain('authenticated: readonly')
    expect([...reader.heard('room').slice(from)].sort()).toEqual([
      'not saved',
      'not saved',
      'not saved',
      'saved'
    ])
    expect((await store.load('room')).records).toHaveLength(1)
    expect(writer.heard('room').filter(what => what === 'update')).toEqual([])
  })
})

describe('y-websocket, where access is checked', () => {
  test.each([
    ['no token', '', 4401],
    ['a bad token', '?token=bad', 4403],
    ['a token that is never judged', '?token=hang', 4502]
  ])('[YW14] with %s it is accepted, told why and closed', async (_, query, code) => {
    const { url } = await startServer({ authorize: byToken, limits: { authorizeTimeoutMs: 30 } })

    const raw = await openRaw({ url, path: `room${query}` })
    raw.send(syncStep1(Uint8Array.of(0)), updateFrame(textUpdate('x')))

    expect(await raw.closed()).toBe(code)
    expect(raw.frames).toHaveLength(1)
    expect(raw.frames[0]?.subarray(0, 2)).toEqual(Buffer.from([2, 0]))
  })

  test('[YW15] a reader receives everything, and each update of it is answered with a no', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store, authorize: byToken })
    const [writer, reader] = [
      await openRaw({ url, path: 'room?token=writer' }),
      await openRaw({ url, path: 'room?token=reader' })
    ]
    await Promise.all([writer.ask(), reader.ask()])

    reader.send(updateFrame(textUpdate('refused')))
    await reader.ask()
    writer.send(updateFrame(textUpdate('seen')))
    await until(() => reader.received().some(({ type }) => type === 'update'), 'the update')

    expect(reader.frames.filter(frame => frame[0] === 2)).toHaveLength(1)
    expect((await store.load('room')).records).toHaveLength(1)
    expect(reader.closeCode()).toBeNull()
  })
})

describe('faults and limits', () => {
  test('[HP15] a refused update: first the socket closes, then only its address is refused', async () => {
    const store = createMemoryStore()
    const setAside: string[] = []
    const original = store.setAside.bind(store)
    store.setAside = async (document, entry) => {
      setAside.push(document)
      return original(document, entry)
    }
    const { url } = await startServer({ store, limits: { refusalDelayMs: 1 } })
    const first = await openHocuspocus(url)
    await first.join('room')
    first.raw.send(updateFrameOf('room', malformed))
    const code = await first.raw.closed()

    const second = await openHocuspocus(url)
    await second.join('room')
    await second.join('other')
    second.raw.send(updateFrameOf('room', malformed), updateFrameOf('room', textUpdate('after')))
    await until(() => second.heard('room').some(what => what.startsWith('denied')), 'a refusal')
    second.raw.send(updateFrameOf('other', textUpdate('x')))
    await until(() => second.heard('other').filter(what => what === 'saved').length === 2, 'it to be saved')

    expect(code).toBe(4500)
    expect(first.heard('room').at(-1)).toBe('not saved')
    expect(second.heard('room').slice(-2)).toEqual([
      'not saved',
      'denied: updates could not be read again; they were set aside'
    ])
    expect(second.raw.closeCode()).toBeNull()
    expect(await store.list()).toEqual(['other'])
    expect(setAside).toEqual(['room', 'room'])
  })

  test('[HP13] a silent socket is kept alive, with a room and without; Ping is answered, Pong taken', async () => {
    const { url } = await startServer({ limits: { keepAliveMs: 60, heartbeatMs: 20 } })
    const [inside, outside] = [await openHocuspocus(url), await openHocuspocus(url)]
    await inside.join('room')

    await until(() => inside.heard('room').includes('not saved'), 'a keep-alive in the room')
    await until(() => outside.heard('').includes('not saved'), 'a keep-alive to nobody')
    inside.raw.send(Uint8Array.of(10), Uint8Array.of(9))
    await until(() => inside.heard('').includes('pong'), 'a pong')

    expect(inside.raw.closeCode()).toBeNull()
  })

  test('[HP16] a socket that nobody comes in on is closed, one that somebody came in on is not', async () => {
    const { url } = await startServer({ authorize: byToken, limits: { authDeadlineMs: 150 } })
    const [silent, refused, inside] = [
      await openHocuspocus(url),
      await openHocuspocus(url),
      await openHocuspocus(url)
    ]
    await inside.join('room', 'writer')
    refused.raw.send(authFrame('room', 'wrong'))
    inside.raw.send(updateFrameOf('undecided', textUpdate('x')))

    expect([await silent.raw.closed(), await refused.raw.closed()]).toEqual([4502, 4502])
    await until(() => inside.heard('undecided').length === 1, 'the undecided address to be refused')
    expect(inside.raw.closeCode()).toBeNull()
  })

  test('[HP16] a flood before authentication is cut off, one behind it is held back', async () => {
    let decide = () => {}
    const authorize: Authorize = () =>
      new Promise(resolve => {
        decide = () => resolve({ user: null, access: 'write' })
      })
    const { url } = await startServer({ authorize, limits: { pendingFramesMax: 20 } })
    const [stranger, patient] = [await openHocuspocus(url), await openHocuspocus(url)]

    for (let i = 0; i < 30; i++) stranger.raw.send(updateFrameOf('room', textUpdate(`${i}`)))
    const code = await stranger.raw.closed()
    patient.raw.send(authFrame('room', 'tok'), step1Frame('room'))
    for (let i = 0; i < 100; i++) patient.raw.send(updateFrameOf('room', textUpdate(`${i}`)))
    patient.raw.send(step2Frame('room', nothing))
    await new Promise(resolve => setTimeout(resolve, 50))
    decide()
    await until(() => patient.heard('room').filter(what => what === 'saved').length === 101, 'all receipts')

    expect(code).toBe(1013)
  })

  test('[HP16] an authorize that hangs refuses, and holds nobody else up', async () => {
    const server = await startServer({ authorize: byToken, limits: { authorizeTimeoutMs: 100 } })
    const client = await openHocuspocus(server.url)

    client.raw.send(authFrame('slow', 'hang'))
    await client.join('quick', 'writer')
    await until(() => client.heard('slow').length === 1, 'the refusal')

    expect(client.heard('slow')).toEqual(['denied: not authenticated in time; try again'])
    expect(await server.metrics()).toMatch(
      /chorus_hook_calls_total\{hook="authorize",outcome="timed-out"\} 1/
    )
  })

  test('[HP12] too large a stateless message closes with 4400; a hook that throws or hangs costs a count', async () => {
    const server = await startServer({
      limits: { statelessBytesMax: 100, statelessTimeoutMs: 2_000, statelessRunningMax: 1 },
      onStateless: ({ payload, reply }) => {
        if (payload === 'throw') throw new Error('a bug of the application')
        if (payload === 'hang') return new Promise(() => {})
        reply(payload === 'large' ? 'x'.repeat(101) : 'answer')
      }
    })
    const client = await openHocuspocus(server.url)
    await client.join('room')

    const countIs = (outcome: string, count: number) =>
      untilAsync(async () => {
        const line = `chorus_hook_calls_total{hook="stateless",outcome="${outcome}"} ${count}\n`
        return (await server.metrics()).includes(line)
      }, `${count} ${outcome}`)

    client.raw.send(statelessFrame('room', 'throw'))
    await countIs('failed', 1)
    // Long before the first of them has hung for too long, the second one is there.
    client.raw.send(statelessFrame('room', 'hang'), statelessFrame('room', 'dropped'))
    await countIs('dropped', 1)
    await countIs('timed-out', 1)
    client.raw.send(statelessFrame('room', 'large'))
    await countIs('failed', 2)
    client.raw.send(statelessFrame('room', 'fine'))
    await until(() => client.heard('room').includes('stateless: answer'), 'an answer')
    client.raw.send(statelessFrame('room', 'x'.repeat(200)))

    expect(await client.raw.closed()).toBe(4400)
  })
})

test('[HP3] two joins on one slow socket both go on, and a live room beside them', async () => {
  const store = createMemoryStore()
  for (const name of ['one', 'two']) {
    await storeDocument(store, name, largeDocument(1_500_000))
    await compacted(store, name)
  }
  const { url } = await startServer({ store, limits: { joinStallMs: 3_000 } })
  const proxy = await startProxy(url, { bytesPerSecond: 2_000_000 })
  const client = await openHocuspocus(proxy.url)
  await client.join('live')

  for (const name of ['one', 'two']) {
    client.raw.send(authFrame(name, ''), step1Frame(name), step2Frame(name, nothing))
  }
  const writer = await openHocuspocus(url)
  await writer.join('live')
  for (let i = 0; i < 20; i++) writer.raw.send(updateFrameOf('live', textUpdate(`${i}`)))
  const isOver = (name: string) => client.heard(name).includes('saved')
  await until(() => isOver('one') && isOver('two'), 'both joins')
  await until(() => client.heard('live').includes('update'), 'the live room')

  for (const name of ['one', 'two']) {
    const doc = new Y.Doc()
    for (const { routingKey, what, payload } of client.said()) {
      if (routingKey === name && (what === 'update' || what === 'sync-step-2')) Y.applyUpdate(doc, payload)
    }
    expect(doc.getText('t').length).toBe(1_500_000)
  }
  expect(client.raw.closeCode()).toBeNull()
})

function largeDocument(length: number): Y.Doc {
  const random = randomFrom(3)
  const doc = new Y.Doc()
  for (let written = 0; written < length; written += 500) {
    doc.getText('t').insert(Math.floor(random() * written), 'abcde'.repeat(100))
  }
  return doc
}
