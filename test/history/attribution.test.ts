/** Who inserted and who deleted what, clock by clock, against the list of changes itself. */
import { describe, expect, test } from 'vitest'
import { ClockRuns } from '../../src/document/clocks.ts'
import type { ClockRange } from '../../src/document/scan.ts'
import { Attributions, nobody } from '../../src/history/attribution.ts'
import { type Change, ChangeCursor, encodeTimeline } from '../../src/history/timeline.ts'
import { createRandom, seed } from '../document/random-docs.ts'

function change(
  sequence: number,
  inserted: readonly ClockRange[],
  deleted: readonly ClockRange[] = []
): Change {
  const author = { user: `user ${sequence}`, connection: null, origin: 'client' as const }
  return { sequence, timeMs: sequence * 1_000, author, inserted, deleted }
}

function timelinesOf(changes: readonly Change[], before: ReadonlyMap<number, number> = new Map()) {
  return [new ChangeCursor(encodeTimeline({ before, changes }))]
}

describe(`attributions (seed ${seed})`, () => {
  test('name for every clock the change that inserted it, and the one that deleted it', () => {
    const random = createRandom(seed)
    const ends = [0, 0, 0]
    const deleted = new ClockRuns()
    const changes: Change[] = []
    const insertedBy = new Map<string, number>()
    const deletedBy = new Map<string, number>()
    for (let sequence = 1; sequence <= 200; sequence++) {
      const client = random.below(3)
      const insertion = { client, clock: ends[client] as number, length: 1 + random.below(4) }
      ends[client] = insertion.clock + insertion.length
      for (let at = 0; at < insertion.length; at++)
        insertedBy.set(`${client} ${insertion.clock + at}`, sequence)
      const other = random.below(3)
      const fresh = deleted.missing(other, random.below((ends[other] as number) + 1), 1 + random.below(3))
      const within = fresh.filter(({ clock, length }) => clock + length <= (ends[other] as number))
      deleted.addAll(within)
      for (const { clock, length } of within)
        for (let at = clock; at < clock + length; at++) deletedBy.set(`${other} ${at}`, sequence)
      changes.push(change(sequence, [insertion], within))
    }
    const all = new Attributions(timelinesOf(changes), [])
    for (const [client, end] of ends.entries()) {
      for (let clock = 0; clock < end; clock++) {
        const insertion = all.insertion(client, clock, end)
        expect(all.reason(insertion.by).sequence).toBe(insertedBy.get(`${client} ${clock}`))
        expect(insertedBy.get(`${client} ${insertion.end - 1}`)).toBe(all.reason(insertion.by).sequence)
        const deletion = all.deletion(client, clock, end)
        expect(deletion.by === nobody ? undefined : all.reason(deletion.by).sequence).toBe(
          deletedBy.get(`${client} ${clock}`)
        )
        expect(deletion.end).toBeGreaterThan(clock)
      }
    }
  })

  test('of what a restore has copied are those of the original, also of a copy of a copy', () => {
    const changes = [
      change(1, [{ client: 1, clock: 0, length: 5 }]),
      change(2, [{ client: 1, clock: 5, length: 5 }]),
      change(3, [{ client: 9, clock: 0, length: 6 }]),
      change(4, [{ client: 8, clock: 0, length: 2 }])
    ]
    const copies = [
      { client: 9, clock: 0, length: 6, ofClient: 1, ofClock: 2 },
      { client: 8, clock: 0, length: 2, ofClient: 9, ofClock: 2 }
    ]
    const all = new Attributions(timelinesOf(changes), copies)
    const insertion = (client: number, clock: number, most: number) => {
      const { by, end } = all.insertion(client, clock, most)
      return [all.reason(by).sequence, end]
    }
    expect(insertion(9, 0, 6)).toEqual([1, 3])
    expect(insertion(9, 3, 6)).toEqual([2, 6])
    expect(insertion(8, 0, 2)).toEqual([1, 1])
    expect(insertion(8, 1, 2)).toEqual([2, 2])
  })

  test('what is older than the history is nobody’s', () => {
    const changes = [change(1, [{ client: 1, clock: 10, length: 2 }])]
    const all = new Attributions(timelinesOf(changes, new Map([[1, 10]])), [])
    expect(all.insertion(1, 4, 12)).toEqual({ by: nobody, end: 10 })
    expect(all.insertion(2, 0, 3)).toEqual({ by: nobody, end: 3 })
  })
})
