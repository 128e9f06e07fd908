/** The commit of a restore: only if nobody has restored since; by one server alone, and by nodes on one PostgreSQL. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryBroker } from '../../bus/index.ts'
import { createMemoryStore, openStore } from '../../persistence/index.ts'
import type { Limits } from '../../src/base/limits.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import type { ScannedUpdate } from '../../src/document/tail.ts'
import type { Room } from '../../src/room/room.ts'
import type { Running } from '../../src/running.ts'
import { until } from '../support/clients.ts'
import { buildParts, busFor } from '../support/inside.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { postgresFor } from './checkpoint-nodes.ts'

const author = { user: 'ada', connection: null, origin: 'restore' } as const
const typist = { user: 'bob', connection: 'c1', origin: 'client' } as const

/** What somebody new inserts at the beginning. */
function insertion(text: string): ScannedUpdate {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, text)
  const update = Y.encodeStateAsUpdate(doc)
  return { update, scan: scanUpdate(update) }
}

async function textOf({ documents }: Running): Promise<string> {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, (await documents.read('d')) as Uint8Array)
  return doc.getText('t').toString()
}

async function opened(running: Running): Promise<Room> {
  const room = await running.rooms.open('d')
  await room.writing.apply(insertion('a'), typist)
  return room
}

describe('the commit of a restore by a server that is alone', () => {
  test('is a record of its own, whatever is typed around it', async () => {
    const store = createMemoryStore()
    const running = buildParts(store, {})
    const room = await opened(running)

    const before = room.writing.apply(insertion('before'), typist)
    const sequence = room.writing.restore(insertion('R'), { author, seen: room.writing.restores })
    const after = room.writing.apply(insertion('after'), typist)
    await Promise.all([before, after])

    const number = (await sequence) as number
    const { records } = await store.load('d')
    const logged = records.map(({ record }) => decodeRecord(record).map(each => each.author?.origin))
    expect(logged[number - 1]).toEqual(['restore'])
    expect(logged.flat().filter(origin => origin === 'restore')).toHaveLength(1)
    expect(await textOf(running)).toContain('R')
  })

  test('comes to nothing when there was another since the state was read, also one under way', async () => {
    const running = buildParts(createMemoryStore(), {})
    const room = await opened(running)
    const seen = room.writing.restores

    const first = room.writing.restore(insertion('R'), { author, seen })
    const second = room.writing.restore(insertion('S'), { author, seen })

    expect(await first).toBeGreaterThan(1)
    expect(await second).toBeNull()
    expect(await textOf(running)).not.toContain('S')
    expect(
      await room.writing.restore(insertion('S'), { author, seen: room.writing.restores })
    ).toBeGreaterThan(2)
    expect(await textOf(running)).toContain('S')
  })

  test('is refused when the document would be too large, and nothing was written', async () => {
    const store = createMemoryStore()
    const room = await opened(buildParts(store, { limits: { documentBytesMax: 1_000 } }))

    const refused = room.writing.restore(insertion('x'.repeat(2_000)), { author, seen: 0 })

    await expect(refused).rejects.toMatchObject({ code: 'ERR_UPDATE_TOO_LARGE' })
    expect((await store.load('d')).head).toBe(1)
    expect(await room.writing.restore(insertion('R'), { author, seen: 0 })).toBe(2)
  })

  test('keeps the room open that nobody is in, until it is let go', async () => {
    const running = buildParts(createMemoryStore(), { limits: { roomIdleMs: 1 } })
    const room = await opened(running)
    const release = room.keep()
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(room.isEnded).toBe(false)

    release()

    await until(() => room.isEnded, 'the room to close')
  })
})

describe.skipIf(postgresMissing !== null)('the commit of a restore by one of several nodes', () => {
  const place = postgresFor('restores')

  async function nodes(count: number, limits: Partial<Limits> = {}): Promise<Running[]> {
    const broker = createMemoryBroker()
    const all: Running[] = []
    for (let i = 0; i < count; i++) {
      const store = await openStore(place.address)
      all.push(buildParts(store, { limits }, busFor(store, broker, place.address)))
    }
    return all
  }

  test('two at once: one is written, and the other finds it shown', async () => {
    const [one, other] = (await nodes(2)) as [Running, Running]
    const rooms = [await opened(one), await opened(other)] as const
    for (let round = 0; round < 10; round++) {
      // Both know all there is, as the state that they would compute from.
      const [head] = await one.store.heads([{ document: 'd' }])
      await Promise.all(
        rooms.map(room => until(() => room.writing.restores === round, 'the restores so far'))
      )
      const made = [insertion('R'), insertion('R')] as const

      const done = await Promise.all(
        rooms.map((room, i) => room.writing.restore(made[i] as ScannedUpdate, { author, seen: round }))
      )

      expect(
        done.filter(sequence => sequence !== null),
        `round ${round}`
      ).toHaveLength(1)
      expect(Math.max(...done.map(Number))).toBeGreaterThan(head?.head ?? 0)
      const texts = await Promise.all([textOf(one), textOf(other)])
      expect(texts[0]).toBe(texts[1])
      expect(texts[0]?.match(/R/g)).toHaveLength(round + 1)
    }
  })

  test('comes to an end while others type on the other nodes, and nothing of theirs is lost', async () => {
    const [one, ...others] = await nodes(3)
    const room = await opened(one as Running)
    let isOver = false
    let typed = 0
    const typing = others.map(async running => {
      const theirs = await running.rooms.open('d')
      while (!isOver) {
        await theirs.writing.apply(insertion('x'), typist)
        typed++
      }
    })
    await until(() => typed > 20, 'typing')

    for (let round = 0; round < 20; round++)
      expect(await room.writing.restore(insertion('R'), { author, seen: round })).toBeGreaterThan(0)

    isOver = true
    await Promise.all(typing)
    for (const running of [one as Running, ...others]) {
      await until(() => running.rooms.opened()[0]?.writing.restores === 20, 'all restores')
    }
    const text = await textOf(one as Running)
    expect(text.match(/R/g)).toHaveLength(20)
    expect(text.match(/x/g)).toHaveLength(typed)
  })

  test('is given up after a while, and nothing was written, when others write all the time', async () => {
    const [one, other] = (await nodes(2, { restoreCommitMs: 0 })) as [Running, Running]
    const [room, theirs] = [await opened(one), await opened(other)]
    let isOver = false
    const typing = [1, 2].map(async () => {
      while (!isOver) await theirs.writing.apply(insertion('x'), typist)
    })

    const tries: Promise<unknown>[] = []
    let refused: unknown = null
    while (refused === null) {
      const outcome = room.writing.restore(insertion('R'), { author, seen: room.writing.restores })
      const noted = outcome.catch((error: unknown) => {
        refused = error
      })
      tries.push(noted)
      await tries.at(-1)
    }

    isOver = true
    await Promise.all(typing)
    expect(refused).toMatchObject({ code: 'ERR_OVERLOADED' })
    expect((await textOf(one)).match(/R/g) ?? []).toHaveLength(tries.length - 1)
  })

  test('is given up when the document is deleted meanwhile, and what ends the room is told', async () => {
    const [one, other] = (await nodes(2)) as [Running, Running]
    const room = await opened(one)
    await other.documents.delete('d')

    const restoring = room.writing.restore(insertion('R'), { author, seen: 0 })

    await expect(restoring).rejects.toMatchObject({ code: 'ERR_DELETED' })
    expect(await one.documents.read('d')).toBeNull()
  })
})
