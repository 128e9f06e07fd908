/**
 * A log that is read again is what its updates are one by one: for Yjs, for the next update, and for a joiner. Random
 * histories from a seed.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { ClockRuns } from '../../src/document/clocks.ts'
import { Document } from '../../src/document/document.ts'
import { encodeRecord } from '../../src/document/record.ts'
import { RecordSpans } from '../../src/document/record-spans.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { blockNumbers, deleteNumbers, SmallUpdate } from '../../src/document/small-update.ts'
import { openDocument } from '../../src/document/stored-document.ts'
import { JoinCursor, planJoin } from '../../src/document/sync.ts'
import { budget, damagedUpdate, writtenUpdate } from './hostile-updates.ts'
import { isAccepted } from './oracle.ts'
import { createHistory, createRandom, docOf, type Random, seed } from './random-docs.ts'

type Records = { sequence: number; record: Uint8Array }[]

const author = { user: 'anna', connection: 'k3Jd93jd', origin: 'client' } as const
const named = { user: 'José', connection: null, origin: 'client' } as const

/** A log of records with one update or a few each. */
function recordsOf(updates: readonly Uint8Array[], random: Random): Records {
  const records: Records = []
  for (let from = 0; from < updates.length; ) {
    const count = 1 + random.below(4)
    const logged = updates.slice(from, from + count).map((update, index) => {
      return { update, author: random.pick([author, named, null]), timeMs: 1_700_000_000_000 + index }
    })
    records.push({ sequence: records.length + 1, record: encodeRecord(logged) })
    from += count
  }
  return records
}

/** The same, one by one. */
function oneByOne(updates: readonly Uint8Array[]): Document {
  const document = new Document('d')
  for (const [i, update] of updates.entries()) {
    document.appendDurable({ update, scan: scanUpdate(update) }, i + 1)
  }
  return document
}

function joined(document: Document): Uint8Array[] {
  const cursor = new JoinCursor([], planJoin(document, new Map()))
  const sent: Uint8Array[] = []
  for (let update = cursor.next(); update !== null; update = cursor.next()) sent.push(update)
  return sent
}

const open = (records: Records) => openDocument('d', { checkpoint: null, records }, async () => {})

describe(`a log that is read again (SEED=${seed})`, () => {
  for (const options of [
    { clients: 1, steps: 3_000, textOnly: true },
    { clients: 3, steps: 1_500 },
    { clients: 6, steps: 1_500, syncRate: 0.02, gc: false }
  ]) {
    it(`is what its updates are one by one: ${JSON.stringify(options)}`, async () => {
      const random = createRandom(seed)
      const { updates } = createHistory(random, options)
      // What a client sends again, and what comes before what it hangs on.
      for (let i = 0; i < 20; i++) {
        updates.splice(random.below(updates.length), 0, random.pick(updates))
        const [moved] = updates.splice(random.below(updates.length), 1)
        if (moved !== undefined) updates.splice(random.below(updates.length), 0, moved)
      }
      const records = recordsOf(updates, random)

      const { document, unreadable } = await open(records)

      expect(unreadable).toEqual([])
      const plain = oneByOne(updates)
      expect(document.stateVector()).toEqual(plain.stateVector())
      expect(document.clientEnds()).toEqual(plain.clientEnds())
      expect(document.deletesBeyond(new ClockRuns()).equals(plain.deletesBeyond(new ClockRuns()))).toBe(true)
      expect(document.tail.records).toBe(records.length)
      expect(document.tail.bytes).toBe(plain.tail.bytes)
      expect(document.tail.lastSequence).toBe(records.length)
      for (const update of updates) expect(document.judge(scanUpdate(update)).type).toBe('known')
      expect(Y.encodeStateAsUpdate(docOf(joined(document)))).toEqual(Y.encodeStateAsUpdate(docOf(updates)))
    })
  }

  it('goes on with what is typed next, and drops what a checkpoint replaces', async () => {
    const random = createRandom(seed)
    const { updates } = createHistory(random, { clients: 1, steps: 6_000, textOnly: true })
    const split = updates.length - 200
    const records = recordsOf(updates.slice(0, split), random)

    const { document } = await open(records)
    for (const [i, update] of updates.slice(split).entries()) {
      document.appendDurable({ update, scan: scanUpdate(update) }, records.length + 1 + i)
    }

    expect(Y.encodeStateAsUpdate(docOf(joined(document)))).toEqual(Y.encodeStateAsUpdate(docOf(updates)))
    document.tail.compacted(records.length, [])
    expect(document.tail.records).toBe(200)
    const rest = joined(document)
    const before = docOf(updates.slice(0, split))
    for (const update of rest) Y.applyUpdate(before, update)
    expect(Y.encodeStateAsUpdate(before)).toEqual(Y.encodeStateAsUpdate(docOf(updates)))
  })

  it('loses nothing beside an update that cannot be read', async () => {
    const random = createRandom(seed)
    const { updates } = createHistory(random, { clients: 1, steps: 300, textOnly: true })
    const broken = Uint8Array.of(1, 1, 7, 0, 4, 1, 1, 116, 200)
    const records = recordsOf([...updates.slice(0, 100), broken, ...updates.slice(100)], random)
    const cut = records[60]
    const whole = updates.slice()
    if (cut === undefined) throw new Error('too few records')
    records.push({ sequence: records.length + 1, record: cut.record.subarray(0, cut.record.length - 1) })

    const { document, unreadable } = await open(records)

    expect(unreadable.map(({ bytes }) => bytes)).toEqual([broken, records.at(-1)?.record])
    expect(Y.encodeStateAsUpdate(docOf(joined(document)))).toEqual(Y.encodeStateAsUpdate(docOf(whole)))
  })
})

