/** When a room takes up a checkpoint that the store has: by hand-driven records and a store in memory. */
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { withLimits } from '../../src/base/limits.ts'
import { Slices } from '../../src/base/slices.ts'
import { systemTime } from '../../src/base/time.ts'
import {
  encodeCheckpointMeta,
  markCheckpointMeta,
  quarantineAfter,
  quarantineOf
} from '../../src/document/checkpoint.ts'
import { compactRecords } from '../../src/document/compact.ts'
import { encodeRecord } from '../../src/document/record.ts'
import { Adoption } from '../../src/room/adoption.ts'
import type { NewCheckpoint } from '../../src/room/compaction.ts'
import { Waiting } from '../../src/room/waiting.ts'
import { until } from '../support/clients.ts'
import { quietLog } from '../support/server.ts'

/** A document whose clients each write one record, and a room of it that adopts. */
async function opened({ quarantines = 0, freshHeadMs = 60_000 } = {}) {
  const store = createMemoryStore()
  const limits = withLimits({ freshHeadMs })
  const shown = new Waiting()
  const adopted: NewCheckpoint[] = []
  const quarantined: string[][] = []
  const loads = { count: 0 }
  const counting: Pick<Store, 'load'> = {
    load: name => {
      loads.count++
      return store.load(name)
    }
  }
  const [answer] = await store.append([{ document: 'x', record: recordOf('first') }])
  if (answer?.outcome !== 'written') throw new Error('not written')
  const life = { incarnation: answer.incarnation, isPlanting: false, floor: null }
  const parts = {
    store: counting,
    slices: new Slices(systemTime, limits),
    time: systemTime,
    limits,
    log: quietLog
  }
  const adoption = new Adoption({ name: 'x', life, quarantines }, parts, {
    generation: () => adopted.at(-1)?.checkpoint.generation ?? 0,
    reached: sequence => shown.until(sequence),
    replace: checkpoint => void adopted.push(checkpoint),
    quarantined: connections => void quarantined.push([...connections])
  })
  return { store, adoption, shown, adopted, quarantined, loads, life }
}

function recordOf(...texts: string[]): Uint8Array {
  const updates = texts.map(text => {
    const doc = new Y.Doc()
    doc.getText('t').insert(0, text)
    return { update: Y.encodeStateAsUpdate(doc), author: null, timeMs: 1 }
  })
  return encodeRecord(updates)
}

/** As another node would: all of the log but `kept` becomes a checkpoint. */
async function compact(
  store: Store,
  { kept = [] as number[], refusedFrom = [] as string[] } = {}
): Promise<number> {
  const { checkpoint, incarnation, records } = await store.load('x')
  const merged = records.filter(({ sequence }) => !kept.includes(sequence))
  const segments = checkpoint?.segments ?? []
  const result = compactRecords({ segments, records: merged.map(({ record }) => record) })
  const before = checkpoint === null ? { count: 0, refused: [] } : quarantineOf(checkpoint.meta)
  const mark = refusedFrom.length === 0 ? before : quarantineAfter(before, refusedFrom)
  const written = await store.checkpoint({
    ...{ document: 'x', incarnation, base: checkpoint?.generation ?? null },
    ...{ replaces: merged.map(({ sequence }) => sequence), segments: result.segments },
    meta: markCheckpointMeta(encodeCheckpointMeta(result.meta), mark)
  })
  if (written.outcome !== 'written') throw new Error('superseded')
  return written.generation
}

const append = (store: Store, count: number) =>
  store.append(Array.from({ length: count }, (_, i) => ({ document: 'x', record: recordOf(`more ${i}`) })))

/** Everything that can go on without more being shown has gone on. */
const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
}

test('a checkpoint is taken up when all it stands for is shown, and not before', async () => {
  const { store, adoption, shown, adopted, loads } = await opened()
  await append(store, 2)
  const generation = await compact(store)

  adoption.told(generation)
  await until(() => loads.count === 1, 'the load')
  shown.reached(2)
  await settled()
  expect(adopted).toEqual([])
  expect(adoption.isUnderWay).toBe(true)
  shown.reached(3)

  await until(() => adopted.length === 1, 'the adoption')
  expect(adopted[0]).toMatchObject({ sequence: 3, carried: [], checkpoint: { generation } })
  await until(() => !adoption.isUnderWay, 'the end of it')
  adoption.told(generation)
  await settled()
  expect(loads.count).toBe(1)
})

