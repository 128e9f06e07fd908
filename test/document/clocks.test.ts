/** Sets of clocks, against plain sets of numbers; their encodings, against Yjs. */
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { ClockRuns } from '../../src/document/clocks.ts'
import { encodeDeleteSet } from '../../src/document/delete-set.ts'
import { encodeRuns, readRuns } from '../../src/document/run-bytes.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { decodeStateVector, encodeStateVector } from '../../src/document/state-vector.ts'
import { finish } from '../../src/document/steps.ts'
import { hugeWorkMs, workMsOf } from '../support/cpu.ts'
import { createRandom, type Random, seed } from './random-docs.ts'

type Model = Set<string>

function randomRuns(random: Random, count: number): { runs: ClockRuns; model: Model } {
  const runs = new ClockRuns()
  const model: Model = new Set()
  for (let i = 0; i < count; i++) {
    const client = random.below(3)
    const clock = random.below(60)
    const length = 1 + random.below(6)
    runs.add(client, clock, length)
    for (let at = clock; at < clock + length; at++) model.add(`${client}:${at}`)
  }
  return { runs, model }
}

function modelOf(runs: ClockRuns): Model {
  const model: Model = new Set()
  for (const { client, clock, length } of runs.ranges()) {
    for (let at = clock; at < clock + length; at++) model.add(`${client}:${at}`)
  }
  return model
}

describe(`ClockRuns (seed ${seed})`, () => {
  it('behaves as a set of clocks', () => {
    for (let round = 0; round < 300; round++) {
      const random = createRandom(seed + round)
      const a = randomRuns(random, random.below(25))
      const b = randomRuns(random, random.below(25))
      const united = a.runs.clone()
      united.addRuns(b.runs)

      expect(modelOf(a.runs), `seed ${seed + round}`).toEqual(a.model)
      expect(modelOf(united)).toEqual(new Set([...a.model, ...b.model]))
      expect(modelOf(a.runs.subtract(b.runs))).toEqual(
        new Set([...a.model].filter(clock => !b.model.has(clock)))
      )
      expect(modelOf(a.runs.intersect(b.runs))).toEqual(
        new Set([...a.model].filter(clock => b.model.has(clock)))
      )
      expect(a.runs.equals(b.runs)).toBe(
        a.runs.subtract(b.runs).clientCount + b.runs.subtract(a.runs).clientCount === 0
      )
      expect(ClockRuns.from(a.runs.ranges()).equals(a.runs)).toBe(true)
      expect(finish(readRuns(encodeRuns(a.runs))).equals(a.runs)).toBe(true)
      const range = { client: random.below(3), clock: random.below(60), length: 1 + random.below(9) }
      const probe = ClockRuns.from([range])
      const missing = a.runs.missing(range.client, range.clock, range.length)
      const covered = new ClockRuns()
      a.runs.copyCovered(covered, range.client, range.clock, range.length)
      expect(ClockRuns.from(missing).equals(probe.subtract(a.runs))).toBe(true)
      expect(covered.equals(probe.intersect(a.runs))).toBe(true)
      expect(a.runs.covers(range.client, range.clock, range.length)).toBe(missing.length === 0)
    }
  })

  it('keeps runs sorted, neither overlapping nor adjacent', () => {
    const runs = ClockRuns.from([
      { client: 1, clock: 5, length: 2 },
      { client: 1, clock: 0, length: 2 },
      { client: 1, clock: 9, length: 1 },
      { client: 1, clock: 2, length: 3 }
    ])

    expect(runs.runsOf(1)).toEqual([0, 7, 9, 10])
    expect(runs.runCount).toBe(2)
  })

  it('tells the state vector from the runs that begin at 0', () => {
    const runs = ClockRuns.from([
      { client: 1, clock: 0, length: 4 },
      { client: 1, clock: 6, length: 1 },
      { client: 2, clock: 1, length: 1 }
    ])

    expect([...runs.stateVector()]).toEqual([[1, 4]])
    expect([runs.prefixEnd(1), runs.prefixEnd(2), runs.prefixEnd(3)]).toEqual([4, 0, 0])
    expect([runs.end(1), runs.end(3)]).toEqual([7, 0])
    expect(runs.hasGaps).toBe(true)
    expect(ClockRuns.from([{ client: 1, clock: 0, length: 4 }]).hasGaps).toBe(false)
  })

  // Moving what is there each time is minutes of work for so many.
  it('adds at the end without moving anything', async () => {
    const runs = new ClockRuns()

    const workMs = await workMsOf(() => {
      for (let i = 0; i < 1_000_000; i++) runs.add(2 ** 40, i * 2, 1)
    })

    expect(runs.runCount).toBe(1_000_000)
    expect(workMs).toBeLessThan(hugeWorkMs)
  })
})

describe('encodings of clocks', () => {
  it('writes state vectors as Yjs does, and reads them back', () => {
    const vector = new Map([
      [7, 3],
      [2 ** 53 - 1, 2 ** 40],
      [900, 1]
    ])

    const encoded = encodeStateVector(vector)

    expect(encoded).toEqual(Y.encodeStateVector(vector))
    expect(decodeStateVector(encoded, { clientsMax: 3 })).toEqual(vector)
  })

  it.each([
    ['empty bytes', [], 10],
    ['a truncated one', [1, 5], 10],
    ['bytes left over', [0, 0], 10],
    ['more clients than allowed', [2, 1, 1, 2, 1], 1],
    ['a number beyond 2^53 - 1', [1, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10], 10]
  ])('refuses as a state vector: %s', (_, bytes, clientsMax) => {
    expect(() => decodeStateVector(Uint8Array.from(bytes), { clientsMax })).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_MESSAGE' })
    )
  })

  it('writes deletions as an update that scans to the same ranges', () => {
    const ranges = [
      { client: 9, clock: 4, length: 2 },
      { client: 3, clock: 0, length: 1 },
      { client: 3, clock: 5, length: 9 }
    ]

    expect(scanUpdate(encodeDeleteSet(ranges))).toEqual({ structs: [], deletes: ranges, dependencies: [] })
    expect(encodeDeleteSet(ClockRuns.from(ranges))).toEqual(encodeDeleteSet(ranges))
  })

  it('refuses runs of length 0', () => {
    expect(() => finish(readRuns(new Uint8Array([1, 1, 1, 0, 0])))).toThrow('not a run')
  })
})
