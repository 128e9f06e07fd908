/** One connection that speaks for several clientIDs (AW11): a relay, a bridge, an agent with several cursors; by hand. */
import { expect, test } from 'vitest'
import { until } from '../support/clients.ts'
import { awarenessFrame, type Entry, openRaw, type Raw, syncStep1 } from '../support/raw.ts'
import { startServer } from '../support/server.ts'

const entry = (clientID: number, clock: number, state: string): Entry => ({ clientID, clock, state })
const ids = (count: number, from = 100) => Array.from({ length: count }, (_, i) => from + i)
const entriesOf = (clientIDs: readonly number[], state = '{"n":1}') =>
  clientIDs.map(clientID => entry(clientID, 1, state))

/** In the room with the entries as its first awareness message. */
async function joinedWith(url: string, entries: readonly Entry[]): Promise<Raw> {
  const raw = await openRaw({ url, path: 'room' })
  raw.send(awarenessFrame(...entries))
  await raw.ask()
  return raw
}

async function watching(url: string): Promise<Raw> {
  const viewer = await joinedWith(url, [entry(7, 1, '{"n":"viewer"}')])
  await until(() => viewer.entriesOf(7).length > 0, 'its own entry back')
  return viewer
}

function latest(viewer: Raw, clientID: number): string | undefined {
  return viewer.entriesOf(clientID).at(-1)?.state
}

function shows(viewer: Raw, clientIDs: readonly number[], state: string): Promise<void> {
  return until(() => clientIDs.every(id => latest(viewer, id) === state), `${state} of ${clientIDs}`)
}

function seen(viewer: Raw, clientIDs: readonly number[]): number[] {
  return clientIDs.filter(clientID => viewer.entriesOf(clientID).length > 0)
}

/** Resolves when what was sent before has been handled and published. */
async function settled(url: string, viewer: Raw): Promise<void> {
  const clientID = 50_000 + viewer.frames.length
  const last = await joinedWith(url, [entry(clientID, 1, '{}')])
  await shows(viewer, [clientID], '{}')
  last.socket.terminate()
}

test.each([2, 100])(
  '[AW11] a first message of %i entries owns them all, and when its connection ends, all go',
  async count => {
    const { url } = await startServer({ limits: { heartbeatMs: 3_600_000 } })
    const viewer = await watching(url)
    const people = ids(count)

    const relay = await joinedWith(url, entriesOf(people))
    await shows(viewer, people, '{"n":1}')
    relay.send(awarenessFrame(entry(101, 2, '{"n":2}')), awarenessFrame(entry(100, 2, 'null')))
    await shows(viewer, [101], '{"n":2}')
    await shows(viewer, [100], 'null')
    relay.send(awarenessFrame(entry(100, 3, '{"n":3}')))
    await shows(viewer, [100], '{"n":3}')
    relay.socket.terminate()
    // Only the end of the connection can tell: no heartbeat would for an hour.
    await shows(viewer, people, 'null')
  }
)

test('[AW11] none of whom somebody else owns: those stay with their owner, whatever is said of them', async () => {
  const { url } = await startServer({ limits: { awarenessTakeoverMs: 100 } })
  const viewer = await watching(url)
  const owner = await joinedWith(url, [entry(101, 1, '{"n":"owner"}')])
  await shows(viewer, [101], '{"n":"owner"}')

  const relay = await joinedWith(url, [entry(100, 1, '{}'), entry(101, 50, '{"n":"forged"}')])
  await shows(viewer, [100], '{}')
  await new Promise(resolve => setTimeout(resolve, 150))
  relay.send(awarenessFrame(entry(101, 60, '{"n":"forged"}'), entry(100, 2, '{"n":2}')))
  await shows(viewer, [100], '{"n":2}')
  owner.send(awarenessFrame(entry(101, 2, '{"n":"owner 2"}')))
  await shows(viewer, [101], '{"n":"owner 2"}')

  expect(viewer.entriesOf(101).map(each => each.state)).toEqual(['{"n":"owner"}', '{"n":"owner 2"}'])
  expect(owner.closeCode()).toBeNull()
})

test('[AW11] one that comes back while its old connection is half-open takes all of them over', async () => {
  const { url } = await startServer({ limits: { awarenessTakeoverMs: 100 } })
  const viewer = await watching(url)
  const people = ids(20)
  const old = await joinedWith(url, entriesOf(people))
  await shows(viewer, people, '{"n":1}')
  old.socket.pause()

  await joinedWith(url, entriesOf(people, '{"n":2}'))
  await shows(viewer, people, '{"n":2}')
  old.socket.resume()

  expect(await old.closed()).toBe(4501)
  await settled(url, viewer)
  expect(people.map(clientID => latest(viewer, clientID))).toEqual(people.map(() => '{"n":2}'))
})