describe(`a small update (SEED=${seed})`, () => {
  const small = new SmallUpdate()

  /** What it says of the bytes behind others and before others, or null. */
  function read(update: Uint8Array) {
    const bytes = Uint8Array.of(0x81, ...update, 0x00, 0x01, 0x41)
    if (!small.read(bytes, 1, 1 + update.length)) return null
    const structs = []
    for (let i = 0; i < small.blocksEnd; i += blockNumbers) {
      const [client = 0, clock = 0, end = 0] = small.blocks.subarray(i)
      structs.push({ client, clock, length: end - clock })
    }
    const deletes = new Map<number, Set<number>>()
    for (let i = 0; i < small.deletesEnd; i += deleteNumbers) {
      const [client = 0, clock = 0, end = 0] = small.deletes.subarray(i)
      const clocks = deletes.get(client) ?? new Set()
      deletes.set(client, clocks)
      if (end - clock < 1_000) for (let at = clock; at < end; at++) clocks.add(at)
    }
    return { structs, deletes }
  }

  it('is never read as something else than a scan finds', () => {
    const anyUpdate = fc.oneof(
      writtenUpdate,
      damagedUpdate.map(({ update }) => update)
    )
    fc.assert(
      fc.property(anyUpdate, update => {
        const found = read(update)
        if (found === null) return
        const scan = scanUpdate(update)
        expect(found.structs).toEqual(scan.structs)
        for (const { client, clock, length } of scan.deletes) {
          if (length < 1_000) expect(found.deletes.get(client)?.has(clock + length - 1)).toBe(true)
        }
      }),
      budget()
    )
  })

  it('is read where somebody types, letter by letter and in every script', () => {
    const { updates } = createHistory(createRandom(seed), { clients: 2, steps: 500, textOnly: true })

    for (const update of updates) expect([isAccepted(update), read(update) !== null]).toEqual([true, true])
  })
})

describe('the updates of a record', () => {
  it('are found where a record says, whatever its authors are called', () => {
    const spans = new RecordSpans()
    const updates = [Uint8Array.of(0, 0), new Uint8Array(300).fill(7), Uint8Array.of(9)]
    for (const authors of [
      [author, author, author],
      [author, named, null],
      [null, author, named]
    ]) {
      const record = encodeRecord(
        updates.map((update, i) => ({ update, author: authors[i] ?? null, timeMs: i * 1_000 }))
      )

      spans.find(record)

      expect(spans.length).toBe(6)
      expect([0, 2, 4].map(i => record.subarray(spans.spans[i], spans.spans[i + 1]))).toEqual(updates)
      for (let cut = 0; cut < record.length; cut++) {
        expect(() => spans.find(record.subarray(0, cut))).toThrow()
      }
    }
  })
})