test('what stays in the log below a checkpoint is carried over, and what came after it is not its business', async () => {
  const { store, adoption, shown, adopted } = await opened()
  await append(store, 3)
  const generation = await compact(store, { kept: [2] })
  await append(store, 2)
  shown.reached(4)

  adoption.told(generation)

  await until(() => adopted.length === 1, 'the adoption')
  expect(adopted[0]?.sequence).toBe(4)
  expect(adopted[0]?.carried.map(({ sequence }) => sequence)).toEqual([2])
})

test('an older checkpoint that is late does not replace a newer one', async () => {
  const { store, adoption, shown, adopted } = await opened()
  await compact(store)
  const older = await store.load('x')
  await append(store, 1)
  const generation = await compact(store)
  const newer = await store.load('x')

  const taken = [adoption.found(newer), adoption.found(older)]
  await settled()
  shown.reached(2)
  await Promise.all(taken)

  expect(adopted.map(({ checkpoint }) => checkpoint.generation)).toEqual([generation])
})

test('a checkpoint that refused something ends a room that was opened before it, and no other', async () => {
  const before = await opened()
  const after = await opened({ quarantines: 1 })
  for (const { store, adoption, shown } of [before, after]) {
    await compact(store, { refusedFrom: ['connection a', 'connection b', 'connection a'] })
    await append(store, 1)
    // The next one refuses nothing, and is the first that the room hears of.
    const generation = await compact(store)
    shown.reached(2)
    adoption.told(generation)
  }

  await until(() => before.quarantined.length === 1 && after.adopted.length === 1, 'both')
  expect(before.quarantined).toEqual([['connection a', 'connection b']])
  expect([before.adopted, after.quarantined]).toEqual([[], []])
})

test('only those are named whose updates were refused since the room was opened', async () => {
  const { store, adoption, quarantined } = await opened({ quarantines: 1 })
  await compact(store, { refusedFrom: ['long ago'] })
  await append(store, 1)

  adoption.told(await compact(store, { refusedFrom: ['just now'] }))

  await until(() => quarantined.length === 1, 'the end of the room')
  expect(quarantined).toEqual([['just now']])
})

test('whoever waits for what the store has now gets it, also when an older one was on its way', async () => {
  const { store, adoption, shown, adopted } = await opened()
  shown.reached(9)
  adoption.told(await compact(store))
  await append(store, 1)
  const second = await compact(store)

  await adoption.looked()

  expect(adopted.at(-1)?.checkpoint.generation).toBe(second)
})

test('whoever waits does not wait longer than for a head', async () => {
  const { store, adoption, adopted } = await opened({ freshHeadMs: 1 })
  await compact(store)

  await adoption.looked()

  expect(adopted).toEqual([])
})

test('a checkpoint that cannot be read is not read again and again', async () => {
  const { store, adoption, loads } = await opened()
  const { incarnation } = await store.load('x')
  const unknown = {
    document: 'x',
    incarnation,
    base: null,
    replaces: [1],
    meta: Uint8Array.of(9),
    segments: []
  }
  const written = await store.checkpoint(unknown)
  const generation = written.outcome === 'written' ? written.generation : 0

  adoption.told(generation)
  await until(() => loads.count === 1 && !adoption.isUnderWay, 'the first try')
  adoption.told(generation)
  await settled()

  expect(loads.count).toBe(1)
})

test('a checkpoint of another life, and one that comes when the room is over, change nothing', async () => {
  const { store, adoption, shown, adopted, life } = await opened()
  shown.reached(9)
  const generation = await compact(store)
  const { incarnation } = life
  life.incarnation = 'another'
  adoption.told(generation)
  await until(() => !adoption.isUnderWay, 'the look')
  life.incarnation = incarnation
  adoption.close()
  adoption.told(generation)
  await adoption.looked()

  expect(adopted).toEqual([])
})

test('metadata without a quarantine is as before, and marked metadata keeps the latest names', () => {
  const meta = Uint8Array.of(1, 2, 3)
  expect(markCheckpointMeta(meta, { count: 0, refused: [] })).toBe(meta)

  let quarantine = quarantineOf(meta)
  for (let i = 1; i <= 70; i++) quarantine = quarantineAfter(quarantine, [`connection ${i}`])
  const read = quarantineOf(markCheckpointMeta(meta, quarantine))

  expect(read.count).toBe(70)
  expect(read.refused.length).toBe(64)
  expect(read.refused[0]).toEqual({ quarantine: 70, connection: 'connection 70' })
})
