/** Updates made to cost more than their bytes: each costs about what ordinary ones of its size do, or is refused. */
import { describe, expect, it } from 'vitest'
import { ByteWriter } from '../../src/document/byte-writer.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { compactDocument, typeDepthMax } from '../../src/document/compact.ts'
import { Document } from '../../src/document/document.ts'
import { createScanner, scanUpdate } from '../../src/document/scan.ts'
import { cutSegments } from '../../src/document/segments.ts'
import { mergeUpdates } from '../../src/document/splice.ts'
import { hugeWorkMs, workMsOf } from '../support/cpu.ts'

const count = 100_000

function written(...parts: readonly (number | readonly number[])[]): Uint8Array {
  const writer = new ByteWriter(count * 8)
  for (const part of parts) {
    if (typeof part === 'number') writer.writeVarUint(part)
    else for (const each of part) writer.writeVarUint(each)
  }
  return writer.toUint8Array()
}

/** `each` for every index, one after the other. */
function numbers(each: (index: number) => readonly number[], from = count): number[] {
  const all: number[] = []
  for (let i = 0; i < from; i++) all.push(...each(i))
  return all
}

/** GC and Skip in turn: one run for each GC. */
const alternating = numbers(i => (i % 2 === 0 ? [0, 1] : [10, 1]))
const shuffled = (i: number) => (i * 7_919) % count

const floods: readonly (readonly [string, () => Uint8Array])[] = [
  [
    'deletions in order',
    () =>
      written(
        0,
        1,
        7,
        count,
        numbers(i => [2 * i, 1])
      )
  ],
  [
    'deletions backwards',
    () =>
      written(
        0,
        1,
        7,
        count,
        numbers(i => [2 * (count - i), 1])
      )
  ],
  [
    'deletions at random',
    () =>
      written(
        0,
        1,
        7,
        count,
        numbers(i => [2 * shuffled(i), 1])
      )
  ],
  [
    'deletions that contain one another',
    () =>
      written(
        0,
        1,
        7,
        count,
        numbers(i => [count - i, 2 * i + 1])
      )
  ],
  [
    'one deletion of each of many clients',
    () =>
      written(
        0,
        count,
        numbers(i => [count - i, 1, 0, 1])
      )
  ],
  [
    'clients without deletions',
    () =>
      written(
        0,
        count,
        numbers(i => [count - i, 0])
      )
  ],
  [
    'one struct of each of many clients',
    () =>
      written(
        count,
        numbers(i => [1, count - i, 0, 0, 1]),
        0
      )
  ],
  ['structs and gaps in turn', () => written(1, count, 7, 0, alternating, 0)],
  [
    'structs and gaps in turn, deleted backwards',
    () =>
      written(
        1,
        count,
        7,
        0,
        alternating,
        1,
        7,
        count / 2,
        numbers(i => [count - 2 - 2 * i, 1], count / 2)
      )
  ],
  [
    'structs that each hang on another client',
    () =>
      written(
        1,
        count,
        7,
        0,
        numbers(i => [0x44, 1_000 + i, i, 1, 0x78]),
        0
      )
  ]
]

describe('a flood of 100,000', () => {
  // Quadratic work over so many takes minutes.
  it.each(floods)('%s is judged, taken, merged and cut in time', async (_, make) => {
    const update = make()
    const document = new Document('room')

    const workMs = await workMsOf(() => {
      const scanned = { update, scan: scanUpdate(update) }
      document.judge(scanned.scan)
      document.hold(scanned)
      document.judge(scanned.scan)
      document.settle(1, 1)
      document.stateVector()
      scanUpdate(mergeUpdates([update, Uint8Array.of(0, 0), update]))
      cutSegments(update)
    })

    expect(workMs).toBeLessThan(hugeWorkMs)
  })

  it('between those of another costs a pass over both', async () => {
    const odd = scanUpdate(
      written(
        0,
        1,
        7,
        count,
        numbers(i => [4 * i, 1])
      )
    )
    const even = scanUpdate(
      written(
        0,
        1,
        7,
        count,
        numbers(i => [4 * (count - i) + 2, 1])
      )
    )
    const runs = new ClockRuns()

    const workMs = await workMsOf(() => {
      runs.addAll(odd.deletes)
      runs.addAll(even.deletes)
    })

    expect(runs.runCount).toBe(2 * count)
    expect(workMs).toBeLessThan(hugeWorkMs)
  })
})

