/**
 * The worker threads of histories against the functions that they run: what is sealed there, kept as bytes and asked for
 * again is the document as it was. Needs dist (globalSetup).
 */
import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { defaultLimits, type Limits } from '../../src/base/limits.ts'
import { decodeRecord, encodeRecord } from '../../src/document/record.ts'
import type { KeyframeMessage, PastMessage, SegmentMessage } from '../../src/history/jobs.ts'
import { decodeKnown } from '../../src/history/known.ts'
import type { Segment, StoredRecord, UpdatePlace } from '../../src/history/segment.ts'
import { HistoryWorkers } from '../../src/history/workers.ts'
import { createHistory, createRandom, type Random, seed } from '../document/random-docs.ts'
import { seen, withoutPairs } from './seen.ts'

const startMs = 1_700_000_000_000
/** Where a history begins. */
const nothingBefore = { sequence: 0, timeMs: 0 }

const open: HistoryWorkers[] = []

function workersWith(limits: Partial<Limits> = {}): HistoryWorkers {
  const workers = new HistoryWorkers({ ...defaultLimits, ...limits })
  open.push(workers)
  return workers
}

afterEach(async () => {
  for (const workers of open.splice(0)) await workers.close()
})

/** Edits of three people, a second apart, some of which come later than what hangs on them. */
function recordsOf(random: Random, steps: number): StoredRecord[] {
  const { updates } = createHistory(random, { clients: 3, steps, syncRate: 0.3 })
  for (let at = 5; at + 3 < updates.length; at += 11) {
    const [early] = updates.splice(at, 1)
    if (early !== undefined) updates.splice(at + 3, 0, early)
  }
  return updates.map((update, index) => {
    const author = { user: `user ${index % 3}`, connection: `c${index % 5}`, origin: 'client' as const }
    return {
      sequence: index + 1,
      record: encodeRecord([{ update, author, timeMs: startMs + index * 1_000 }])
    }
  })
}

type Kept = {
  readonly segments: Segment[]
  readonly keyframes: KeyframeMessage[]
  known: Uint8Array | null
  waiting: readonly UpdatePlace[]
  sealedTo: number
}

/** Seals the records as a server does, with a keyframe now and then. */
async function sealed(workers: HistoryWorkers, records: readonly StoredRecord[], end: number): Promise<Kept> {
  const kept: Kept = { segments: [], keyframes: [], known: null, waiting: [], sealedTo: 0 }
  const exact = records.map(({ sequence }) => sequence)
  while (kept.sealedTo < end) {
    const to = Math.min(end, kept.sealedTo + 15)
    const { known } = kept
    const after = { sequence: kept.sealedTo, timeMs: 0 }
    const page = recordsLeft(kept, records, to)
    const job = async () => ({ known, records: page, refused: [], exact, after })
    const { segment, ...rest } = await workers.ask('seal', { document: 'd', job })
    if (segment !== null) kept.segments.push(segment)
    Object.assign(kept, rest, { sealedTo: to })
    if (kept.segments.length % 3 === 0) await addKeyframe(workers, kept)
  }
  return kept
}

function recordsLeft({ waiting, sealedTo }: Kept, records: readonly StoredRecord[], to: number) {
  const again = new Set(waiting.map(({ sequence }) => sequence))
  return records.filter(({ sequence }) => again.has(sequence) || (sequence > sealedTo && sequence <= to))
}

async function addKeyframe(workers: HistoryWorkers, kept: Kept): Promise<void> {
  const last = kept.keyframes.at(-1)
  const segments = kept.segments.filter(({ firstSequence }) => firstSequence > (last?.sequence ?? 0))
  const job = async () => ({ from: last?.bytes ?? null, segments })
  const { keyframe, known } = await workers.ask('keyframeAfter', { document: 'd', job })
  // Yjs also deletes what nobody said is deleted (an older entry of a map), so only the clocks are the same.
  expect(decodeKnown(known).vector).toEqual(decodeKnown(kept.known ?? new Uint8Array()).vector)
  kept.keyframes.push({ sequence: kept.sealedTo, bytes: keyframe })
}

function pastOf(kept: Kept, records: readonly StoredRecord[]): PastMessage {
  const unsealed = {
    known: kept.known,
    records: recordsLeft(kept, records, records.length),
    refused: [],
    after: nothingBefore
  }
  return { segments: kept.segments, unsealed }
}