test('[AW11] who has no state of its own and sends back all it was sent owns none of it, not even of who has left', async () => {
  const { url } = await startServer()
  const viewer = await watching(url)
  const relay = await joinedWith(url, entriesOf([100, 101]))
  const leaving = await joinedWith(url, [entry(102, 1, '{}')])
  await shows(viewer, [102], '{}')
  const echo = await openRaw({ url, path: 'room' })
  await echo.ask()
  await until(() => seen(echo, [100, 101, 102]).length === 3, 'the states')
  const sent = [100, 101, 102].map(clientID => echo.entriesOf(clientID).at(-1) as Entry)
  leaving.socket.terminate()
  await shows(viewer, [102], 'null')

  echo.send(awarenessFrame(...sent), awarenessFrame(...sent.slice(1)))
  await echo.ask()
  relay.socket.terminate()
  await shows(viewer, [100, 101], 'null')
  await settled(url, viewer)

  expect([100, 101, 102].map(clientID => latest(viewer, clientID))).toEqual(['null', 'null', 'null'])
})

test('[AW11] who announces one of them alone soon after is believed before it; its others stay', async () => {
  const { url } = await startServer()
  const viewer = await watching(url)
  const relay = await joinedWith(url, entriesOf([100, 101]))
  await shows(viewer, [100, 101], '{"n":1}')

  const person = await joinedWith(url, [entry(100, 1, '{"n":"person"}')])
  await shows(viewer, [100], '{"n":"person"}')
  relay.send(awarenessFrame(entry(100, 90, '{"n":"relay"}'), entry(101, 90, '{"n":"relay"}')))
  await shows(viewer, [101], '{"n":"relay"}')
  relay.socket.terminate()
  await shows(viewer, [101], 'null')

  expect(viewer.entriesOf(100).map(each => each.state)).toEqual(['{"n":1}', '{"n":"person"}'])
  person.socket.terminate()
  await shows(viewer, [100], 'null')
})

test('[AW11] later than that they are as safe as anybody: the newcomer is refused', async () => {
  const { url } = await startServer({ limits: { awarenessDepartedMs: 50, awarenessTakeoverMs: 100 } })
  const viewer = await watching(url)
  const relay = await joinedWith(url, entriesOf([100, 101]))
  await shows(viewer, [100, 101], '{"n":1}')
  await new Promise(resolve => setTimeout(resolve, 60))

  await joinedWith(url, [entry(100, 50, '{"n":"thief"}')])
  await new Promise(resolve => setTimeout(resolve, 150))
  relay.send(awarenessFrame(entry(100, 2, '{"n":2}')))
  await shows(viewer, [100], '{"n":2}')

  expect(viewer.entriesOf(100).map(each => each.state)).toEqual(['{"n":1}', '{"n":2}'])
})

test('[AW11] others come and go behind it, up to the limit; a first message beyond it announces nobody', async () => {
  const { url } = await startServer({ limits: { awarenessClientsMax: 4 } })
  const viewer = await watching(url)
  const tooMany = await joinedWith(url, entriesOf(ids(5, 200)))
  const relay = await joinedWith(url, entriesOf([100, 101]))

  relay.send(awarenessFrame(entry(102, 1, '{"n":1}')))
  relay.send(awarenessFrame(...entriesOf([101, 103])))
  await shows(viewer, [100, 101, 102, 103], '{"n":1}')
  relay.send(awarenessFrame(...entriesOf([104])))
  await settled(url, viewer)

  expect(seen(viewer, [104, ...ids(5, 200)])).toEqual([])
  expect(tooMany.closeCode()).toBeNull()
})

test('[AW11] those of all such connections together have a share of the room, and leave the rest to people', async () => {
  const { url } = await startServer({ limits: { awarenessRelayedMax: 3 } })
  const viewer = await watching(url)
  const first = await joinedWith(url, entriesOf([100, 101]))
  await joinedWith(url, entriesOf([102, 103]))
  await joinedWith(url, [entry(104, 1, '{"n":1}')])
  await shows(viewer, [100, 101, 102, 104], '{"n":1}')
  expect(seen(viewer, [103])).toEqual([])

  first.socket.terminate()
  await shows(viewer, [100, 101], 'null')
  await joinedWith(url, entriesOf([105, 106]))

  await shows(viewer, [105, 106], '{"n":1}')
})

test('[AW11] a bad state among them closes the connection with 4400, and nobody of it is seen', async () => {
  const { url } = await startServer()
  const viewer = await watching(url)
  const raw = await openRaw({ url, path: 'room' })

  raw.send(awarenessFrame(entry(100, 1, '{}'), entry(101, 1, '{no JSON')), syncStep1(Uint8Array.of(0)))

  expect(await raw.closed()).toBe(4400)
  await settled(url, viewer)
  expect(seen(viewer, [100, 101])).toEqual([])
})

test('[AW10] states of one connection that nobody renews are renewed like those of others', async () => {
  const limits = { awarenessLateMs: 150, awarenessRenewalMs: 30, awarenessTakeoverMs: 20 }
  const { url } = await startServer({ limits })
  const viewer = await watching(url)
  await joinedWith(url, entriesOf([100, 101]))

  await until(() => [100, 101].every(id => viewer.entriesOf(id).length >= 4), 'three renewals of each')

  for (const id of [100, 101]) {
    const clocks = viewer.entriesOf(id).map(({ clock }) => clock)
    expect(clocks).toEqual(clocks.map((_, i) => 2 + i))
  }
})
