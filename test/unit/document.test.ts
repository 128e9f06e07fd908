/** A document in memory: what is known, the tail, and joiners that read while it grows and is compacted. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import type { Author } from '../../persistence/author.ts'
import { type LoadedDocument, singleWriter } from '../../persistence/store.ts'
import {
  createCheckpoint,
  decodeCheckpointMeta,
  encodeCheckpointMeta
} from '../../src/document/checkpoint.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { compactDocument } from '../../src/document/compact.ts'
import { Document } from '../../src/document/document.ts'
import { decodeRecord, encodeRecord } from '../../src/document/record.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { decodeStateVector } from '../../src/document/state-vector.ts'
import { openDocument } from '../../src/document/stored-document.ts'
import { JoinCursor, planJoin } from '../../src/document/sync.ts'
import { hostileUpdate } from '../support/hostile-update.ts'
import { seed } from '../support/seed.ts'
import { randomFrom } from '../support/trace.ts'

/** Updates of one doc that types `count` times, one character or deletion each. */
function typing(
  count: number,
  random = randomFrom(seed),
  clientID = 7
): { doc: Y.Doc; updates: Uint8Array[] } {
  const doc = new Y.Doc()
  doc.clientID = clientID
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  const text = doc.getText('t')
  while (updates.length < count) {
    if (text.length > 5 && random() < 0.2) text.delete(Math.floor(random() * (text.length - 1)), 1)
    else
      text.insert(
        Math.floor(random() * (text.length + 1)),
        String.fromCharCode(97 + Math.floor(random() * 26))
      )
  }
  return { doc, updates }
}

function scanned(update: Uint8Array) {
  return { update, scan: scanUpdate(update) }
}

function commit(document: Document, update: Uint8Array, sequence: number): void {
  document.hold(scanned(update))
  document.settle(1, sequence)
}

function drain(cursor: JoinCursor, into: Y.Doc): void {
  for (let update = cursor.next(); update !== null; update = cursor.next()) Y.applyUpdate(into, update)
}

function bytesOf(doc: Y.Doc): string {
  return Buffer.from(Y.encodeStateAsUpdate(doc)).toString('hex')
}

describe('what a document knows', () => {
  test('an update is new once, while it is held and after it is durable', () => {
    const document = new Document('d')
    const [update] = typing(1).updates as [Uint8Array]

    expect(document.judge(scanUpdate(update))).toEqual({ type: 'new', gap: null })
    document.hold(scanned(update))
    expect(document.judge(scanUpdate(update))).toEqual({ type: 'known' })
    document.settle(1, 1)
    expect(document.judge(scanUpdate(update))).toEqual({ type: 'known' })
  })

  test('the state vector speaks for what is durable only', () => {
    const document = new Document('d')
    const [first, second] = typing(2).updates as [Uint8Array, Uint8Array]
    commit(document, first, 1)

    document.hold(scanned(second))

    expect(decodeStateVector(document.stateVector(), { clientsMax: 9 })).toEqual(new Map([[7, 1]]))
    document.settle(1, 2)
    expect(decodeStateVector(document.stateVector(), { clientsMax: 9 })).toEqual(new Map([[7, 2]]))
  })

  test('an update names the gap it leaves: a missing clock, an unknown origin, an unknown deletion', () => {
    const document = new Document('d')
    const a = new Y.Doc()
    a.clientID = 1
    const b = new Y.Doc()
    b.clientID = 2
    a.getText('t').insert(0, 'a')
    const base = Y.encodeStateAsUpdate(a)
    a.getText('t').insert(1, 'b')
    const next = Y.encodeStateAsUpdate(a, Y.encodeStateVectorFromUpdate(base))
    Y.applyUpdate(b, Y.encodeStateAsUpdate(a))
    const beforeInsert = Y.encodeStateVector(b)
    b.getText('t').insert(2, 'c')
    const hanging = Y.diffUpdate(Y.encodeStateAsUpdate(b), beforeInsert)
    b.getText('t').delete(0, 1)
    const deleting = Y.diffUpdate(Y.encodeStateAsUpdate(b), Y.encodeStateVector(b))

    expect(document.judge(scanUpdate(next))).toEqual({ type: 'new', gap: '1:0' })
    expect(document.judge(scanUpdate(hanging))).toEqual({ type: 'new', gap: '1:1' })
    expect(document.judge(scanUpdate(deleting))).toEqual({ type: 'new', gap: '1:0' })
  })

  test('a deletion of something known is new once', () => {
    const document = new Document('d')
    const doc = new Y.Doc()
    doc.getText('t').insert(0, 'ab')
    commit(document, Y.encodeStateAsUpdate(doc), 1)
    doc.getText('t').delete(0, 1)
    const deletion = Y.encodeStateAsUpdate(doc, Y.encodeStateVector(doc))

    expect(document.judge(scanUpdate(deletion))).toEqual({ type: 'new', gap: null })
    commit(document, deletion, 2)
    expect(document.judge(scanUpdate(deletion))).toEqual({ type: 'known' })
  })
})

