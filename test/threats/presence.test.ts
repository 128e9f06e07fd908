/** Threats to presence: speaking for others, lasting harm to them, and more of it than a room can bear. */
import { expect, onTestFinished, test } from 'vitest'
import { jwt } from '../../src/access/jwt.ts'
import { connect, synced, until } from '../support/clients.ts'
import { awarenessFrame, openRaw, type Raw } from '../support/raw.ts'
import { startServer } from '../support/server.ts'
import { secret, signed, writer } from '../support/tokens.ts'

async function joined(url: string, room = 'room'): Promise<Raw> {
  const raw = await openRaw({ url, path: room })
  await raw.ask()
  return raw
}

const stateOf = (name: string) => JSON.stringify({ user: { name } })

test('impersonation: entries for a clientID of somebody else are ignored', async () => {
  const { url } = await startServer()
  const [victim, attacker, viewer] = [await joined(url), await joined(url), await joined(url)]
  victim.send(awarenessFrame({ clientID: 1, clock: 1, state: stateOf('victim') }))
  viewer.send(awarenessFrame({ clientID: 3, clock: 1, state: stateOf('viewer') }))
  await until(() => viewer.entriesOf(1).length > 0, 'the victim to be seen')

  attacker.send(
    awarenessFrame({ clientID: 1, clock: 50, state: stateOf('not the victim') }),
    awarenessFrame({ clientID: 1, clock: 51, state: 'null' })
  )
  // It is somebody only when its claim has been turned down: the victim is asked whether it is still there.
  let clock = 0
  await until(() => {
    attacker.send(awarenessFrame({ clientID: 2, clock: ++clock, state: stateOf('attacker') }))
    return viewer.entriesOf(2).length > 0
  }, 'the attacker to be seen as such')
  victim.send(awarenessFrame({ clientID: 1, clock: 2, state: stateOf('still the victim') }))
  await until(
    () => viewer.entriesOf(1).at(-1)?.state === stateOf('still the victim'),
    'the victim to be seen'
  )

  expect(viewer.entriesOf(1).map(({ state }) => state)).not.toContain(stateOf('not the victim'))
  expect(viewer.entriesOf(1).map(({ state }) => state)).not.toContain('null')
})

test('a clock that jumps to 2^31 silences nobody but who sends it', async () => {
  const { url } = await startServer()
  const [victim, attacker, viewer] = [await joined(url), await joined(url), await joined(url)]
  victim.send(awarenessFrame({ clientID: 1, clock: 1, state: stateOf('here') }))
  viewer.send(awarenessFrame({ clientID: 3, clock: 1, state: stateOf('viewer') }))
  await until(() => viewer.entriesOf(1).length > 0, 'the victim to be seen')

  attacker.send(awarenessFrame({ clientID: 1, clock: 2 ** 31, state: 'null' }))
  attacker.send(awarenessFrame({ clientID: 2, clock: 2 ** 31, state: stateOf('far ahead') }))
  await until(() => viewer.entriesOf(2).length > 0, 'the attacker to be seen')
  attacker.send(awarenessFrame({ clientID: 2, clock: 2 ** 50, state: stateOf('too far') }))
  victim.send(awarenessFrame({ clientID: 1, clock: 2, state: stateOf('still here') }))
  await until(
    () => viewer.entriesOf(1).at(-1)?.state === stateOf('still here'),
    'the victim to be seen again'
  )

  expect(await attacker.closed()).toBe(4400)
  expect(Math.max(...viewer.entriesOf(1).map(({ clock }) => clock))).toBeLessThan(100)
})

test('20,000 fake clientIDs of one connection become none, and cost the room nothing', async () => {
  const { url } = await startServer()
  const [attacker, viewer] = [await joined(url), await joined(url)]
  viewer.send(awarenessFrame({ clientID: 3, clock: 1, state: stateOf('viewer') }))
  const fakes = Array.from({ length: 20_000 }, (_, i) => ({ clientID: 100 + i, clock: 1, state: '{}' }))

  attacker.send(awarenessFrame(...fakes))
  attacker.send(...fakes.slice(0, 500).map(fake => awarenessFrame(fake)))
  attacker.send(awarenessFrame(...fakes.slice(1), { clientID: 1, clock: 1, state: '{}' }))
  await attacker.ask()
  const late = await joined(url)
  late.send(awarenessFrame({ clientID: 4, clock: 1, state: '{}' }))
  await until(() => late.entriesOf(3).length > 0, 'the states of the room')

  const seen = late
    .received()
    .flatMap(each => (each.type === 'awareness' ? each.entries.map(({ clientID }) => clientID) : []))
  expect(new Set(seen).size).toBeLessThanOrEqual(3)
})

