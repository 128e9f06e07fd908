/** Compaction of what a store has: what leaves the log, and what stays in it. */
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { withLimits } from '../../src/base/limits.ts'
import { Slices } from '../../src/base/slices.ts'
import { systemTime } from '../../src/base/time.ts'
import { ByteWriter } from '../../src/document/byte-writer.ts'
import { typeDepthMax } from '../../src/document/compact.ts'
import { encodeDeleteSet } from '../../src/document/delete-set.ts'
import { decodeRecord, encodeRecord } from '../../src/document/record.ts'
import { compactDocument } from '../../src/room/compaction.ts'
import { VirtualClock } from '../simulation/virtual-time.ts'
import { createVirtualWorker } from '../simulation/worker.ts'

const slices = new Slices(systemTime, withLimits({}))

/** A compaction of the document `x` in this store, with the real functions of the worker. */
async function compact(store: ReturnType<typeof createMemoryStore>) {
  const clock = new VirtualClock()
  const time = clock.scope()
  const worker = { time, sizes: {}, delayMs: () => 0, fails: () => false, onLayout: () => {} }
  const parts = {
    store,
    workers: createVirtualWorker(worker),
    slices,
    lane: 'quick',
    isShared: false,
    histories: null
  } as const
  let isOver = false
  const compacting = compactDocument('x', parts).finally(() => {
    isOver = true
  })
  while (!isOver) await clock.runFor(1)
  return compacting
}

function textOf(clientID: number, text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = clientID
  doc.getText('t').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

/** Types within types, deeper than a document may have. */
function nested(clientID: number): Uint8Array {
  const writer = new ByteWriter(8 * typeDepthMax)
  for (const value of [1, typeDepthMax + 1, clientID, 0, 7, 1, 1, 0x61, 0]) writer.writeVarUint(value)
  for (let clock = 0; clock < typeDepthMax; clock++) {
    for (const value of [7, 0, clientID, clock, 0]) writer.writeVarUint(value)
  }
  writer.writeByte(0)
  return writer.toUint8Array()
}

const record = (...updates: Uint8Array[]) =>
  encodeRecord(updates.map((update, i) => ({ update, author: null, timeMs: 5 + i })))

test('what was refused leaves the log, also where an update of the same record waits for others', async () => {
  const store = createMemoryStore()
  const waiting = encodeDeleteSet([{ client: 3, clock: 0, length: 1 }])
  const mixed = record(textOf(1, 'fine'), nested(2), waiting)
  await store.append(
    [mixed, record(waiting), record(textOf(4, 'more'))].map(each => ({ document: 'x', record: each }))
  )

  const first = await compact(store)
  await store.append([{ document: 'x', record: record(textOf(5, 'later')) }])
  const second = await compact(store)

  expect(first?.refused.map(({ update }) => update)).toEqual([nested(2)])
  expect(second?.refused).toEqual([])
  expect((await store.listSetAside('x')).length).toBe(1)
  const { records, checkpoint } = await store.load('x')
  const left = records.flatMap(each => decodeRecord(each.record))
  expect(left.map(({ update }) => [...update])).toEqual([[...waiting], [...waiting]])
  expect(left.map(({ timeMs }) => timeMs).sort()).toEqual([5, 7])
  const doc = new Y.Doc()
  for (const segment of checkpoint?.segments ?? []) Y.applyUpdate(doc, segment)
  expect(['fine', 'more', 'later'].every(word => doc.getText('t').toString().includes(word))).toBe(true)
})

test('a document that was deleted while it was compacted gets nothing back of what was refused', async () => {
  const store = createMemoryStore()
  const waiting = encodeDeleteSet([{ client: 3, clock: 0, length: 1 }])
  await store.append([{ document: 'x', record: record(nested(2), waiting) }])
  const setAside = store.setAside.bind(store)
  store.setAside = async (...call) => {
    await setAside(...call)
    await store.delete('x')
  }

  expect(await compact(store)).toBe(null)

  expect(await store.list()).toEqual([])
})
