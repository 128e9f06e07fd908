/**
 * A restore happens once: asked for again after a crash between any two of its steps, while others go on typing; two at
 * once; one that is restored itself. The parts are a server's own, and what is restored is computed as its worker does.
 */
import { randomUUID } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import type { HistoryStore } from '../../persistence/history.ts'
import { createMemoryStore, type Store, StoreError } from '../../persistence/index.ts'
import { Fault } from '../../src/base/errors.ts'
import { defaultLimits, type Limits } from '../../src/base/limits.ts'
import { Slices } from '../../src/base/slices.ts'
import { systemTime } from '../../src/base/time.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { mergeUpdates } from '../../src/document/splice.ts'
import type { RestoreAnswer } from '../../src/documents/history-api.ts'
import { type RestoreQuestion, type RestoreSettings, Restores } from '../../src/documents/restores.ts'
import { decodeCopies, encodeCopies } from '../../src/history/copies.ts'
import { KeptHistories } from '../../src/history/kept.ts'
import { emptyManifest } from '../../src/history/manifest.ts'
import { restore } from '../../src/history/restore.ts'
import type { Running } from '../../src/running.ts'
import { buildParts } from '../support/inside.ts'
import { seed } from '../support/seed.ts'
import { randomFrom } from '../support/trace.ts'

const name = 'd'
const limits = defaultLimits
const settings: RestoreSettings = { user: 'ada', key: 'k', signal: null }
const typist = { user: 'bob', connection: 'c1', origin: 'client' } as const

type Inside = { readonly running: Running; readonly restores: Restores; readonly kept: KeptHistories }

