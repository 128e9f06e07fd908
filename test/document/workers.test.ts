/** The worker's host: jobs in order, bounded, and a worker that dies takes one job with it. Needs dist (globalSetup). */
import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { ByteWriter } from '../../src/document/byte-writer.ts'
import { encodeRecord } from '../../src/document/record.ts'
import { createWorkers, type Workers, type WorkersOptions } from '../../src/document/workers.ts'
import { hostileUpdate } from '../support/hostile-update.ts'
import { canonicalState, createHistory, createRandom, docOf, seed } from './random-docs.ts'

const open: Workers[] = []

function workersWith(options: WorkersOptions): Workers {
  const workers = createWorkers(options)
  open.push(workers)
  return workers
}

afterEach(async () => {
  for (const workers of open.splice(0)) await workers.close()
})

/** The threads that are started from now on. */
function startedThreads(): readonly Worker[] {
  const threads: Worker[] = []
  const started = (thread: Worker) => threads.push(thread)
  process.on('worker', started)
  onTestFinished(() => void process.off('worker', started))
  return threads
}

function diffOf(workers: Workers, document: string, update = new Uint8Array([0, 0])): Promise<Uint8Array> {
  return workers.diff({ document, segments: [update], vector: new Map() })
}

/** An array of many arrays, whose Y.Doc does not fit a small heap. */
function recordOf(update: Uint8Array): Uint8Array {
  return encodeRecord([{ update, author: null, timeMs: 1 }])
}

function largeUpdate(): Uint8Array {
  const count = 400_000
  const writer = new ByteWriter(count * 6)
  writer.writeByte(1)
  writer.writeVarUint(count)
  for (const byte of [1, 0, 0x07, 1, 1, 0x61, 0]) writer.writeByte(byte)
  for (let clock = 1; clock < count; clock++) {
    for (const byte of [0x87, 1]) writer.writeByte(byte)
    writer.writeVarUint(clock - 1)
    writer.writeByte(0)
  }
  writer.writeByte(0)
  return writer.toUint8Array()
}

describe(`the workers (seed ${seed})`, () => {
  it('compacts in the worker and leaves the inputs as they were', async () => {
    const { updates } = createHistory(createRandom(seed), { clients: 3, steps: 100 })
    const entries = updates.map(update => Buffer.from(update))
    const workers = workersWith({ sizes: { wholeBytesMax: 0, heldBackFrameBytes: 400 } })

    const records = entries.map(recordOf)

    const result = await workers.compact({ document: 'room', lane: 'long', segments: [], records })

    expect(result.meta.layout).toBe('held-back')
    expect(entries.map(entry => new Uint8Array(entry))).toEqual(updates)
    expect(canonicalState(docOf(result.segments))).toBe(canonicalState(docOf(updates)))
  })

  it('answers diff and held-back jobs as the functions do, and times a load', async () => {
    const { updates } = createHistory(createRandom(seed), { clients: 3, steps: 100 })
    const whole = Y.mergeUpdates(updates)
    const workers = workersWith({})

    const [diff, frames, loadMs] = await Promise.all([
      workers.diff({ document: 'room', segments: updates, vector: new Map() }),
      workers.heldBack({ document: 'room', update: whole, frameBytesMax: 300 }),
      workers.load({ document: 'room', update: whole, deadlineMs: 10_000 })
    ])

    expect(canonicalState(docOf([diff]))).toBe(canonicalState(docOf(updates)))
    expect(canonicalState(docOf(frames))).toBe(canonicalState(docOf(updates)))
    expect(loadMs).toBeGreaterThan(0)
  })

  it('passes on why an update does not scan', async () => {
    const workers = workersWith({})

    await expect(diffOf(workers, 'room', new Uint8Array([1, 0]))).rejects.toMatchObject({
      code: 'ERR_UPDATE_MALFORMED'
    })
  })

  it('loses only the job that needs more memory than the worker has', async () => {
    const workers = workersWith({ memoryMegabytes: 24 })
    const large = workers.compact({
      document: 'room',
      lane: 'long',
      segments: [],
      records: [recordOf(largeUpdate())]
    })
    const small = workers.compact({
      document: 'room',
      lane: 'long',
      segments: [],
      records: [recordOf(new Uint8Array([0, 0]))]
    })

    await expect(large).rejects.toMatchObject({ code: 'ERR_INTERNAL' })
    expect((await small).pending).toEqual([])
  })

  it('refuses jobs beyond its queue, the last of the document that has most of them', async () => {
    const workers = workersWith({ queueMax: 2 })
    const busy = [1, 2, 3].map(() => diffOf(workers, 'busy'))
    const refused = expect(busy[2]).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })

    const other = diffOf(workers, 'other')

    await refused
    await Promise.all([busy[0], busy[1], other])
    const one = [1, 2, 3, 4].map(() => diffOf(workers, 'busy'))
    await expect(one[3]).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
    await Promise.all(one.slice(0, 3))
  })

  it('rejects what waits and what comes after it was closed', async () => {
    const workers = workersWith({})
    const running = [1, 2].map(() => diffOf(workers, 'room'))
    const rejected = running.map(each => expect(each).rejects.toMatchObject({ code: 'ERR_GOING_DOWN' }))

    await workers.close()

    await Promise.all(rejected)
    await expect(diffOf(workers, 'room')).rejects.toMatchObject({ code: 'ERR_GOING_DOWN' })
  })

  it('a thread that has nothing to do ends, whatever it did before, and another one follows', async () => {
    const threads = startedThreads()
    const workers = workersWith({ idleMs: 50 })

    await diffOf(workers, 'room')
    const [thread] = threads
    if (thread === undefined) throw new Error('no thread was started')
    await once(thread, 'exit')
    await diffOf(workers, 'room')

    expect(threads.length).toBe(2)
  })
})

