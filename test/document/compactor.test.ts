/** The worker's host: jobs in order, bounded, and a worker that dies takes one job with it. Needs dist (globalSetup). */
import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { ByteWriter } from '../../src/document/byte-writer.ts'
import { type Compactor, type CompactorOptions, createCompactor } from '../../src/document/compactor.ts'
import { encodeRecord } from '../../src/document/record.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { canonicalState, createHistory, createRandom, docOf, seed } from './random-docs.ts'

const open: Compactor[] = []

function compactorWith(options: CompactorOptions): Compactor {
  const compactor = createCompactor(options)
  open.push(compactor)
  return compactor
}

afterEach(async () => {
  for (const compactor of open.splice(0)) await compactor.close()
})

/** An array of many arrays, whose Y.Doc does not fit a small heap. */
function recordOf(update: Uint8Array): Uint8Array {
  return encodeRecord([{ update, author: 'a', timeMs: 1 }])
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

describe(`the compactor (seed ${seed})`, () => {
  it('compacts in the worker and leaves the inputs as they were', async () => {
    const { updates } = createHistory(createRandom(seed), { clients: 3, steps: 100 })
    const entries = updates.map(update => Buffer.from(update))
    const compactor = compactorWith({ sizes: { wholeBytesMax: 0, heldBackFrameBytes: 400 } })

    const records = entries.map(recordOf)

    const result = await compactor.compact({ segments: [], records })

    expect(result.meta.layout).toBe('held-back')
    expect(entries.map(entry => new Uint8Array(entry))).toEqual(updates)
    expect(canonicalState(docOf(result.segments))).toBe(canonicalState(docOf(updates)))
  })

  it('answers diff, held-back and scan jobs as the functions do', async () => {
    const { updates } = createHistory(createRandom(seed), { clients: 3, steps: 100 })
    const whole = Y.mergeUpdates(updates)
    const compactor = compactorWith({})

    const [diff, frames, scan] = await Promise.all([
      compactor.diff({ segments: updates, vector: new Map() }),
      compactor.heldBack({ update: whole, frameBytesMax: 300 }),
      compactor.scan(whole)
    ])

    expect(canonicalState(docOf([diff]))).toBe(canonicalState(docOf(updates)))
    expect(canonicalState(docOf(frames))).toBe(canonicalState(docOf(updates)))
    expect(scan).toEqual(scanUpdate(whole))
  })

  it('passes on why an update does not scan', async () => {
    const compactor = compactorWith({})

    await expect(compactor.scan(new Uint8Array([1, 0]))).rejects.toMatchObject({
      code: 'ERR_UPDATE_MALFORMED'
    })
  })

  it('loses only the job that needs more memory than the worker has', async () => {
    const compactor = compactorWith({ memoryMegabytes: 24 })
    const large = compactor.compact({ segments: [], records: [recordOf(largeUpdate())] })
    const small = compactor.compact({ segments: [], records: [recordOf(new Uint8Array([0, 0]))] })

    await expect(large).rejects.toMatchObject({ code: 'ERR_INTERNAL' })
    expect((await small).pending).toEqual([])
  })

  it('refuses jobs beyond its queue', async () => {
    const compactor = compactorWith({ queueMax: 1 })
    const empty = new Uint8Array([0, 0])
    const running = compactor.scan(empty)
    const waiting = compactor.scan(empty)

    await expect(compactor.scan(empty)).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
    await Promise.all([running, waiting])
  })

  it('rejects what waits and what comes after it was closed', async () => {
    const compactor = compactorWith({})
    const running = compactor.scan(new Uint8Array([0, 0]))
    const rejected = expect(running).rejects.toMatchObject({ code: 'ERR_GOING_DOWN' })

    await compactor.close()

    await rejected
    await expect(compactor.scan(new Uint8Array([0, 0]))).rejects.toMatchObject({ code: 'ERR_GOING_DOWN' })
  })
})