/** A server's parts on the store, which is not closed with them. */
function start(store: Store, random: () => number = Math.random, some: Partial<Limits> = {}): Inside {
  const open = new Proxy(store, {
    get: (target, key) => {
      if (key === 'close') return async () => {}
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
  const running = buildParts(open, { limits: some })
  const history = store.history as HistoryStore
  const kept = new KeptHistories({ store: history, random, limits })
  const slices = new Slices(systemTime, limits)
  const begin = async () => {
    const there = await kept.read(name)
    if (there === null) throw new Fault('ERR_NO_HISTORY')
    return there
  }
  const stored = { store, history, histories: kept, begin }
  const shared = { slices, time: systemTime, limits, random, newId: randomUUID }
  const parts = { rooms: running.rooms, ...stored, ...shared }
  return { running, kept, restores: new Restores(parts) }
}

/** Brings back what the document was: a state that was kept aside. */
function backTo(past: Uint8Array, during: () => Promise<void> = async () => {}): RestoreQuestion {
  return {
    text: `back to ${Buffer.from(past).toString('hex')}`,
    compute: async ({ now, copies, client }) => {
      const job = { past, now: mergeUpdates([...now, Uint8Array.of(0, 0)]), client, roots: null }
      const restored = restore({ ...job, copies: copies.flatMap(decodeCopies) })
      await during()
      return {
        update: restored.update,
        copies: restored.copies.length === 0 ? null : encodeCopies(restored.copies)
      }
    }
  }
}

async function edit({ running }: Inside, change: (text: Y.Text) => void): Promise<void> {
  const doc = await read(running)
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  doc.transact(() => change(doc.getText('t')))
  const update = mergeUpdates(updates)
  await (await running.rooms.open(name)).writing.apply({ update, scan: scanUpdate(update) }, typist)
}

async function read(running: Running): Promise<Y.Doc> {
  const doc = new Y.Doc()
  const update = await running.documents.read(name)
  if (update !== null) Y.applyUpdate(doc, update)
  return doc
}

async function textOf({ running }: Inside): Promise<string> {
  return (await read(running)).getText('t').toString()
}

const nothing = emptyManifest({ sequence: 0, timeMs: 0 })

/** A document that was "one two" and has a history; the state then is given back. */
async function begun(inside: Inside): Promise<Uint8Array> {
  await edit(inside, text => text.insert(0, 'one two'))
  const past = (await inside.running.documents.read(name)) as Uint8Array
  await edit(inside, text => text.delete(0, 4))
  await edit(inside, text => text.insert(3, ' three'))
  expect(await textOf(inside)).toBe('two three')
  const room = await inside.running.rooms.open(name)
  expect(await inside.kept.begin(name, room.life.incarnation as string, { manifest: nothing })).not.toBeNull()
  return past
}

/** What a crash would leave wrong: entries that are begun, copies of nobody, a version too many. */
async function expectClean({ kept, running }: Inside, restores: number): Promise<void> {
  const found = await kept.read(name)
  const manifest = found?.manifest
  expect(manifest?.restores.filter(({ sequence }) => sequence === null)).toEqual([])
  expect(manifest?.versions).toHaveLength(restores)
  const blobs = await kept.blobs(name, found?.incarnation as string, manifest?.copies ?? [])
  const doc = await read(running)
  for (const { client, clock, length } of blobs.flatMap(decodeCopies)) {
    expect(Y.getState(doc.store, client)).toBeGreaterThanOrEqual(clock + length)
  }
}

describe('a restore', () => {
  test('brings back what was, names what was before, and says the same when it is asked for again', async () => {
    const inside = start(createMemoryStore())
    const past = await begun(inside)

    const answer = await inside.restores.once(name, backTo(past), settings)

    expect(await textOf(inside)).toBe('one two')
    expect(answer).toMatchObject({ key: 'k', isChanged: true, sequence: 4 })
    await edit(inside, text => text.insert(7, ' more'))
    expect(await inside.restores.once(name, backTo(past), settings)).toEqual(answer)
    expect(await textOf(inside)).toBe('one two more')
    const manifest = (await inside.kept.read(name))?.manifest
    const version = { id: answer.version, kind: 'before-restore', sequence: 3, author: 'ada' }
    expect(manifest?.versions).toMatchObject([version])
    await expectClean(inside, 1)
  })

  test('says the same to two who ask at once, with one key, for what is there already', async () => {
    const store = createMemoryStore()
    const [one, other] = [start(store), start(store)]
    const now = await begun(one)
    const asking = { text: 'nothing', compute: async () => ({ update: null, copies: null }) }
    let theirs: RestoreAnswer | null = null
    const overtaken = async () => {
      // The document has gone on by then, so that the other one sees more of it.
      await edit(one, text => text.insert(0, 'more '))
      theirs = await other.restores.once(name, asking, settings)
      return asking.compute()
    }

    const answer = await one.restores.once(name, { ...asking, compute: overtaken }, settings)

    expect(now.length).toBeGreaterThan(0)
    expect(theirs).toMatchObject({ isChanged: false, sequence: 4 })
    expect(answer).toEqual(theirs)
  })

  test('is tried again when another one has put together the copies that it was about to read', async () => {
    const store = createMemoryStore()
    const inside = start(store)
    const past = await begun(inside)
    await inside.restores.once(name, backTo(past), settings)
    await edit(inside, text => text.delete(0, 4))
    const { blobs } = KeptHistories.prototype
    let isOvertaken = false
    KeptHistories.prototype.blobs = async function (...call) {
      if (!isOvertaken) {
        isOvertaken = true
        const there = await inside.kept.read(name)
        const [copies = new Uint8Array()] = await blobs.apply(this, call)
        const { entry, blob } = inside.kept.newBlob(copies)
        const { incarnation = '' } = there ?? {}
        await inside.kept.change(name, incarnation, ({ manifest }) => ({
          ...{ manifest: { ...manifest, copies: [entry] }, blobs: [blob] }
        }))
      }
      return blobs.apply(this, call)
    }
    onTestFinished(() => {
      KeptHistories.prototype.blobs = blobs
    })

    const answer = await inside.restores.once(name, backTo(past), { ...settings, key: 'again' })

    expect(isOvertaken).toBe(true)
    expect(answer.isChanged).toBe(true)
    expect(await textOf(inside)).toBe('one two')
  })

  test('of what is there already changes nothing, and says so', async () => {
    const inside = start(createMemoryStore())
    await begun(inside)
    const now = (await inside.running.documents.read(name)) as Uint8Array

    const answer = await inside.restores.once(name, backTo(now), settings)

    expect(answer).toEqual({ key: 'k', isChanged: false, sequence: 3, version: null })
    await edit(inside, text => text.insert(0, 'more '))
    expect(await inside.restores.once(name, backTo(now), settings)).toEqual(answer)
    await expectClean(inside, 0)
  })

  test('can be restored itself, and done again, without a text twice', async () => {
    const inside = start(createMemoryStore())
    const past = await begun(inside)
    const between = (await inside.running.documents.read(name)) as Uint8Array

    for (const [i, [state, wanted]] of [
      [past, 'one two'],
      [between, 'two three'],
      [past, 'one two'],
      [between, 'two three']
    ].entries()) {
      await inside.restores.once(name, backTo(state as Uint8Array), { ...settings, key: `k${i}` })
      expect(await textOf(inside)).toBe(wanted)
    }
    await expectClean(inside, 4)
  })

  test('two at once: the second is computed on top of the first, on one server and on two', async () => {
    const store = createMemoryStore()
    const [one, other] = [start(store), start(store)]
    const past = await begun(one)
    const both = ['a', 'b'].map(key => one.restores.once(name, backTo(past), { ...settings, key }))

    const [first, second] = await Promise.all(both)

    expect(await textOf(one)).toBe('one two')
    expect([first?.isChanged, second?.isChanged]).toEqual([true, false])
    // Of the same key at once, by two callers that do not know of each other.
    await edit(one, text => text.insert(0, 'more '))
    const same = [1, 2].map(() => one.restores.once(name, backTo(past), { ...settings, key: 'c' }))
    const [third, fourth] = await Promise.all(same)
    expect(third).toEqual(fourth)
    expect(await textOf(one)).toBe('one two')
    await expectClean(one, 2)
    expect(await textOf(other)).toBe('one two')
  })

  test('is computed anew when somebody else has restored meanwhile', async () => {
    const inside = start(createMemoryStore())
    const past = await begun(inside)
    const room = await inside.running.rooms.open(name)
    let isFirst = true
    const question = backTo(past, async () => {
      if (!isFirst) return
      isFirst = false
      const doc = new Y.Doc()
      doc.getText('t').insert(0, 'other ')
      const update = Y.encodeStateAsUpdate(doc)
      const author = { user: 'eve', connection: null, origin: 'restore' } as const
      await room.writing.restore(
        { update, scan: scanUpdate(update) },
        { author, seen: room.writing.restores }
      )
    })

    await inside.restores.once(name, question, settings)

    expect(await textOf(inside)).toBe('one two')
    await expectClean(inside, 1)
  })

  test('is refused clearly, and leaves nothing, where it cannot be', async () => {
    const store = createMemoryStore()
    const inside = start(store)
    await edit(inside, text => text.insert(0, 'x'))
    const unknown = inside.restores.once(name, backTo(Uint8Array.of(0, 0)), settings)
    await expect(unknown).rejects.toMatchObject({ code: 'ERR_NO_HISTORY' })
    await inside.running.documents.delete(name)
    const past = await begun(inside)

    await inside.restores.once(name, backTo(past), settings)
    const other = inside.restores.once(name, backTo(Uint8Array.of(0, 0)), settings)
    await expect(other).rejects.toMatchObject({ code: 'ERR_KEY_REUSED' })
    const aborted = { ...settings, key: 'l', signal: AbortSignal.abort() }
    const cancelled = inside.restores.once(name, backTo(Uint8Array.of(0, 0)), aborted)
    await expect(cancelled).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    const gone = backTo(past, async () => void (await inside.running.documents.delete(name)))
    await edit(inside, text => text.insert(0, 'more '))
    const deleted = inside.restores.once(name, gone, { ...settings, key: 'm' })
    await expect(deleted).rejects.toMatchObject({ code: 'ERR_DELETED' })
    expect(await inside.running.documents.read(name)).toBeNull()
  })

  test('is given up, and leaves nothing, when others restore again and again', async () => {
    const inside = start(createMemoryStore())
    const past = await begun(inside)
    const room = await inside.running.rooms.open(name)
    let others = 0
    const question = backTo(past, async () => {
      const doc = new Y.Doc()
      doc.getText('t').insert(0, `${others++}`)
      const update = Y.encodeStateAsUpdate(doc)
      const author = { user: 'eve', connection: null, origin: 'restore' } as const
      await room.writing.restore(
        { update, scan: scanUpdate(update) },
        { author, seen: room.writing.restores }
      )
    })

    const refused = inside.restores.once(name, question, settings)

    await expect(refused).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
    expect(others).toBe(limits.restoreAttemptsMax)
    expect((await inside.kept.read(name))?.manifest).toEqual(nothing)
    // What was refused once may be asked for again.
    expect(await inside.restores.once(name, backTo(past), settings)).toMatchObject({ isChanged: true })
    expect(await textOf(inside)).toBe('one two')
    await expectClean(inside, 1)
  })

  test('of a document that would be too large leaves nothing', async () => {
    const inside = start(createMemoryStore())
    await begun(inside)
    const large = new Y.Doc()
    large.getText('t').insert(0, 'x'.repeat(1_000))
    const update = Y.encodeStateAsUpdate(large)
    const tooLarge: RestoreQuestion = { text: 'x', compute: async () => ({ update, copies: null }) }

    const bounded = start(inside.running.store, Math.random, { documentBytesMax: 500 })
    const refused = bounded.restores.once(name, tooLarge, settings)

    await expect(refused).rejects.toMatchObject({ code: 'ERR_UPDATE_TOO_LARGE' })
    expect((await inside.kept.read(name))?.manifest).toEqual(nothing)
  })

  test('goes on in the new room when the room restarts while it is computed', async () => {
    const inside = start(createMemoryStore())
    const past = await begun(inside)
    let restarts = 0
    const question = backTo(past, async () => {
      if (restarts++ > 0) return
      ;(await inside.running.rooms.open(name)).end(new Fault('ERR_ROOM_RESTARTS'))
    })

    await inside.restores.once(name, question, settings)

    expect(restarts).toBe(2)
    expect(await textOf(inside)).toBe('one two')
    await expectClean(inside, 1)
  })
})

/** Dies at the `at`-th write: `before` it, or with its answer lost. Nothing can be done with it from then on. */
function dyingAt(store: Store, at: number, when: 'before' | 'after') {
  let writes = 0
  let isDead = false
  const dead = () => Promise.reject(new StoreError('STORE_FAILED', 'the server is dead'))
  const wrapped = <T extends object>(target: T, isWrite: (key: PropertyKey) => boolean): T =>
    new Proxy(target, {
      get: (_, key) => {
        const value: unknown = Reflect.get(target, key, target)
        if (key === 'history' && typeof value === 'object' && value !== null)
          return wrapped(value, each => each === 'write')
        if (typeof value !== 'function') return value
        return async (...args: unknown[]) => {
          if (isDead) return dead()
          const isLast = isWrite(key) && ++writes === at
          if (isLast) isDead = true
          if (isLast && when === 'before') return dead()
          const result: unknown = await value.apply(target, args)
          return isDead ? dead() : result
        }
      }
    })
  const dying = wrapped(store, key => key === 'append')
  return { dying, isDead: () => isDead, count: () => writes }
}

describe(`a restore of which the answer was lost (SEED=${seed})`, () => {
  const random = randomFrom(seed)
  const crashes = [1, 2, 3].flatMap(at => (['before', 'after'] as const).map(when => ({ at, when })))

  test.each(crashes)('because the server died at write $at, $when it, is ended by the next', async crash => {
    for (let round = 0; round < Number(process.env.ROUNDS ?? 3); round++) {
      const store = createMemoryStore()
      const past = await begun(start(store, random))
      const { dying, isDead } = dyingAt(store, crash.at, crash.when)
      await expect(start(dying, random).restores.once(name, backTo(past), settings)).rejects.toThrow()
      expect(isDead()).toBe(true)
      const inside = start(store, random)
      const isCommitted = (await textOf(inside)) === 'one two'
      await edit(inside, text => text.insert(text.length, '!'))

      const answer = await inside.restores.once(name, backTo(past), settings)

      // What others typed since stays if it was committed: it happened before.
      expect(await textOf(inside)).toBe(isCommitted ? 'one two!' : 'one two')
      expect(answer.sequence).toBe(isCommitted ? 4 : 5)
      await expectClean(inside, 1)
      const before = (await inside.kept.read(name))?.manifest.versions[0]
      expect(before?.sequence).toBe(answer.sequence - 1)
      expect(await inside.restores.once(name, backTo(past), settings)).toEqual(answer)
    }
  })

  test('has nothing to do any more when it is asked for again after another restore to the same', async () => {
    const store = createMemoryStore()
    const past = await begun(start(store, random))
    const { dying } = dyingAt(store, 1, 'after')
    await expect(start(dying, random).restores.once(name, backTo(past), settings)).rejects.toThrow()
    const inside = start(store, random)
    await inside.restores.once(name, backTo(past), { ...settings, key: 'other' })

    const answer = await inside.restores.once(name, backTo(past), settings)

    expect(answer).toMatchObject({ isChanged: false, sequence: 4 })
    await expectClean(inside, 1)
  })

  test('a write after those is none that a restore makes', async () => {
    const store = createMemoryStore()
    const past = await begun(start(store, random))
    const { dying, isDead, count } = dyingAt(store, 4, 'before')
    await start(dying, random).restores.once(name, backTo(past), settings)
    expect([isDead(), count()]).toEqual([false, 3])
  })
})