const ann = by({ user: 'ann', connection: 'run-1' })

function by(known: Partial<Author>): Author {
  return { user: null, connection: null, origin: 'client', ...known }
}

describe('the stored form', () => {
  test('a record keeps updates, authors and times', () => {
    const updates = [
      { update: Uint8Array.of(1, 2, 3), author: ann, timeMs: 1_790_000_000_123 },
      { update: Uint8Array.of(), author: null, timeMs: 1_790_000_000_123 },
      { update: Uint8Array.of(4), author: ann, timeMs: 1_790_000_000_126 },
      { update: Uint8Array.of(5), author: by({ connection: 'run-2' }), timeMs: 1_790_000_000_126 },
      { update: Uint8Array.of(6), author: by({ user: 'ä', origin: 'server' }), timeMs: 1_790_000_000_126 },
      { update: Uint8Array.of(7), author: by({ origin: 'load' }), timeMs: 1_790_000_000_127 }
    ]

    const record = encodeRecord(updates)

    expect(decodeRecord(record).map(each => ({ ...each, update: Uint8Array.from(each.update) }))).toEqual(
      updates
    )
    expect(Buffer.from(record).toString('latin1').split('run-1')).toHaveLength(2)
  })

  test('a clock that is set back between two updates does not set back the times of a record', () => {
    const at = (timeMs: number) => ({ update: Uint8Array.of(1), author: ann, timeMs })

    expect(decodeRecord(encodeRecord([at(500), at(20)])).map(({ timeMs }) => timeMs)).toEqual([500, 500])
  })

  test('a record of the first version is read', () => {
    const record = Uint8Array.of(1, 2, 200, 1, 1, 97, 2, 8, 9, 201, 1, 0, 1, 7)

    expect(decodeRecord(record)).toEqual([
      { timeMs: 200, author: by({ user: 'a', origin: 'server' }), update: Uint8Array.of(8, 9) },
      { timeMs: 201, author: null, update: Uint8Array.of(7) }
    ])
  })

  test('a record of the second version is read', () => {
    const record = Uint8Array.of(2, 200, 1, 3, 0, 0, 1, 97, 2, 8, 9, 1, 0, 0, 1, 7, 1, 1, 0)

    expect(decodeRecord(record)).toEqual([
      { timeMs: 200, author: by({ user: 'a', origin: 'server' }), update: Uint8Array.of(8, 9) },
      { timeMs: 201, author: null, update: Uint8Array.of(7) },
      { timeMs: 201, author: by({ user: 'a', origin: 'server' }), update: Uint8Array.of() }
    ])
  })

  test.each([
    ['203.0.113.7/AbC-_123-17', by({ connection: 'AbC-_123-17' })],
    ['2001:db8::7/AbC-_123-1', by({ connection: 'AbC-_123-1' })],
    ['fe80::1%eth0/AbC-_123-1', by({ connection: 'AbC-_123-1' })],
    ['::ffff:203.0.113.7/AbC-_123', by({ connection: 'AbC-_123' })],
    ['unknown/AbC-_123-1', by({ connection: 'AbC-_123-1' })],
    ['server', by({ origin: 'server' })],
    ['load', by({ origin: 'load' })],
    ['an agent', by({ user: 'an agent', origin: 'server' })],
    ['teams/AbC-_123-1', by({ user: 'teams/AbC-_123-1', origin: 'server' })]
  ])('of the name %s of an earlier record, the address is left out', (name, author) => {
    const bytes = Buffer.from(name)

    expect(decodeRecord(Uint8Array.of(1, 1, 0, bytes.length, ...bytes, 0))).toMatchObject([{ author }])
    expect(decodeRecord(Uint8Array.of(2, 0, 1, 0, 0, bytes.length, ...bytes, 0))).toMatchObject([{ author }])
  })

  test('a record of the third version, byte by byte', () => {
    const updates = [
      { update: Uint8Array.of(8), author: by({ user: 'ann', connection: 'r-1' }), timeMs: 200 },
      { update: Uint8Array.of(9), author: by({ origin: 'load' }), timeMs: 201 },
      { update: Uint8Array.of(7), author: null, timeMs: 201 }
    ]

    expect(Buffer.from(encodeRecord(updates)).toString('hex')).toBe(
      '03c80103' + '000031' + '03616e6e' + '03722d31' + '0108' + '010003' + '0109' + '010000' + '0107'
    )
  })

  test('an author that a record does not name is refused', () => {
    expect(() => decodeRecord(Uint8Array.of(2, 0, 1, 0, 1, 1, 9))).toThrow('author 1')
    expect(() => decodeRecord(Uint8Array.of(3, 0, 1, 0, 1, 1, 9))).toThrow('author 1')
  })

  test('an origin that only a later version knows leaves the update with an unknown author', () => {
    const record = Uint8Array.of(3, 0, 1, 0, 0, 0x1e, 1, 97, 1, 9)

    expect(decodeRecord(record)).toEqual([{ timeMs: 0, author: null, update: Uint8Array.of(9) }])
    expect(() => decodeRecord(Uint8Array.of(3, 0, 1, 0, 0, 0x41, 1, 9))).toThrow('marks 65')
  })

  test('a record of another version or cut short is refused', () => {
    const record = encodeRecord([{ update: Uint8Array.of(1), author: ann, timeMs: 1 }])

    expect(() => decodeRecord(Uint8Array.of(9, ...record.subarray(1)))).toThrow('version 9')
    for (let end = 0; end < record.length; end++)
      expect(() => decodeRecord(record.subarray(0, end))).toThrow()
  })

  test('checkpoint metadata survives its encoding', () => {
    const structs = ClockRuns.from([{ client: 5, clock: 0, length: 10 }])
    const deletes = ClockRuns.from([{ client: 5, clock: 2, length: 1 }])
    const segmentEnds = [new Map([[5, 4]]), new Map([[5, 10]])]

    const meta = decodeCheckpointMeta(
      encodeCheckpointMeta({ layout: 'causal', structs, deletes, bytes: 123, segmentEnds })
    )

    expect(meta.layout).toBe('causal')
    expect(meta.bytes).toBe(123)
    expect(meta.segmentEnds).toEqual(segmentEnds)
    expect(meta.structs.equals(structs) && meta.deletes.equals(deletes)).toBe(true)
  })

  test('what cannot be read in the log is reported, and the rest is there', async () => {
    const { doc, updates } = typing(3)
    const records = updates.map((update, i) => ({
      sequence: i + 1,
      identity: singleWriter,
      record: encodeRecord([{ update, author: ann, timeMs: 0 }])
    }))
    const loaded: LoadedDocument = {
      incarnation: '1',
      head: 5,
      checkpoint: null,
      damaged: [],
      tombstone: null,
      floor: null,
      records: [
        ...records,
        { sequence: 4, identity: singleWriter, record: Uint8Array.of(99) },
        {
          sequence: 5,
          identity: singleWriter,
          record: encodeRecord([{ update: Uint8Array.of(1, 1), author: ann, timeMs: 0 }])
        }
      ]
    }

    const { document, unreadable } = await openDocument('d', loaded, async () => {})

    const fresh = new Y.Doc()
    drain(new JoinCursor([], planJoin(document, new Map())), fresh)
    expect(bytesOf(fresh)).toBe(bytesOf(doc))
    expect(unreadable.map(each => each.sequence)).toEqual([4, 5])
  })

  test('a large record, such as one of a document that cannot be compacted, is opened in slices', async () => {
    const update = hostileUpdate(100_000)
    const record = encodeRecord([{ update, author: null, timeMs: 0 }])
    const loaded = { checkpoint: null, records: [{ sequence: 1, record }] }
    let breaths = 0

    const { document } = await openDocument('d', loaded, async () => {
      breaths++
    })

    expect(breaths).toBeGreaterThanOrEqual(Math.floor(update.length / (256 * 1024)))
    expect(document.clientEnds()).toEqual(
      new Map([
        [1, 100_000],
        [2, 100_000]
      ])
    )
  })
})