test('connections that name a hundred people each leave room for others', async () => {
  const { url } = await startServer()
  const viewer = await joined(url)
  viewer.send(awarenessFrame({ clientID: 3, clock: 1, state: stateOf('viewer') }))
  await until(() => viewer.entriesOf(3).length > 0, 'the viewer to be somebody')

  for (let i = 0; i < 60; i++) {
    const attacker = await openRaw({ url, path: 'room' })
    const fakes = Array.from({ length: 100 }, (_, j) => ({
      clientID: 1_000 + 100 * i + j,
      clock: 1,
      state: '{}'
    }))
    attacker.send(awarenessFrame(...fakes))
    await attacker.ask()
  }
  const person = await joined(url)
  person.send(awarenessFrame({ clientID: 4, clock: 1, state: stateOf('person') }))
  await until(() => viewer.entriesOf(4).length > 0, 'the person to be seen')

  const seen = new Set(
    viewer
      .received()
      .flatMap(each => (each.type === 'awareness' ? each.entries.map(({ clientID }) => clientID) : []))
  )
  expect(seen.size).toBeLessThanOrEqual(1_002)
})

test('who has named others before they came, as after a restart, does not keep them out', async () => {
  const { url } = await startServer()
  const viewer = await joined(url)
  viewer.send(awarenessFrame({ clientID: 3, clock: 1, state: stateOf('viewer') }))
  await until(() => viewer.entriesOf(3).length > 0, 'the viewer to be somebody')
  const clients = [
    connect(url, 'room', { connect: false }),
    connect(url, 'room', { connect: false, version: '1.5' })
  ]
  const attacker = await openRaw({ url, path: 'room' })
  const named = clients.map(({ doc }) => ({ clientID: doc.clientID, clock: 90, state: stateOf('forged') }))
  attacker.send(awarenessFrame(...named))
  await until(() => named.every(({ clientID }) => viewer.entriesOf(clientID).length > 0), 'what is forged')

  for (const { provider } of clients) {
    provider.awareness.setLocalState({ user: { name: 'real' } })
    provider.connect()
  }
  const isRight = () =>
    named.every(({ clientID }) => viewer.entriesOf(clientID).at(-1)?.state === stateOf('real'))
  await until(isRight, 'those who are real')
  attacker.send(awarenessFrame(...named.map(entry => ({ ...entry, clock: 200 }))))
  await attacker.ask()
  await viewer.ask()

  expect(isRight()).toBe(true)
  for (const client of clients) client.destroy()
})

test('a state of 5 MB ends its connection with 4400 and reaches nobody', async () => {
  const { url } = await startServer()
  const [attacker, viewer] = [await joined(url), await joined(url)]
  viewer.send(awarenessFrame({ clientID: 3, clock: 1, state: '{}' }))

  attacker.send(awarenessFrame({ clientID: 1, clock: 1, state: JSON.stringify('x'.repeat(5_000_000)) }))

  expect(await attacker.closed()).toBe(4400)
  await viewer.ask()
  expect(viewer.entriesOf(1)).toEqual([])
})

