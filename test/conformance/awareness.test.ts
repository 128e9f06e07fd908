/** Presence by hand over real sockets: AW1–AW11 of PROTOCOL.md. Clocks are what receivers judge by, so they are counted here. */
import { describe, expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import { until } from '../support/clients.ts'
import {
  awarenessFrame,
  type Entry,
  openRaw,
  queryAwareness,
  type Raw,
  syncStep1,
  updateFrame
} from '../support/raw.ts'
import { startServer } from '../support/server.ts'

const alice = 1001
const bob = 1002

async function joined(url: string): Promise<Raw> {
  const raw = await openRaw({ url, path: 'room' })
  await raw.ask()
  return raw
}

/** Someone in the room who was sent its states: of whom nothing is published before. */
function watching(url: string): Promise<Raw> {
  return present(url, entry(7, 1, '{"n":"viewer"}'))
}

/** In the room, with a state, and sent the others' states. */
async function present(url: string, entry: Entry): Promise<Raw> {
  const raw = await openRaw({ url, path: 'room' })
  raw.send(syncStep1(Uint8Array.of(0)), awarenessFrame(entry))
  await until(() => raw.entriesOf(entry.clientID).length > 0, 'its own entry back')
  return raw
}

function latest(viewer: Raw, clientID: number): Entry | undefined {
  return viewer.entriesOf(clientID).at(-1)
}

function shows(viewer: Raw, clientID: number, state: string): Promise<void> {
  return until(() => latest(viewer, clientID)?.state === state, `${state} of ${clientID}`)
}

const entry = (clientID: number, clock: number, state: string): Entry => ({ clientID, clock, state })

describe('clocks', () => {
  test('[AW1] the first entry of a connection is published above its clock and above the last', async () => {
    const { url } = await startServer()
    const viewer = await watching(url)

    const first = await present(url, entry(alice, 0, '{"n":1}'))
    await shows(viewer, alice, '{"n":1}')
    const clock = latest(viewer, alice)?.clock as number
    first.socket.terminate()
    await shows(viewer, alice, 'null')
    await present(url, entry(alice, 0, '{"n":1}'))
    await shows(viewer, alice, '{"n":1}')

    expect(clock).toBe(1)
    expect(latest(viewer, alice)?.clock).toBeGreaterThan(clock)
  })

  test('[AW2] later ones go up by at least one, and one that repeats what was published only confirms it', async () => {
    const { url } = await startServer()
    const viewer = await watching(url)
    const raw = await present(url, entry(alice, 5, '{"n":1}'))
    await shows(viewer, alice, '{"n":1}')

    raw.send(awarenessFrame(entry(alice, 6, '{"n":1}')))
    raw.send(awarenessFrame(entry(alice, 7, '{"n":2}')))
    await shows(viewer, alice, '{"n":2}')
    raw.send(awarenessFrame(entry(alice, 40, '{"n":3}')))
    await shows(viewer, alice, '{"n":3}')

    const clocks = viewer.entriesOf(alice).map(each => each.clock)
    expect(clocks).toEqual([6, 7, 40])
  })

  test('[AW2] an entry with a clock that is not new changes nothing', async () => {
    const { url } = await startServer()
    const viewer = await watching(url)
    const raw = await present(url, entry(alice, 5, '{"n":1}'))
    await shows(viewer, alice, '{"n":1}')

    raw.send(awarenessFrame(entry(alice, 5, '{"n":2}')), awarenessFrame(entry(alice, 4, '{"n":3}')))
    raw.send(awarenessFrame(entry(alice, 9, '{"n":4}')))
    await shows(viewer, alice, '{"n":4}')

    expect(viewer.entriesOf(alice).map(each => each.state)).toEqual(['{"n":1}', '{"n":4}'])
  })

  test('[AW3] the owner gets its entry too, never more than one above its own clock', async () => {
    const { url } = await startServer()
    const raw = await present(url, entry(alice, 5, '{"n":1}'))
    raw.send(awarenessFrame(entry(alice, 6, '{"n":2}')))
    await shows(raw, alice, '{"n":2}')
    raw.socket.terminate()

    const back = await present(url, entry(alice, 0, '{"n":3}'))

    expect(raw.entriesOf(alice).map(each => each.clock)).toEqual([6, 7])
    expect(back.entriesOf(alice)[0]).toEqual(entry(alice, 1, '{"n":3}'))
  })

  test('[AW3] neither does an answer to QueryAwareness send an owner a clock more than one above its own', async () => {
    const { url } = await startServer()
    const first = await present(url, entry(alice, 40, '{"n":1}'))
    first.socket.terminate()
    const back = await present(url, entry(alice, 0, '{"n":1}'))
    const before = back.entriesOf(alice).length

    back.send(queryAwareness)
    await until(() => back.entriesOf(alice).length > before, 'the answer')

    expect(back.entriesOf(alice).map(each => each.clock)).toEqual([1, 1])
  })

  test('[AW4] a clientID that was here before gets each unchanged state with a higher clock', async () => {
    const { url } = await startServer({ limits: { awarenessRestMs: 50 } })
    const first = await present(url, entry(alice, 1, '{"n":"a"}'))
    const other = await present(url, entry(bob, 1, '{"n":"b"}'))
    await shows(first, bob, '{"n":"b"}')
    const known = latest(first, bob)?.clock as number
    // As a real client confirms the clock it took over.
    other.send(awarenessFrame(entry(bob, known, '{"n":"b"}')))
    first.socket.terminate()
    await shows(other, alice, 'null')

    const back = await present(url, entry(alice, 2, '{"n":"a"}'))
    await until(() => (latest(back, bob)?.clock ?? 0) > known, 'the higher clock')

    expect(latest(back, bob)?.state).toBe('{"n":"b"}')
    // Its owner takes the higher clock over, and stays in step.
    await until(() => latest(other, bob)?.clock === latest(back, bob)?.clock, 'the owner to be told')
  })

  test('[AW4] an owner is sent its own state with those of the others also if it is null, and may object', async () => {
    const { url } = await startServer()
    const viewer = await watching(url)
    const raw = await openRaw({ url, path: 'room' })
    raw.send(awarenessFrame(entry(alice, 3, '{"n":"a"}')), awarenessFrame(entry(alice, 3, 'null')))
    await raw.ask()
    await until(() => raw.entriesOf(7).length > 0, 'the states')

    expect(raw.entriesOf(alice).at(-1)).toEqual(entry(alice, 4, 'null'))
    expect(viewer.entriesOf(alice).map(each => each.state)).not.toContain('{"n":"a"}')
  })

  test('[AW4] no states are sent before the first entry of a connection, or the end marker', async () => {
    const { url } = await startServer()
    await present(url, entry(alice, 1, '{"n":"a"}'))

    const viewer = await openRaw({ url, path: 'room' })
    await until(() => viewer.frames.length > 0, 'the SyncStep1')
    const before = viewer.entriesOf(alice).length
    await viewer.ask()
    await until(() => viewer.entriesOf(alice).length > 0, 'the states')

    expect(before).toBe(0)
  })

  test('[AW7] removal goes out with the last published clock', async () => {
    const { url } = await startServer()
    const viewer = await watching(url)
    const raw = await present(url, entry(alice, 5, '{"n":1}'))
    await shows(viewer, alice, '{"n":1}')
    const published = latest(viewer, alice)?.clock

    raw.socket.close()
    await shows(viewer, alice, 'null')

    expect(latest(viewer, alice)?.clock).toBe(published)
  })
})

describe('whose state it is', () => {
  test('[AW5] a live connection keeps its clientID against another that claims it', async () => {
    const { url } = await startServer({ limits: { awarenessTakeoverMs: 300 } })
    const viewer = await watching(url)
    const owner = await present(url, entry(alice, 1, '{"n":"owner"}'))

    const thief = await openRaw({ url, path: 'room' })
    thief.send(awarenessFrame(entry(alice, 50, '{"n":"thief"}')))
    await thief.ask()
    await until(() => thief.entriesOf(alice).length > 0, 'the states')
    owner.send(awarenessFrame(entry(alice, 2, '{"n":"owner 2"}')))
    await shows(viewer, alice, '{"n":"owner 2"}')
    await new Promise(resolve => setTimeout(resolve, 350))

    expect(owner.closeCode()).toBeNull()
    expect(viewer.entriesOf(alice).map(each => each.state)).not.toContain('{"n":"thief"}')
  })

  test('[AW5] one that answers no ping is closed with 4501, and the newcomer takes over', async () => {
    const { url } = await startServer({ limits: { awarenessTakeoverMs: 300 } })
    const viewer = await watching(url)
    const dead = await present(url, entry(alice, 1, '{"n":"dead"}'))
    dead.socket.pause()

    const newcomer = await openRaw({ url, path: 'room' })
    newcomer.send(syncStep1(Uint8Array.of(0)), awarenessFrame(entry(alice, 1, '{"n":"alive"}')))
    await shows(viewer, alice, '{"n":"alive"}')
    dead.socket.resume()

    expect(await dead.closed()).toBe(4501)
    await shows(newcomer, alice, '{"n":"alive"}')
    expect(latest(viewer, alice)?.state).toBe('{"n":"alive"}')
  })

  test('[AW6] entries for foreign clientIDs are ignored, whatever their JSON', async () => {
    const { url } = await startServer()
    const viewer = await watching(url)
    const victim = await present(url, entry(bob, 1, '{"n":"b"}'))
    await shows(viewer, bob, '{"n":"b"}')
    const raw = await present(url, entry(alice, 1, '{"n":"a"}'))

    raw.send(
      awarenessFrame(entry(bob, 99, '{"n":"forged"}')),
      awarenessFrame(entry(bob, 100, 'null')),
      awarenessFrame(entry(bob, 101, '{not JSON')),
      awarenessFrame(entry(3, 1, '{"n":"invented"}')),
      awarenessFrame(entry(bob, 102, '{"n":"forged"}'), entry(alice, 3, '{"n":"a2"}'))
    )
    await shows(viewer, alice, '{"n":"a2"}')
    victim.send(awarenessFrame(entry(bob, 2, '{"n":"b2"}')))
    await shows(viewer, bob, '{"n":"b2"}')

    expect(raw.closeCode()).toBeNull()
    expect(viewer.entriesOf(bob).map(each => each.state)).toEqual(['{"n":"b"}', '{"n":"b2"}'])
    expect(viewer.entriesOf(3)).toEqual([])
  })
})

describe('bounds', () => {
  test.each([
    ['not JSON', entry(alice, 3, '{not JSON')],
    ['empty', entry(alice, 3, '')],
    ['larger than awarenessStateBytesMax', entry(alice, 3, JSON.stringify('x'.repeat(70_000)))],
    ['nested more than 500 deep', entry(alice, 3, `{"a":${'['.repeat(500)}${']'.repeat(500)}}`)],
    ['with a clock beyond the bound', entry(alice, 2 ** 47 + 1, '{}')]
  ])('[AW8] a state that is %s closes with 4400', async (_, bad) => {
    const { url } = await startServer()
    const viewer = await watching(url)
    const raw = await present(url, entry(alice, 1, '{"n":"a"}'))
    await shows(viewer, alice, '{"n":"a"}')

    raw.send(awarenessFrame(bad))

    expect(await raw.closed()).toBe(4400)
    await shows(viewer, alice, 'null')
  })

  test('[AW8] one nested 500 deep, and brackets in its texts, are fine', async () => {
    const { url } = await startServer()
    const viewer = await watching(url)
    const deep = `{"a":${'['.repeat(499)}"${'[{'.repeat(600)}\\"["${']'.repeat(499)}}`

    const raw = await present(url, entry(alice, 1, deep))
    await shows(viewer, alice, deep)

    expect(raw.closeCode()).toBeNull()
  })

  test('[AW8] so does a first entry that is not JSON', async () => {
    const { url } = await startServer()
    const raw = await joined(url)

    raw.send(awarenessFrame(entry(alice, 1, 'undefined')))

    expect(await raw.closed()).toBe(4400)
  })

  test('[AW8] so does a message of more entries than awarenessEntriesMax', async () => {
    const { url } = await startServer({ limits: { awarenessEntriesMax: 10 } })
    const raw = await joined(url)

    raw.send(awarenessFrame(...Array.from({ length: 11 }, (_, i) => entry(i, 1, '{}'))))

    expect(await raw.closed()).toBe(4400)
  })

  test('a state beyond awarenessStatesMax is ignored, the others stay', async () => {
    const { url } = await startServer({ limits: { awarenessStatesMax: 2 } })
    const viewer = await watching(url)
    const a = await present(url, entry(alice, 1, '{"n":"a"}'))
    const b = await joined(url)

    b.send(awarenessFrame(entry(bob, 1, '{"n":"b"}')))
    await b.ask()
    a.send(awarenessFrame(entry(alice, 2, '{"n":"a2"}')))
    await shows(viewer, alice, '{"n":"a2"}')

    expect(viewer.entriesOf(bob)).toEqual([])
    expect(b.closeCode()).toBeNull()
  })
})

describe('states that nobody renews', () => {
  /** As the defaults, a hundred times faster. */
  const limits = { awarenessLateMs: 180, awarenessRenewalMs: 30, awarenessTakeoverMs: 20 }

  test('[AW10] are renewed by the server while their connection answers: their clock goes up by one, again and again', async () => {
    const { url } = await startServer({ limits })
    const viewer = await watching(url)
    const raw = await present(url, entry(alice, 1, '{"n":"a"}'))
    await until(() => viewer.entriesOf(alice).length >= 5, 'four renewals')

    const clocks = viewer.entriesOf(alice).map(each => each.clock)
    expect(clocks).toEqual(clocks.map((_, i) => 2 + i))
    expect(new Set(viewer.entriesOf(alice).map(each => each.state))).toEqual(new Set(['{"n":"a"}']))
    // It says nothing, so its own clock is still 1 for all that is known.
    expect(Math.max(...raw.entriesOf(alice).map(each => each.clock))).toBe(2)
  })

  test('[AW10] of a connection that answers no ping are not', async () => {
    const { url } = await startServer({ limits })
    const viewer = await watching(url)
    const raw = await present(url, entry(alice, 1, '{"n":"a"}'))
    await until(() => viewer.entriesOf(alice).length >= 2, 'a renewal')
    raw.socket.pause()
    const before = viewer.entriesOf(alice).length
    const others = viewer.entriesOf(7).length

    await until(() => viewer.entriesOf(7).length >= others + 4, 'renewals of somebody else')

    // One may have been on its way.
    expect(viewer.entriesOf(alice).length).toBeLessThanOrEqual(before + 1)
    raw.socket.resume()
    await until(() => viewer.entriesOf(alice).length >= before + 3, 'renewals once it is back')
  })

  test('[AW10] that are null, or whose owner has left, are not', async () => {
    const { url } = await startServer({ limits })
    const viewer = await watching(url)
    const hidden = await present(url, entry(alice, 1, '{"n":"a"}'))
    const leaving = await present(url, entry(bob, 1, '{"n":"b"}'))
    await shows(viewer, bob, '{"n":"b"}')
    hidden.send(awarenessFrame(entry(alice, 2, 'null')))
    leaving.socket.close()
    await shows(viewer, alice, 'null')
    await shows(viewer, bob, 'null')
    const heard = [viewer.entriesOf(alice).length, viewer.entriesOf(bob).length]
    const others = viewer.entriesOf(7).length

    await until(() => viewer.entriesOf(7).length >= others + 4, 'renewals of somebody else')

    expect([viewer.entriesOf(alice).length, viewer.entriesOf(bob).length]).toEqual(heard)
  })

  test('[AW7] whose owner leaves before its renewal is sent are removed with the clock that everybody knows', async () => {
    const waiting = { awarenessLateMs: 100, awarenessRenewalMs: 5_000, awarenessTakeoverMs: 20 }
    const { url } = await startServer({ limits: waiting })
    const viewer = await watching(url)
    const raw = await present(url, entry(alice, 1, '{"n":"a"}'))
    await new Promise(resolve => raw.socket.once('ping', resolve))
    // The renewal now waits for a frame to ride along with.
    await new Promise(resolve => setTimeout(resolve, 100))

    raw.socket.close()
    await shows(viewer, alice, 'null')

    expect(viewer.entriesOf(alice).map(each => each.clock)).toEqual([2, 2])
  })

  test('[AW10] of one room leave in one frame', async () => {
    const { url } = await startServer({
      limits: { ...limits, awarenessLateMs: 400, awarenessRenewalMs: 300 }
    })
    const viewer = await watching(url)
    for (let i = 0; i < 10; i++) await present(url, entry(100 + i, 1, `{"n":${i}}`))
    const of = (i: number) => viewer.entriesOf(100 + i).length
    await until(() => of(9) > 0, 'all to be seen')

    await until(
      () => Array.from({ length: 10 }, (_, i) => of(i)).every(count => count >= 4),
      'three renewals each'
    )

    const renewals = viewer.received().filter(each => each.type === 'awareness' && each.entries.length > 4)
    expect(renewals.length).toBeGreaterThanOrEqual(2)
  })

  test('[AW10] that an owner renews in time are left to it', async () => {
    const { url } = await startServer({ limits: { ...limits, awarenessLateMs: 2_000 } })
    const viewer = await watching(url)
    const raw = await present(url, entry(alice, 1, '{"n":"a"}'))
    await shows(viewer, alice, '{"n":"a"}')
    for (let clock = 3; clock <= 8; clock++) {
      raw.send(awarenessFrame(entry(alice, clock, '{"n":"a"}')))
      await until(() => latest(viewer, alice)?.clock === clock, `clock ${clock}`)
    }

    expect(viewer.entriesOf(alice).map(each => each.clock)).toEqual([2, 3, 4, 5, 6, 7, 8])
  })
})

describe('departures and order', () => {
  test.each(['close', 'terminate'] as const)('[AW9] removal after %s waits for no heartbeat', async how => {
    const { url } = await startServer({ limits: { heartbeatMs: 3_600_000 } })
    const viewer = await watching(url)
    const raw = await present(url, entry(alice, 1, '{"n":"a"}'))
    await shows(viewer, alice, '{"n":"a"}')

    raw.socket[how]()
    await shows(viewer, alice, 'null')

    expect(viewer.closeCode()).toBeNull()
  })

  test('an entry leaves no earlier than the updates its connection sent before it', async () => {
    const store = createMemoryStore()
    const append = store.append.bind(store)
    store.append = async entries => {
      await new Promise(resolve => setTimeout(resolve, 200))
      return append(entries)
    }
    const { url } = await startServer({ store })
    const viewer = await watching(url)
    const raw = await present(url, entry(alice, 1, '{"n":0}'))
    await shows(viewer, alice, '{"n":0}')

    // One GC struct of client 5, clock 0.
    raw.send(updateFrame(Uint8Array.of(1, 1, 5, 0, 0, 1, 0)), awarenessFrame(entry(alice, 2, '{"n":1}')))
    await shows(viewer, alice, '{"n":1}')

    const order = viewer.received().map(each => each.type)
    expect(order.lastIndexOf('update')).toBeGreaterThan(-1)
    expect(order.lastIndexOf('update')).toBeLessThan(order.lastIndexOf('awareness'))
  })

  test('[I8] awareness never reaches the store', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store })
    const viewer = await watching(url)
    await present(url, entry(alice, 1, '{"n":"a"}'))
    await shows(viewer, alice, '{"n":"a"}')

    expect(await store.list()).toEqual([])
  })
})