describe('updateRangesMax', () => {
  const tooLarge = expect.objectContaining({ code: 'ERR_UPDATE_TOO_LARGE' })

  it('counts what an update brings, deletes and hangs on, together', () => {
    const structs = written(1, 5, 7, 0, [0, 1, 10, 1, 0, 1, 10, 1, 0, 1], 0)
    const deletes = written(0, 2, 9, 2, [5, 1, 1, 1], 8, 1, [0, 9])
    const references = written(
      1,
      3,
      7,
      0,
      numbers(i => [0x44, 20 + i, 0, 1, 0x78], 3),
      0
    )

    for (const update of [structs, deletes, references]) {
      expect(() => scanUpdate(update, { rangesMax: 3 })).not.toThrow()
      expect(() => scanUpdate(update, { rangesMax: 2 })).toThrow(tooLarge)
    }
  })

  it('ends the scan of too many clients at the number that announces them', () => {
    const structs = written(
      count,
      numbers(i => [1, count - i, 0, 0, 1]),
      0
    )
    const deletes = written(
      0,
      count,
      numbers(i => [count - i, 1, 0, 1])
    )

    expect(() => createScanner(structs, { clientsMax: count })).not.toThrow()
    expect(() => createScanner(structs, { clientsMax: count - 1 })).toThrow(tooLarge)
    expect(() => createScanner(deletes, { clientsMax: count - 1 }).step(1)).toThrow(tooLarge)
  })

  it('ends the scan before what is beyond it is kept', () => {
    const scanner = createScanner(
      written(
        0,
        1,
        7,
        count,
        numbers(i => [2 * i, 1])
      ),
      { rangesMax: 1_000 }
    )

    expect(() => scanner.step(8_000)).toThrow(tooLarge)
  })

  it('does not stand for deletions in no order: they are sorted at one go, so fewer are taken', () => {
    const backwards = written(
      0,
      1,
      7,
      131_074,
      numbers(i => [2 * (131_074 - i), 1], 131_074)
    )

    expect(() => scanUpdate(backwards)).toThrow(expect.objectContaining({ code: 'ERR_UPDATE_MALFORMED' }))
  })

  it('gives the ranges of a client that came in no order as those that came in order', () => {
    const update = written(0, 3, 9, 4, [5, 1, 1, 2, 2, 4, 9, 1], 8, 2, [0, 2, 1, 9], 7, 2, [4, 1, 0, 1])

    expect(scanUpdate(update).deletes).toEqual([
      { client: 9, clock: 1, length: 5 },
      { client: 9, clock: 9, length: 1 },
      { client: 8, clock: 0, length: 10 },
      { client: 7, clock: 0, length: 1 },
      { client: 7, clock: 4, length: 1 }
    ])
  })

  it('does not count ranges that Yjs would have written as one', () => {
    const update = written(
      0,
      1,
      7,
      100,
      numbers(i => [i, 1], 100)
    )

    expect(scanUpdate(update, { rangesMax: 1 }).deletes).toEqual([{ client: 7, clock: 0, length: 100 }])
  })
})

describe('types nested deeper than any client could delete', () => {
  /** Each the only element of the one before it. */
  const nested = (depth: number) =>
    written(
      1,
      depth,
      77,
      0,
      [7, 1, 1, 0x74, 0],
      numbers(i => [7, 0, 77, i, 0], depth - 1),
      0
    )
  const deletion = written(0, 1, 77, 1, 0, 1)

  it('are set aside when they came one after the other, at the one that goes too far', () => {
    const entries = Array.from({ length: typeDepthMax + 1 }, (_, i) =>
      i === 0 ? nested(1) : written(1, 1, 77, i, [7, 0, 77, i - 1, 0], 0)
    )

    const { merged, refused } = compactDocument({ segments: [], entries })

    expect(refused.map(({ index }) => index)).toEqual([typeDepthMax])
    expect(merged).toHaveLength(typeDepthMax)
  })

  it('are no different from others up to the limit', () => {
    const { merged } = compactDocument({ segments: [], entries: [nested(typeDepthMax), deletion] })

    expect(merged).toEqual([0, 1])
  })
})
