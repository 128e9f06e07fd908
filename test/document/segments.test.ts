/** Cutting a document into segments and into held-back frames, against Yjs. */
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { heldBackFrames } from '../../src/document/held-back.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { cutSegments, joinSegments } from '../../src/document/segments.ts'
import { diffUpdate } from '../../src/document/splice.ts'
import { canonicalState, createHistory, createRandom, docOf, seed, shuffled } from './random-docs.ts'

const rounds = Number(process.env.ROUNDS ?? 30)

/** What the pending fields say, which Yjs keeps on the store. */
function isPending(doc: Y.Doc): boolean {
  return doc.store.pendingStructs !== null || doc.store.pendingDs !== null
}

describe(`cutSegments (seed ${seed})`, () => {
  it('gives segments that apply in order, never leave anything pending and add up to the same bytes', () => {
    for (let round = 0; round < rounds; round++) {
      const random = createRandom(seed + round)
      const gc = random.next() < 0.5
      const { updates } = createHistory(random, { clients: 1 + random.below(5), steps: 150, gc })
      const whole = Y.encodeStateAsUpdate(docOf(updates))
      const loaded = new Y.Doc({ gc })
      Y.applyUpdate(loaded, whole)

      const segments = cutSegments(whole, { segmentBytes: 40 + random.below(300) })

      const doc = new Y.Doc({ gc })
      const vector = new Map<number, number>()
      for (const segment of segments) {
        for (const [client, clock] of segment.ends) vector.set(client, clock)
        scanUpdate(segment.update)
        Y.applyUpdate(doc, segment.update)
        expect(isPending(doc), `seed ${seed + round}`).toBe(false)
        expect(Y.decodeStateVector(Y.encodeStateVector(doc))).toEqual(vector)
      }
      expect(Y.encodeStateAsUpdate(doc), `seed ${seed + round}`).toEqual(Y.encodeStateAsUpdate(loaded))
      expect(canonicalState(docOf([joinSegments(segments.map(segment => segment.update))]))).toBe(
        canonicalState(loaded)
      )
    }
  })

  it('cuts a long string between code points, and Yjs makes it whole again', () => {
    const doc = new Y.Doc()
    doc.getText('t').insert(0, '😀é漢a'.repeat(5000))
    const whole = Y.encodeStateAsUpdate(doc)

    const segments = cutSegments(whole, { segmentBytes: 1000 })

    expect(segments.length).toBeGreaterThan(40)
    for (const { update } of segments) expect(update.length).toBeLessThan(1064)
    expect(Y.encodeStateAsUpdate(docOf(segments.map(segment => segment.update)))).toEqual(whole)
    expect(Y.encodeStateAsUpdate(docOf([joinSegments(segments.map(segment => segment.update))]))).toEqual(
      whole
    )
  })

  it('keeps an indivisible struct whole', () => {
    const doc = new Y.Doc()
    doc.getMap('m').set('k', new Uint8Array(5000))

    const segments = cutSegments(Y.encodeStateAsUpdate(doc), { segmentBytes: 1000 })

    expect(segments).toHaveLength(1)
  })

  it('makes one empty segment of an empty document', () => {
    const [segment] = cutSegments(new Uint8Array([0, 0]))

    expect([...(segment?.update ?? [])]).toEqual([0, 0])
  })

  it('survives references that go in a circle', () => {
    const circle = new Uint8Array([2, 1, 2, 0, 0x84, 1, 0, 1, 0x61, 1, 1, 0, 0x84, 2, 0, 1, 0x62, 0])
    scanUpdate(circle)

    const [segment] = cutSegments(circle)

    expect(segment?.update).toEqual(circle)
  })

  it('keeps deletions of structs that it does not hold', () => {
    const update = new Uint8Array([0, 1, 5, 1, 0, 3])

    const segments = cutSegments(update)

    expect(segments.map(segment => segment.update)).toEqual([update])
  })
})

describe(`heldBackFrames (seed ${seed})`, () => {
  it('shows nothing before the last frame, and everything with it in one transaction', () => {
    for (let round = 0; round < rounds; round++) {
      const random = createRandom(seed + round)
      const { updates, docs } = createHistory(random, { clients: 1 + random.below(4), steps: 120 })
      const client = docOf(random.next() < 0.4 ? [] : [Y.encodeStateAsUpdate(random.pick(docs))])
      const whole = Y.encodeStateAsUpdate(docOf(updates))
      const expected = canonicalState(docOf([Y.encodeStateAsUpdate(client), whole]))
      const diff = diffUpdate(whole, Y.decodeStateVector(Y.encodeStateVector(client)))

      const frames = heldBackFrames(diff, 50 + random.below(500))

      const before = Y.encodeStateVector(client)
      let transactions = 0
      client.on('afterTransaction', transaction => {
        if (transaction.changed.size > 0) transactions++
      })
      for (const frame of frames) {
        scanUpdate(frame)
        expect(transactions, `seed ${seed + round}`).toBe(0)
        expect(Y.encodeStateVector(client)).toEqual(before)
        Y.applyUpdate(client, frame)
      }
      expect(transactions).toBeLessThanOrEqual(1)
      expect(isPending(client)).toBe(false)
      expect(canonicalState(client), `seed ${seed + round}`).toBe(expected)
    }
  })

  it('leaves an update that fits one frame as it is', () => {
    const update = new Uint8Array([0, 0])

    expect(heldBackFrames(update, 100)).toEqual([update])
  })

  it('calls a deep observer once', () => {
    const random = createRandom(seed)
    const { updates } = createHistory(random, { clients: 3, steps: 200 })
    const whole = Y.encodeStateAsUpdate(docOf(shuffled(random, updates)))
    const client = new Y.Doc()
    let calls = 0
    client.getText('text').observeDeep(() => calls++)

    for (const frame of heldBackFrames(whole, 200)) Y.applyUpdate(client, frame)

    expect(calls).toBe(1)
  })
})