describe('a joiner', () => {
  test('is sent a number of updates that does not grow with the keystrokes', () => {
    const document = new Document('d')
    const { doc, updates } = typing(20_000)
    for (const [i, update] of updates.entries()) commit(document, update, i + 1)

    const cursor = new JoinCursor([], planJoin(document, new Map()))
    const fresh = new Y.Doc()
    let count = 0
    for (let update = cursor.next(); update !== null; update = cursor.next()) {
      count++
      Y.applyUpdate(fresh, update)
    }

    expect(bytesOf(fresh)).toBe(bytesOf(doc))
    expect(count).toBeLessThan(200)
  })

  test('that has everything is sent nothing but what it does not tell it has', () => {
    const document = new Document('d')
    const { doc, updates } = typing(500)
    for (const [i, update] of updates.entries()) commit(document, update, i + 1)
    const vector = decodeStateVector(Y.encodeStateVector(doc), { clientsMax: 9 })

    const plan = planJoin(document, vector)

    expect(plan.awaitsDeletes).toBe(true)
    expect(new JoinCursor([], plan).next()).toBe(null)
  })

  test('that has most of a large update is sent the rest of it', () => {
    const document = new Document('d')
    const doc = new Y.Doc()
    for (let i = 0; i < 2_000; i++) doc.getArray('a').push([`item number ${i}`])
    const before = Y.encodeStateVector(doc)
    doc.getArray('a').push(['the last one'])
    const whole = Y.encodeStateAsUpdate(doc)
    commit(document, whole, 1)

    const cursor = new JoinCursor([], planJoin(document, decodeStateVector(before, { clientsMax: 9 })))
    const update = cursor.next()

    expect(update?.length).toBeLessThan(whole.length / 100)
    expect(cursor.next()).toBe(null)
    const behind = new Y.Doc()
    Y.applyUpdate(behind, Y.diffUpdate(whole, new Uint8Array([0])))
    Y.applyUpdate(behind, update ?? new Uint8Array())
    expect(bytesOf(behind)).toBe(bytesOf(doc))
  })

  test(`reads on to the end wherever it stands, while the tail grows, is merged and is compacted (seed ${seed})`, () => {
    const random = randomFrom(seed)
    const document = new Document('d')
    const { doc, updates } = typing(3_000, random)
    let log: { update: Uint8Array; sequence: number }[] = []
    let segments: readonly Uint8Array[] = []
    const joiners: { cursor: JoinCursor; doc: Y.Doc }[] = []
    for (const [i, update] of updates.entries()) {
      commit(document, update, i + 1)
      log.push({ update, sequence: i + 1 })
      if (random() < 0.01) {
        const plan = planJoin(document, new Map())
        const fromCheckpoint =
          plan.fromCheckpoint.type === 'segments' ? (plan.fromCheckpoint.checkpoint.segments ?? []) : []
        joiners.push({ cursor: new JoinCursor(fromCheckpoint, plan), doc: new Y.Doc() })
      }
      for (const joiner of joiners) {
        const next = random() < 0.05 ? joiner.cursor.next() : null
        if (next !== null) Y.applyUpdate(joiner.doc, next)
      }
      if (random() < 0.005) {
        // Up to a record that is not the last one, as when updates arrive during the compaction.
        const until = Math.max(1, log.length - Math.floor(random() * 100))
        const merged = log.slice(0, until)
        const carried = merged.filter(() => random() < 0.02)
        const result = compactDocument({ segments, entries: merged.map(entry => entry.update) })
        segments = result.segments
        log = [...carried, ...log.slice(until)]
        const checkpoint = createCheckpoint(i, result.meta, segments)
        document.restore(checkpoint, result.meta)
        document.tail.compacted(
          merged.at(-1)?.sequence ?? 0,
          carried.map(entry => ({ ...entry, scan: scanUpdate(entry.update) }))
        )
      }
    }

    for (const joiner of joiners) drain(joiner.cursor, joiner.doc)

    expect(joiners.length).toBeGreaterThan(5)
    for (const joiner of joiners) expect(bytesOf(joiner.doc)).toBe(bytesOf(doc))
    expect(document.tail.records).toBeLessThan(updates.length)
  })
})
