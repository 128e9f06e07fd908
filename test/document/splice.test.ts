/** Union and difference of updates, against Yjs. */
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { scanUpdate } from '../../src/document/scan.ts'
import { diffUpdate, mergeUpdates } from '../../src/document/splice.ts'
import {
  canonicalState,
  createHistory,
  createRandom,
  docAtOnce,
  docOf,
  type Random,
  seed,
  shuffled
} from './random-docs.ts'

const rounds = Number(process.env.ROUNDS ?? 30)

/** Random groups that may overlap, each merged; groups of groups now and then. */
function mergedInGroups(random: Random, updates: readonly Uint8Array[]): Uint8Array[] {
  const groups: Uint8Array[] = []
  for (let from = 0; from < updates.length; ) {
    const size = 1 + random.below(12)
    groups.push(
      mergeUpdates(shuffled(random, updates.slice(Math.max(0, from - random.below(3)), from + size)))
    )
    from += size
  }
  return random.next() < 0.5 && groups.length > 1 ? mergedInGroups(random, groups) : groups
}

describe(`mergeUpdates (seed ${seed})`, () => {
  it('means what the updates mean one by one, in any order and grouping', () => {
    for (let round = 0; round < rounds; round++) {
      const random = createRandom(seed + round)
      const textOnly = random.next() < 0.5
      const { updates } = createHistory(random, { clients: 1 + random.below(4), steps: 60, textOnly })

      const merged = mergeUpdates(shuffled(random, updates))
      const grouped = mergedInGroups(random, updates)

      scanUpdate(merged)
      const expected = canonicalState(docOf(updates))
      expect(canonicalState(docOf([merged])), `seed ${seed + round}`).toBe(expected)
      expect(canonicalState(docOf(shuffled(random, grouped))), `seed ${seed + round}`).toBe(expected)
    }
  })

  it('integrates into documents that know a part of it already, concurrent inserts between included', () => {
    for (let round = 0; round < rounds; round++) {
      const random = createRandom(seed + round)
      const { updates } = createHistory(random, { clients: 3, steps: 60, textOnly: true, syncRate: 0.35 })
      const some = updates.filter(() => random.next() < 0.5)

      const known = docOf(some)
      Y.applyUpdate(known, mergeUpdates(updates))

      expect(canonicalState(known), `seed ${seed + round}`).toBe(canonicalState(docOf(updates)))
    }
  })

  it('keeps what hangs on something missing', () => {
    for (let round = 0; round < rounds; round++) {
      const random = createRandom(seed + round)
      const { updates } = createHistory(random, { clients: 3, steps: 60 })
      const early = updates.filter(() => random.next() < 0.7)

      const doc = docOf([mergeUpdates(early)])
      const unmerged = docAtOnce(early)

      expect(Y.encodeStateVector(doc)).toEqual(Y.encodeStateVector(unmerged))
      expect(doc.getText('text').toString()).toBe(unmerged.getText('text').toString())
      for (const update of updates) if (!early.includes(update)) Y.applyUpdate(doc, update)
      expect(canonicalState(doc), `seed ${seed + round}`).toBe(canonicalState(docOf(updates)))
    }
  })

  it('leaves strings as they are: one whose origin is an entry of a map is replaced by the next', () => {
    // Seed 88764781 once made Yjs throw: a forged string followed an entry of a map, and the next one was joined to it.
    const forged = Buffer.from('0101cace97cf0a0984cace97cf0a040678f09f98807900', 'hex')
    const { updates } = createHistory(createRandom(88764781), { clients: 3, steps: 30 })
    const all = [...updates, forged]

    const merged = mergeUpdates(all)

    expect(canonicalState(docOf([merged]))).toBe(canonicalState(docOf([Y.mergeUpdates(all)])))
    expect(Y.decodeUpdate(merged).structs).toHaveLength(Y.decodeUpdate(Y.mergeUpdates(all)).structs.length)
  })

  it('fills a gap with a Skip that the next merge removes', () => {
    const doc = new Y.Doc()
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    for (const letter of 'abc') doc.getText('t').insert(doc.getText('t').length, letter)
    const [a, b, c] = updates

    const gap = mergeUpdates([a, c] as Uint8Array[])
    const whole = mergeUpdates([gap, b] as Uint8Array[])

    expect(scanUpdate(gap).structs).toEqual([
      { client: doc.clientID, clock: 0, length: 1 },
      { client: doc.clientID, clock: 2, length: 1 }
    ])
    expect(whole).toEqual(Y.mergeUpdates(updates))
    expect(docOf([whole]).getText('t').toString()).toBe('abc')
  })

  it('does not join values of a map key, of which the later replaces the earlier', () => {
    const doc = new Y.Doc()
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    doc.getMap('m').set('k', 1)
    doc.getMap('m').set('k', 2)

    const fresh = docOf([mergeUpdates(updates)])

    expect(fresh.getMap('m').toJSON()).toEqual({ k: 2 })
  })

  it('unites and sorts deletions', () => {
    const one = new Uint8Array([0, 1, 5, 2, 9, 1, 0, 3])
    const two = new Uint8Array([0, 2, 4, 1, 0, 1, 5, 1, 2, 7])

    expect([...mergeUpdates([one, two])]).toEqual([0, 2, 5, 1, 0, 10, 4, 1, 0, 1])
  })
})

describe(`diffUpdate (seed ${seed})`, () => {
  it('brings a document at the vector to the same state as Y.diffUpdate', () => {
    for (let round = 0; round < rounds; round++) {
      const random = createRandom(seed + round)
      const { updates, docs } = createHistory(random, { clients: 3, steps: 60, gc: random.next() < 0.5 })
      const whole = random.next() < 0.5 ? Y.encodeStateAsUpdate(docOf(updates)) : mergeUpdates(updates)
      const behind = docOf([Y.encodeStateAsUpdate(random.pick(docs))])
      const vector = Y.decodeStateVector(Y.encodeStateVector(behind))

      const diff = diffUpdate(whole, vector)

      scanUpdate(diff)
      const theirs = docOf([Y.encodeStateAsUpdate(behind), Y.diffUpdate(whole, Y.encodeStateVector(behind))])
      Y.applyUpdate(behind, diff)
      expect(canonicalState(behind), `seed ${seed + round}`).toBe(canonicalState(theirs))
    }
  })

  it('cuts at any clock as Yjs does, surrogate pairs and updates with gaps included', () => {
    for (let round = 0; round < rounds; round++) {
      const random = createRandom(seed + round)
      const { updates } = createHistory(random, { clients: 2, steps: 40 })
      const whole = mergeUpdates(updates.filter(() => random.next() < 0.8))
      const vector = new Map<number, number>()
      for (const range of scanUpdate(whole).structs) {
        vector.set(range.client, random.below(range.clock + range.length + 2))
      }

      const diff = diffUpdate(whole, vector)

      const expected = Y.diffUpdate(whole, Y.encodeStateVector(vector))
      expect(levelled(diff), `seed ${seed + round}`).toBe(levelled(expected))
    }
  })
})

/** Yjs forgets "has a key" where the origin says it already; its merge with nothing levels that. */
function levelled(update: Uint8Array): string {
  return Buffer.from(Y.mergeUpdates([update, new Uint8Array([0, 0])])).toString('hex')
}