describe('one document beside others', () => {
  it('a compaction that takes too long is ended in its lane; the next one is done, and diffs did not wait', async () => {
    const { updates } = createHistory(createRandom(seed), { clients: 2, steps: 50 })
    const workers = workersWith({ quickMs: 2_000, compactionDeadlineMs: 60_000 })
    const records = [recordOf(hostileUpdate(100_000))]
    const order: string[] = []
    const quick = workers.compact({ document: 'hostile', lane: 'quick', segments: [], records })
    const refused = expect(quick).rejects.toMatchObject({ code: 'ERR_DEADLINE' })
    const long = workers.compact({ document: 'hostile', lane: 'long', segments: [], records })
    const abandoned = expect(long).rejects.toMatchObject({ code: 'ERR_GOING_DOWN' })
    quick.catch(() => order.push('deadline'))
    long.catch(() => order.push('long'))
    const other = { document: 'room', lane: 'quick' as const, segments: [], records: updates.map(recordOf) }
    const next = workers.compact(other)

    await workers.diff({ document: 'room', segments: updates, vector: new Map() })
    order.push('diff')
    const { segments } = await next
    order.push('next')
    await workers.close()

    await Promise.all([refused, abandoned])
    expect(order.at(-1)).toBe('long')
    expect(order.toSorted()).toEqual(['deadline', 'diff', 'long', 'next'])
    expect(canonicalState(docOf(segments))).toBe(canonicalState(docOf(updates)))
  })

  it('diffs of documents take turns: one with many keeps none waiting for more than one of them', async () => {
    const workers = workersWith({})
    const order: string[] = []
    const ask = (document: string) => diffOf(workers, document).then(() => order.push(document))

    await Promise.all([...Array.from({ length: 10 }, () => ask('busy')), ask('other'), ask('third')])

    expect(order.slice(0, 4)).toEqual(['busy', 'busy', 'other', 'third'])
    expect(order.length).toBe(12)
  })

  it('what takes long goes on apart from what others wait for, and so do those of its document that follow', async () => {
    const threads = startedThreads()
    const workers = workersWith({ quickMs: 300 })
    const update = hostileUpdate(100_000)
    const hostile = Array.from({ length: 4 }, () =>
      workers.load({ document: 'hostile', update, deadlineMs: 3_600_000 })
    ).map(each => expect(each).rejects.toMatchObject({ code: 'ERR_GOING_DOWN' }))

    for (let i = 0; i < 5; i++) await diffOf(workers, 'other')
    await workers.close()

    await Promise.all(hostile)
    // The quick one that the first of them held, the one after it, and the long one.
    expect(threads.length).toBe(3)
  })

  it('at the long deadline it fails, and the next one is done', async () => {
    const workers = workersWith({ quickMs: 100 })
    const load = (count: number, deadlineMs: number) =>
      workers.load({ document: 'hostile', update: hostileUpdate(count), deadlineMs })
    const refused = expect(load(100_000, 300)).rejects.toMatchObject({
      code: 'ERR_DEADLINE',
      message: 'the job took more than 300 ms'
    })

    const tookMs = await load(10, 60_000)

    await refused
    expect(Number.isFinite(tookMs)).toBe(true)
  })
})
