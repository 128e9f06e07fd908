/**
 * Who comes back to a room that has no memory of clocks which others still know: after a crash, in a room that was
 * lost, after two crashes. With the real awareness of y-protocols, over sockets that end at a chosen moment.
 */
import { createDecoder, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { afterEach, describe, expect, test } from 'vitest'
import { Awareness, applyAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { until } from '../support/clients.ts'
import { awarenessFrame, type Entry, openRaw, type Raw, syncStep1, updateFrame } from '../support/raw.ts'
import { openHocuspocus } from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'

/** As the defaults, a hundred times faster. */
const quick = { awarenessLateMs: 180, awarenessRenewalMs: 30, awarenessTakeoverMs: 20 }
const all: Awareness[] = []

afterEach(() => {
  for (const awareness of all.splice(0)) awareness.destroy()
})

/** A client that outlives its connections, as a page does. */
class Person {
  readonly awareness = new Awareness(new Y.Doc())
  /** Whether a frame that holds this entry of its own, or none, reaches it. */
  hears: (entry: Entry | undefined) => boolean = () => true
  raw: Raw | null = null

  constructor(name: string) {
    all.push(this.awareness)
    this.awareness.setLocalState({ name })
  }

  get clientID(): number {
    return this.awareness.clientID
  }

  get clock(): number {
    return this.clockOf(this)
  }

  clockOf({ clientID }: Person): number {
    return this.awareness.meta.get(clientID)?.clock ?? -1
  }

  sees({ clientID }: Person): boolean {
    return this.awareness.getStates().has(clientID)
  }

  /** Says who it is, and sends back what it is sent, as y-websocket does. */
  async connect(url: string): Promise<void> {
    const raw = await openRaw({ url, path: 'room' })
    this.raw = raw
    const tell = (clientIDs: readonly number[]) =>
      raw.send(awarenessFrame(...clientIDs.map(id => this.#entryOf(id))))
    raw.socket.on('message', (data: Buffer) => {
      const decoder = createDecoder(data)
      if (readVarUint(decoder) !== 1) return
      const own = raw.entriesOf(this.clientID).at(-1)
      if (this.hears(own)) applyAwarenessUpdate(this.awareness, readVarUint8Array(decoder), raw)
    })
    this.awareness.on('update', ({ added, updated }: Record<string, number[]>) => {
      if (this.raw === raw) tell([...(added ?? []), ...(updated ?? [])])
    })
    tell([this.clientID])
    raw.send(syncStep1(Uint8Array.of(0)))
  }

  /** Its connection is gone at once; it forgets the others' states, and keeps their clocks. */
  drop(): void {
    this.raw?.socket.terminate()
    this.raw = null
    for (const clientID of this.awareness.getStates().keys())
      if (clientID !== this.clientID) this.awareness.states.delete(clientID)
  }

  #entryOf(clientID: number): Entry {
    const state = JSON.stringify(this.awareness.getStates().get(clientID) ?? null)
    return { clientID, clock: this.awareness.meta.get(clientID)?.clock ?? 0, state }
  }
}

/** The server they were connected to has crashed. What was on its way is lost, all else is heard again. */
function crash(...people: readonly Person[]): void {
  for (const person of people) {
    person.drop()
    person.hears = () => true
  }
}

/** Two who see each other; the clock of one has then been raised by the server, and it has not heard of that. */
async function viewerAhead(url: string): Promise<{ owner: Person; viewer: Person }> {
  const [owner, viewer] = [new Person('owner'), new Person('viewer')]
  await viewer.connect(url)
  await owner.connect(url)
  await until(() => viewer.sees(owner) && owner.clock === viewer.clockOf(owner), 'the owner to be seen')
  owner.hears = () => false
  // However slow this machine is, it hears of no second renewal.
  viewer.hears = () => viewer.clockOf(owner) <= owner.clock
  await until(() => viewer.clockOf(owner) > owner.clock, 'a renewal')
  return { owner, viewer }
}

describe('after a crash', () => {
  test('[AW1] who had not heard of the last renewal of its state is seen by those who had', async () => {
    const { owner, viewer } = await viewerAhead((await startServer({ limits: quick })).url)
    crash(owner, viewer)

    const { url } = await startServer()
    await viewer.connect(url)
    await owner.connect(url)

    await until(() => viewer.sees(owner), 'the owner to be seen')
  })

  test('[AW1] and after more of them, each as soon as others had heard a clock of which it had not', async () => {
    const { owner, viewer } = await viewerAhead((await startServer({ limits: quick })).url)

    for (let crashes = 0; crashes < 4; crashes++) {
      crash(owner, viewer)
      const { url } = await startServer()
      const began = owner.clock
      // It hears the step that it is to follow, and nothing of what is then published.
      owner.hears = own => own === undefined || own.clock <= began + 1
      await viewer.connect(url)
      await owner.connect(url)
      await until(() => viewer.sees(owner), `the owner to be seen after crash ${crashes}`)

      expect(viewer.clockOf(owner)).toBeLessThanOrEqual(owner.clock + 1)
    }
  })

  test('[AW1] who answers too late is published before, and once more when it has answered', async () => {
    const { owner, viewer } = await viewerAhead((await startServer({ limits: quick })).url)
    crash(owner, viewer)

    owner.hears = () => false
    const { url } = await startServer({ limits: { awarenessFollowMs: 50 } })
    await viewer.connect(url)
    await owner.connect(url)
    const { raw } = owner
    const witness = new Person('witness')
    await witness.connect(url)
    await until(() => witness.sees(owner), 'somebody who knows no clocks to see the owner')
    expect(viewer.sees(owner)).toBe(false)
    const clock = owner.clock + 1
    raw?.send(awarenessFrame({ clientID: owner.clientID, clock, state: '{"name":"owner"}' }))

    await until(() => viewer.sees(owner), 'the owner to be seen')
  })
})

test('[AW3] who comes back while its old connection is asked is not sent what that one said last', async () => {
  // Long enough for the old state to have rested, and to be published to everyone with a higher clock.
  const { url } = await startServer({ limits: { awarenessRestMs: 20, awarenessTakeoverMs: 2_000 } })
  const [owner, viewer] = [new Person('owner'), new Person('viewer')]
  const began = owner.clock
  // What is published of it is on its way to it when the line goes dead.
  owner.hears = own => own === undefined || own.clock <= began + 1
  await viewer.connect(url)
  await owner.connect(url)
  await until(() => viewer.sees(owner), 'the owner to be seen')
  owner.raw?.socket.pause()
  owner.raw = null
  owner.hears = () => true
  owner.awareness.setLocalState({ name: 'owner, back' })
  const seen = () => viewer.awareness.getStates().get(owner.clientID)?.name

  await owner.connect(url)
  const isOver = () => seen() === 'owner, back' || owner.awareness.getLocalState()?.name !== 'owner, back'
  await until(isOver, 'the takeover')

  expect(owner.awareness.getLocalState()).toEqual({ name: 'owner, back' })
  expect(seen()).toBe('owner, back')
})

test('[AW1] in a room that was lost and is opened again in the same process they are seen as well', async () => {
  const store = createMemoryStore()
  const append = store.append.bind(store)
  let isFull = false
  store.append = async entries => {
    if (isFull) throw new Error('no space left')
    return append(entries)
  }
  const { url } = await startServer({ store })
  const [owner, viewer] = [new Person('owner'), new Person('viewer')]
  owner.hears = () => false
  await viewer.connect(url)
  await owner.connect(url)
  await until(() => viewer.sees(owner), 'the owner to be seen')
  isFull = true
  const { raw } = viewer
  // One GC struct of client 5, clock 0.
  raw?.send(updateFrame(Uint8Array.of(1, 1, 5, 0, 0, 1, 0)))
  expect(await raw?.closed()).toBe(1013)
  isFull = false
  crash(owner, viewer)
  expect(viewer.clockOf(owner)).toBe(owner.clock + 1)

  await viewer.connect(url)
  await owner.connect(url)

  await until(() => viewer.sees(owner), 'the owner to be seen')
})

describe('how far the server goes ahead', () => {
  const entry = (clientID: number, clock: number): Entry => ({ clientID, clock, state: '{}' })

  /** In the room, and sent its own entry. */
  async function present(url: string, own: Entry): Promise<Raw> {
    const raw = await openRaw({ url, path: 'room' })
    raw.send(syncStep1(Uint8Array.of(0)), awarenessFrame(own))
    await until(() => raw.entriesOf(own.clientID).length > 0, 'its own entry back')
    return raw
  }

  test('[AW1] others hear of a first entry when its owner has followed, one above it', async () => {
    const { url } = await startServer({ limits: { awarenessFollowMs: 60_000 } })
    const viewer = await present(url, entry(7, 1))
    const owner = await present(url, entry(1, 5))
    // Whoever is answered now has been sent everything that was published.
    await viewer.ask()
    const before = viewer.entriesOf(1).length

    owner.send(awarenessFrame(entry(1, 6)))
    await until(() => viewer.entriesOf(1).length > 0, 'the owner to be seen')

    expect(before).toBe(0)
    expect(viewer.entriesOf(1)).toEqual([entry(1, 7)])
    expect(owner.entriesOf(1)[0]).toEqual(entry(1, 6))
  })

  /** A room in which somebody has seen the clientID 1 come, with the clock 7, and leave. */
  async function departed() {
    const { url } = await startServer({ limits: { awarenessFollowMs: 60_000 } })
    const viewer = await present(url, entry(7, 1))
    const first = await present(url, entry(1, 5))
    first.send(awarenessFrame(entry(1, 6)))
    await until(() => viewer.entriesOf(1).length > 0, 'the owner to be seen')
    first.socket.terminate()
    await until(() => viewer.entriesOf(1).at(-1)?.state === 'null', 'the owner to be gone')
    return { url, viewer }
  }

  test('[AW1] who returns, and has heard all that was published, is shown at once', async () => {
    const { url, viewer } = await departed()

    await present(url, entry(1, 7))
    await until(() => viewer.entriesOf(1).at(-1)?.state === '{}', 'the owner to be seen')

    expect(viewer.entriesOf(1).map(({ clock }) => clock)).toEqual([7, 7, 8])
  })

  test('[AW1] who returns behind what was published follows first', async () => {
    const { url, viewer } = await departed()

    const back = await present(url, entry(1, 6))
    await viewer.ask()
    const before = viewer.entriesOf(1).length
    back.send(awarenessFrame(entry(1, 7)))
    await until(() => viewer.entriesOf(1).at(-1)?.state === '{}', 'the owner to be seen')

    expect(before).toBe(2)
    expect(viewer.entriesOf(1).map(({ clock }) => clock)).toEqual([7, 7, 8])
  })

  test('[AW7] who takes a clientID over and leaves before it has followed is removed for those who saw the old one', async () => {
    const limits = { awarenessFollowMs: 60_000, awarenessTakeoverMs: 100 }
    const { url } = await startServer({ limits })
    const viewer = await present(url, entry(7, 1))
    const dead = await present(url, entry(1, 5))
    dead.send(awarenessFrame(entry(1, 6)))
    await until(() => viewer.entriesOf(1).length > 0, 'the owner to be seen')
    dead.socket.pause()

    // It was sent the step that it is to follow.
    const heir = await present(url, entry(1, 6))
    heir.socket.terminate()
    await until(() => viewer.entriesOf(1).length > 1, 'the removal')

    expect(viewer.entriesOf(1)).toEqual([entry(1, 7), { clientID: 1, clock: 7, state: 'null' }])
  })

  test('[HP14] a provider that takes a clientID over, and is shown as gone by a null of long ago, is asked', async () => {
    const { url } = await startServer({ limits: { awarenessTakeoverMs: 100 } })
    const viewer = await present(url, entry(7, 1))
    const dead = await present(url, entry(1, 5))
    await until(() => viewer.entriesOf(1).length > 0, 'the owner to be seen')
    dead.socket.pause()
    const heir = await openHocuspocus(url)
    await heir.join('room')
    const says = (own: Entry) => Buffer.concat([Buffer.from('\x04room'), awarenessFrame(own)])
    const isAsked = () => heir.heard('room').includes('type 3')

    heir.raw.send(says(entry(1, 50)), says({ clientID: 1, clock: 50, state: 'null' }))
    await until(() => viewer.entriesOf(1).at(-1)?.state === 'null', 'it to be gone')
    await until(isAsked, 'the question')
    heir.raw.send(says(entry(1, 52)))

    await until(() => viewer.entriesOf(1).at(-1)?.state === '{}', 'it to be seen')
  })
})
