/**
 * Properties of everything built on the scan, under updates that no honest client wrote. FUZZ_MS, if set, is the time for each;
 * SEED repeats a run.
 */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import * as Y from 'yjs'
import { compactDocument } from '../../src/document/compact.ts'
import { Document } from '../../src/document/document.ts'
import { heldBackFrames } from '../../src/document/held-back.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { cutSegments } from '../../src/document/segments.ts'
import { diffUpdate, mergeUpdates } from '../../src/document/splice.ts'
import { budget, damagedUpdate, emptyUpdate, writtenUpdate } from './hostile-updates.ts'
import { areApart, contentOf, exercise, isAccepted, isInYjsOrder } from './oracle.ts'
import { docOf, seed } from './random-docs.ts'

beforeEach(() => {
  // Yjs tells about what it cannot integrate.
  vi.spyOn(console, 'error').mockImplementation(() => {})
  vi.spyOn(console, 'warn').mockImplementation(() => {})
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** Up to four updates of the grammar, those that the scanner accepts. */
const accepted = fc.array(writtenUpdate, { minLength: 1, maxLength: 4 }).map(all => all.filter(isAccepted))

/** A damaged update that is accepted, in front of, within and behind the honest ones. */
const acceptedDamage = damagedUpdate.filter(({ update }) => isAccepted(update))

/** Whether Yjs itself can merge them: two histories of one client that contradict each other it may not. */
function isBearable(updates: readonly Uint8Array[]): boolean {
  try {
    exercise(updates)
    return true
  } catch {
    return false
  }
}

describe(`what the scanner accepts (SEED=${seed})`, () => {
  it('of written updates, Yjs reads, writes, merges and reads again', () => {
    fc.assert(
      fc.property(accepted, updates => exercise(updates)),
      budget()
    )
  })

  it('of damaged updates, Yjs reads, writes, merges and reads again, alone and in an existing document', () => {
    fc.assert(
      fc.property(acceptedDamage, ({ update, honest }) => {
        exercise([update])
        exercise([...honest.slice(0, 5), update, ...honest])
      }),
      budget(0.15)
    )
  })

  it('merges into what Yjs makes of it', () => {
    fc.assert(
      fc.property(accepted, updates => {
        if (!areApart(updates) || !updates.every(isInYjsOrder)) return
        const theirs = Y.mergeUpdates([...updates, emptyUpdate])
        const ours = mergeUpdates([...updates, emptyUpdate])

        scanUpdate(ours)
        expect(contentOf(docOf([ours]))).toBe(contentOf(docOf([theirs])))
      }),
      budget(4)
    )
  })

  it('is diffed into what Yjs makes of it', () => {
    const vectors = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(9)), { maxLength: 3 })
    fc.assert(
      fc.property(writtenUpdate.filter(isAccepted), vectors, (update, entries) => {
        const vector = new Map(entries)
        const theirs = Y.diffUpdate(update, Y.encodeStateVector(vector))
        const ours = diffUpdate(update, vector)

        scanUpdate(ours)
        expect(contentOf(docOf([ours]))).toBe(contentOf(docOf([theirs])))
      }),
      budget(4)
    )
  })

  it('is held back, and cut, into updates that say the same', () => {
    const updates = fc.oneof(
      writtenUpdate.filter(isAccepted),
      acceptedDamage.map(({ update }) => update)
    )
    fc.assert(
      fc.property(updates, update => {
        for (const parts of [
          heldBackFrames(update, 40),
          cutSegments(update, { segmentBytes: 64 }).map(segment => segment.update)
        ]) {
          for (const part of parts) scanUpdate(part)
          if (isBearable(parts)) expect(rootsOf(parts)).toEqual(rootsOf([update]))
        }
      }),
      budget(0.5)
    )
  })

  it('compacts, and none of it is lost', () => {
    fc.assert(
      fc.property(acceptedDamage, ({ update, honest }) => {
        const sizes = { wholeBytesMax: 0, heldBackBytesMax: 0, segmentBytes: 100 }

        const { merged, pending, refused } = compactDocument({
          segments: [],
          entries: [...honest, update],
          sizes
        })

        expect(merged.length + pending.length + refused.length).toBe(honest.length + 1)
      }),
      budget(0.3)
    )
  })

  it('is known once it was taken, and hangs on nothing that it brings', () => {
    fc.assert(
      fc.property(accepted, updates => {
        const document = new Document('room')
        for (const update of updates) {
          const scanned = { update, scan: scanUpdate(update) }
          document.hold(scanned)
          expect(document.judge(scanned.scan)).toEqual({ type: 'known' })
          document.settle(1, 1)
          expect(document.judge(scanned.scan)).toEqual({ type: 'known' })
        }
      }),
      budget(0.4)
    )
  })
})

function rootsOf(updates: readonly Uint8Array[]): string[] {
  return [...docOf(updates).share.keys()].sort()
}