test.each(['first', 'later', 'one of several'])(
  'a state nested 30,000 deep, as %s, reaches nobody: clients would throw on it',
  async when => {
    const { url } = await startServer()
    const client = connect(url, 'room')
    await synced(client)
    const thrown: unknown[] = []
    const onThrown = (error: unknown) => void thrown.push(error)
    process.on('uncaughtException', onThrown)
    onTestFinished(() => void process.off('uncaughtException', onThrown))
    const [attacker, viewer] = [await joined(url), await joined(url)]
    const deep = { clientID: 1, clock: 5, state: `${'['.repeat(30_000)}${']'.repeat(30_000)}` }
    viewer.send(awarenessFrame({ clientID: 3, clock: 1, state: '{}' }))
    await until(() => viewer.entriesOf(3).length > 0, 'the viewer to be somebody')

    if (when === 'later') attacker.send(awarenessFrame({ clientID: 1, clock: 1, state: '{}' }))
    const others = when === 'one of several' ? [{ clientID: 2, clock: 1, state: '{}' }] : []
    attacker.send(awarenessFrame(...others, deep))

    expect(await attacker.closed()).toBe(4400)
    await viewer.ask()
    expect(viewer.entriesOf(1).every(({ state }) => state === '{}' || state === 'null')).toBe(true)
    expect(thrown).toEqual([])
    client.destroy()
  }
)

test('[AC5] where identity is stamped, nobody can have another name, in either field, and nothing goes round in circles', async () => {
  const { url } = await startServer({ authorize: jwt({ secret }), identity: 'stamped' })
  const token = async (sub: string, name?: string) => signed(writer(sub, name === undefined ? {} : { name }))
  const eve = connect(url, 'room', { params: { token: await token('eve', 'Eve') } })
  const ada = connect(url, 'room', { params: { token: await token('ada') } })
  await Promise.all([synced(eve), synced(ada)])

  const pretended = { user: { id: 'ada', name: 'Ada', color: '#f00' }, cursor: 3 }
  eve.provider.awareness.setLocalState(pretended)
  ada.provider.awareness.setLocalState({ cursor: 1 })
  const seenBy = (viewer: typeof eve, of: typeof eve) =>
    viewer.provider.awareness.getStates().get(of.doc.clientID)
  await until(() => seenBy(ada, eve)?.cursor === 3 && seenBy(eve, ada)?.cursor === 1, 'both to be seen')

  expect(seenBy(ada, eve)).toEqual({ user: { id: 'eve', name: 'Eve', color: '#f00' }, cursor: 3 })
  expect(seenBy(eve, ada)).toEqual({ user: { id: 'ada', name: 'ada' }, cursor: 1 })
  let changes = 0
  ada.provider.awareness.on('change', () => changes++)
  const raw = await openRaw({ url, path: `room?token=${await token('bob')}` })
  raw.send(awarenessFrame({ clientID: 9, clock: 1, state: '"no object"' }))
  await until(() => seenBy(ada, { doc: { clientID: 9 } } as typeof eve) !== undefined, 'bob to be seen')
  expect(seenBy(ada, { doc: { clientID: 9 } } as typeof eve)).toEqual({ user: { id: 'bob', name: 'bob' } })
  expect(changes).toBeLessThan(5)
  const deep = `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`
  raw.send(awarenessFrame({ clientID: 9, clock: 5, state: deep }))
  expect(await raw.closed()).toBe(4400)
  for (const client of [eve, ada]) client.destroy()
})

test('[AC5] readers are seen unless that is switched off, and then from the moment they may only read', async () => {
  const rights = { reader: 'read' as 'read' | 'write' }
  const authorize = ({ token }: { token: string | null }) => ({
    user: { id: token ?? '' },
    access: token === 'reader' ? rights.reader : ('write' as const)
  })
  const server = await startServer({ authorize, readers: 'hidden' })
  const open = async (token: string, clientID: number) => {
    const raw = await openRaw({ url: server.url, path: `room?token=${token}` })
    raw.send(awarenessFrame({ clientID, clock: 1, state: stateOf(token) }))
    await raw.ask()
    return raw
  }
  const reader = await open('reader', 1)
  const writing = await open('writer', 2)
  await until(() => reader.entriesOf(2).length > 0, 'the writer to be seen by the reader')
  expect(writing.entriesOf(1)).toEqual([])

  rights.reader = 'write'
  await server.recheck({ user: 'reader' })
  reader.send(awarenessFrame({ clientID: 1, clock: 2, state: stateOf('reader') }))
  await until(() => writing.entriesOf(1).length > 0, 'the reader to be seen')
  rights.reader = 'read'
  await server.recheck({ user: 'reader' })
  await until(() => writing.entriesOf(1).at(-1)?.state === 'null', 'the reader to be gone')
})
