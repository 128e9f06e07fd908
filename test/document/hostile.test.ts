/** Updates that pass the scan but that no honest client wrote: everything built on the scan must bear them. */
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { compactDocument } from '../../src/document/compact.ts'
import { heldBackFrames } from '../../src/document/held-back.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { cutSegments } from '../../src/document/segments.ts'
import { diffUpdate, mergeUpdates } from '../../src/document/splice.ts'
import { createHistory, createRandom, docOf, mutate, type Random, seed } from './random-docs.ts'

const fuzzMs = Number(process.env.FUZZ_MS ?? 2500)

/** Calls `check` for mutated updates that the scan accepts, beside the honest ones, until the time is up. */
function forMutations(check: (random: Random, mutated: Uint8Array, honest: Uint8Array[]) => void): void {
  const until = Date.now() + fuzzMs
  for (let round = 0; Date.now() < until; round++) {
    const random = createRandom(seed + round)
    const { updates } = createHistory(random, { clients: 3, steps: 30 })
    for (const update of [...updates, Y.mergeUpdates(updates)]) {
      const mutated = mutate(random, update)
      if (!isAccepted(mutated)) continue
      try {
        check(random, mutated, updates)
      } catch (cause) {
        throw new Error(`seed ${seed + round}, update ${Buffer.from(mutated).toString('hex')}`, { cause })
      }
    }
  }
}

function isAccepted(update: Uint8Array): boolean {
  try {
    scanUpdate(update)
    return true
  } catch {
    return false
  }
}

/** The updates scan, and Yjs applies them. */
function expectReadable(updates: readonly Uint8Array[]): void {
  for (const update of updates) scanUpdate(update)
  Y.encodeStateAsUpdate(docOf(updates))
}

/**
 * Two histories of one client contradict each other when the mutation gives a struct another place, and then Yjs may
 * throw whoever merges them. That is what compaction's quarantine is for; here it says nothing about our merging.
 */
function isBearable(updates: readonly Uint8Array[]): boolean {
  try {
    Y.encodeStateAsUpdate(docOf([Y.mergeUpdates([...updates])]))
    return true
  } catch {
    return false
  }
}

describe(`mutated updates (seed ${seed})`, () => {
  it('merge, split and hold back into updates that can be read', () => {
    forMutations((random, mutated, honest) => {
      const vector = new Map<number, number>()
      for (const { client, clock } of scanUpdate(mutated).structs) vector.set(client, clock + random.below(4))

      for (const updates of [
        [...honest, mutated],
        [mutated, ...honest]
      ]) {
        if (isBearable(updates)) expectReadable([mergeUpdates(updates)])
      }
      expectReadable([diffUpdate(mutated, vector)])
      expectReadable(heldBackFrames(mutated, 40))
      expectReadable(cutSegments(mutated, { segmentBytes: 64 }).map(segment => segment.update))
    })
  })

  it('compact, and none of them is lost', () => {
    forMutations((_, mutated, honest) => {
      const sizes = { wholeBytesMax: 0, heldBackBytesMax: 0, segmentBytes: 100 }

      const { merged, pending, refused } = compactDocument({
        segments: [],
        entries: [...honest, mutated],
        sizes
      })

      expect(merged.length + pending.length + refused.length).toBe(honest.length + 1)
    })
  })
})