function replayed(records: readonly StoredRecord[]): Y.Doc {
  const doc = new Y.Doc()
  const updates = records.flatMap(({ record }) => decodeRecord(record)).map(({ update }) => update)
  if (updates.length > 0) Y.applyUpdate(doc, Y.mergeUpdates(updates))
  return doc
}

function docOf(update: Uint8Array): Y.Doc {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc
}

const parsed = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString())

describe(`the workers of histories (seed ${seed})`, () => {
  it('give the document at any record, from each keyframe, sealed or not', async () => {
    const workers = workersWith()
    const records = recordsOf(createRandom(seed), 160)
    const kept = await sealed(workers, records, records.length - 20)
    expect(kept.keyframes.length).toBeGreaterThan(1)
    const past = pastOf(kept, records)
    for (let sequence = 0; sequence <= records.length; sequence += 3) {
      const moment = { sequence }
      const expected = withoutPairs(seen(replayed(records.slice(0, sequence))))
      for (const from of [null, ...kept.keyframes.filter(each => each.sequence <= sequence)]) {
        const job = async () => ({ past, at: { from, moment } })
        const update = await workers.ask('at', { document: 'd', job })
        expect(withoutPairs(seen(docOf(update))), `record ${sequence} from ${from?.sequence}`).toEqual(
          expected
        )
      }
    }
  })

  it('need no bodies of before the keyframe, and say so where one is missing', async () => {
    const workers = workersWith()
    const records = recordsOf(createRandom(seed + 1), 120)
    const kept = await sealed(workers, records, records.length)
    const from = kept.keyframes.at(-1) ?? null
    const segments: SegmentMessage[] = kept.segments.map(segment =>
      segment.firstSequence > (from?.sequence ?? 0) ? segment : { ...segment, body: null }
    )
    const past = { segments, unsealed: null }
    const moment = { sequence: records.length }
    const update = await workers.ask('at', {
      document: 'd',
      job: async () => ({ past, at: { from, moment } })
    })
    expect(withoutPairs(seen(docOf(update)))).toEqual(withoutPairs(seen(replayed(records))))
    const lost = workers.ask('at', {
      document: 'd',
      job: async () => ({ past, at: { from: null, moment } })
    })
    await expect(lost).rejects.toMatchObject({ code: 'ERR_NO_MOMENT' })
  })

  it('begin with a checkpoint, of which they say what it holds', async () => {
    const workers = workersWith()
    const records = recordsOf(createRandom(seed + 2), 100)
    const half = records.length >> 1
    const updates = [checkpointOf(replayed(records.slice(0, half)))]
    const first = await workers.ask('keyframe', { document: 'd', job: async () => ({ updates }) })
    const unsealed = { known: first.known, records: records.slice(half), refused: [], after: nothingBefore }
    const at = { from: { sequence: half, bytes: first.keyframe }, moment: { sequence: records.length } }
    const job = async () => ({ past: { segments: [], unsealed }, at })
    const update = await workers.ask('at', { document: 'd', job })
    const whole = docOf(updates[0] ?? new Uint8Array())
    for (const { record } of records.slice(half))
      for (const { update } of decodeRecord(record)) Y.applyUpdate(whole, update)
    expect(withoutPairs(seen(docOf(update)))).toEqual(withoutPairs(seen(whole)))
  })

  it('merge segments into one that says the same', async () => {
    const workers = workersWith()
    const records = recordsOf(createRandom(seed + 3), 100)
    const kept = await sealed(workers, records, records.length)
    const merged = await workers.ask('merge', {
      document: 'd',
      job: async () => ({ segments: kept.segments })
    })
    const segments = merged === null ? [] : [merged]
    for (const sequence of [7, 31, records.length]) {
      const at = { from: null, moment: { sequence } }
      const job = async () => ({ past: { segments, unsealed: null }, at })
      const update = await workers.ask('at', { document: 'd', job })
      expect(withoutPairs(seen(docOf(update)))).toEqual(
        withoutPairs(seen(replayed(records.slice(0, sequence))))
      )
    }
  })

  it('say who worked when, and what lies between two moments', async () => {
    const workers = workersWith()
    const doc = new Y.Doc()
    const records: StoredRecord[] = []
    const write = (user: string, timeMs: number, change: () => void) => {
      const before = Y.encodeStateVector(doc)
      change()
      const update = Y.encodeStateAsUpdate(doc, before)
      const author = { user, connection: null, origin: 'client' as const }
      records.push({ sequence: records.length + 1, record: encodeRecord([{ update, author, timeMs }]) })
    }
    write('ann', startMs, () => doc.getText('body').insert(0, 'hello'))
    write('ben', startMs + 2_000, () => doc.getText('body').insert(5, ' world'))
    write('ann', startMs + 500_000, () => doc.getText('body').delete(0, 5))
    const past = { segments: [], unsealed: { known: null, records, refused: [], after: nothingBefore } }
    const question = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, pauseMs: 60_000, burstsMax: 10 }

    const bursts = parsed(
      await workers.ask('activity', { document: 'd', job: async () => ({ past, question }) })
    )
    const told = parsed(
      await workers.ask('differences', {
        document: 'd',
        job: async () => ({
          past,
          was: { from: null, moment: { sequence: 1 } },
          is: { from: null, moment: { sequence: 3 } },
          copies: [],
          roots: ['body'],
          answerBytesMax: 10_000
        })
      })
    )

    expect(bursts.bursts).toMatchObject([
      { author: { user: 'ann' }, inserted: 5, deleted: 0 },
      { author: { user: 'ben' }, inserted: 6, deleted: 0 },
      { author: { user: 'ann' }, inserted: 0, deleted: 5 }
    ])
    const by = (piece: { by: number }) => told.reasons[piece.by - 1].author.user
    expect(
      told.types.body.pieces.map((piece: { by: number; change: string; text: string }) => [
        piece.change,
        piece.text,
        by(piece)
      ])
    ).toEqual([
      ['removed', 'hello', 'ann'],
      ['added', ' world', 'ben']
    ])
  })

  it('tell what JSON does not have', async () => {
    const workers = workersWith()
    const doc = new Y.Doc()
    const big = doc.getMap('map')
    big.set('bigint', 2n ** 60n)
    big.set('bytes', new Uint8Array([1, 2, 3]))
    big.set('within', new Y.Doc({ guid: 'other' }))
    const record = encodeRecord([{ update: Y.encodeStateAsUpdate(doc), author: null, timeMs: startMs }])
    const past = {
      segments: [],
      unsealed: { known: null, records: [{ sequence: 1, record }], refused: [], after: nothingBefore }
    }
    const at = { from: null, moment: { sequence: 1 } }
    const job = async () => ({ past, at, types: { map: 'map' as const }, answerBytesMax: 1_000 })
    expect(parsed(await workers.ask('json', { document: 'd', job }))).toEqual({
      map: {
        bigint: { bigint: String(2n ** 60n) },
        bytes: { base64: 'AQID' },
        within: { document: 'other' }
      }
    })
  })

  it('give up what nobody waits for: at once, whether it waits or runs, and the next is answered', async () => {
    const workers = workersWith()
    const running = new AbortController()
    const waiting = new AbortController()
    const records = recordsOf(createRandom(seed + 4), 3_000)
    const ask = (signal: AbortSignal | undefined, onProgress?: () => void) =>
      workers.ask('differences', {
        document: 'd',
        signal,
        onProgress,
        job: async () => ({
          past: { segments: [], unsealed: { known: null, records, refused: [], after: nothingBefore } },
          was: { from: null, moment: { sequence: 10 } },
          is: { from: null, moment: { sequence: records.length } },
          copies: [],
          roots: null,
          answerBytesMax: 1_000_000_000
        })
      })

    const first = ask(running.signal, () => running.abort())
    const second = ask(waiting.signal)
    const third = ask(undefined)
    waiting.abort()

    await expect(second).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    await expect(first).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    expect(parsed(await third)).toHaveProperty('types.text')
    await expect(ask(AbortSignal.abort())).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
  })

  it('end what takes too long, and what would answer too much', async () => {
    const workers = workersWith({ historyDeadlineMs: 1, quickJobMs: 1 })
    const records = recordsOf(createRandom(seed + 5), 3_000)
    const past = { segments: [], unsealed: { known: null, records, refused: [], after: nothingBefore } }
    const at = { from: null, moment: { sequence: records.length } }
    const slow = workers.ask('at', { document: 'd', job: async () => ({ past, at }) })
    await expect(slow).rejects.toMatchObject({ code: 'ERR_DEADLINE' })

    const types = { text: 'text' as const }
    const job = async () => ({ past, at, types, answerBytesMax: 10 })
    const large = workersWith().ask('json', { document: 'd', job })
    await expect(large).rejects.toMatchObject({ code: 'ERR_ANSWER_TOO_LARGE' })
  })
})

/** What a compaction writes: what waits for something unknown is no part of it. */
function checkpointOf(doc: Y.Doc): Uint8Array {
  doc.store.pendingStructs = null
  doc.store.pendingDs = null
  return Y.encodeStateAsUpdate(doc)
}
