/**
 * Restores as ordinary updates: the document is what it was, everybody agrees, and whoever typed offline keeps what they
 * typed. `RESTORES=4000` tries as many histories; CI tries a part of them.
 */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { ClockRuns } from '../../src/document/clocks.ts'
import { type CopyRun, type Restored, restore, undo } from '../../src/history/restore.ts'
import { createHistory, createRandom, type Random, seed } from '../document/random-docs.ts'
import { seen, withoutPairs } from './seen.ts'

const runs = Number(process.env.RESTORES ?? 150)

function docOf(...updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

/** As a server has it after a compaction: collected, one update. */
function stateOf(updates: readonly Uint8Array[]): Uint8Array {
  return Y.encodeStateAsUpdate(docOf(Y.encodeStateAsUpdate(docOf(...updates))))
}

function whatIsSeen(...updates: readonly Uint8Array[]): unknown {
  const { vector: _, ...rest } = seen(docOf(...updates))
  return withoutPairs(rest)
}

/** `log`: what the server has; `offline`: what one of the three has done since, and not sent. */
function historyOf(random: Random): { log: Uint8Array[]; offline: Uint8Array[]; target: number } {
  const { updates, docs } = createHistory(random, { clients: 3, steps: 120, syncRate: 0.3 })
  const all = stateOf(updates)
  const away = random.pick(docs)
  Y.applyUpdate(away, all, 'sync')
  const offline = updates.length
  for (let i = 0; i < 6; i++)
    away.getText('text').insert(random.below(away.getText('text').length + 1), 'off')
  away.getMap('map').set('offline', random.below(100))
  return { log: updates.slice(0, offline), offline: updates.slice(offline), target: random.below(offline) }
}

function restoredTo(log: readonly Uint8Array[], target: number, copies: readonly CopyRun[] = []): Restored {
  return restore({ past: stateOf(log.slice(0, target)), now: stateOf(log), copies })
}

function asUpdates({ update }: Restored): Uint8Array[] {
  return update === null ? [] : [update]
}

describe(`restores (seed ${seed})`, () => {
  test(`bring back what was, for everybody, and keep what somebody typed offline (${runs} histories)`, () => {
    for (let run = 0; run < runs; run++) {
      const random = createRandom(seed + run)
      const { log, offline, target } = historyOf(random)
      const back = asUpdates(restoredTo(log, target))
      const where = `seed ${seed + run}, to ${target} of ${log.length}`
      expect(whatIsSeen(stateOf(log), ...back), where).toEqual(whatIsSeen(...log.slice(0, target)))
      const one = seen(docOf(...log, ...back, ...offline))
      expect(seen(docOf(...log, ...offline, ...back)), where).toEqual(one)
      expect(seen(docOf(stateOf([...log, ...back]), ...offline)), where).toEqual(one)
      expect(JSON.stringify(one), where).toContain('off')
    }
  })

  test('can be restored themselves, and done again', () => {
    for (let run = 0; run < Math.ceil(runs / 2); run++) {
      const random = createRandom(seed + run)
      const { log, target } = historyOf(random)
      const first = restoredTo(log, target)
      const after = [...log, ...asUpdates(first)]
      const back = restoredTo(after, log.length, first.copies)
      const again = [...after, ...asUpdates(back)]
      expect(whatIsSeen(...again), `seed ${seed + run}`).toEqual(whatIsSeen(...log))
      const third = restoredTo(again, target, [...first.copies, ...back.copies])
      expect(whatIsSeen(...again, ...asUpdates(third)), `seed ${seed + run}`).toEqual(
        whatIsSeen(...log.slice(0, target))
      )
    }
  })

  test('write nothing when nothing has changed since, and next to nothing for what is there as a copy', () => {
    for (let run = 0; run < Math.ceil(runs / 2); run++) {
      const random = createRandom(seed + run)
      const { log, target } = historyOf(random)
      const first = restoredTo(log, target)
      const after = [...log, ...asUpdates(first)]
      const same = restoredTo(after, after.length, first.copies)
      expect(same.update, `seed ${seed + run}`).toBeNull()
      const second = restoredTo(after, target, first.copies)
      expect(whatIsSeen(...after, ...asUpdates(second)), `seed ${seed + run}`).toEqual(
        whatIsSeen(...log.slice(0, target))
      )
      expect(second.update?.length ?? 0, `seed ${seed + run}`).toBeLessThan(
        Math.max(64, first.update?.length ?? 0)
      )
    }
  })

  test('bring back the entry of a map that several others have replaced since', () => {
    const docs = [new Y.Doc(), new Y.Doc(), new Y.Doc()]
    const log: Uint8Array[] = []
    for (const [i, doc] of docs.entries()) {
      Y.applyUpdate(doc, stateOf(log))
      doc.getMap('map').set('key', i)
      log.push(Y.encodeStateAsUpdate(doc))
    }
    const back = asUpdates(restoredTo(log, 1))
    expect(
      docOf(stateOf(log), ...back)
        .getMap('map')
        .get('key')
    ).toBe(0)
  })

  test('take back what one did and leave what others did', () => {
    const [one, other] = [new Y.Doc(), new Y.Doc()]
    one.getText('text').insert(0, 'base text ')
    Y.applyUpdate(other, Y.encodeStateAsUpdate(one))
    const before = Y.encodeStateAsUpdate(one)
    const was = other.getText('text').length
    other.getText('text').insert(0, 'OTHER ')
    one.getText('text').insert(was, 'ONE ')
    other.getText('text').delete(6, 5)
    const deletedByOther = ClockRuns.from([{ client: one.clientID, clock: 0, length: 5 }])
    Y.applyUpdate(one, Y.encodeStateAsUpdate(other))
    expect(one.getText('text').toString()).toBe('OTHER text ONE ')
    const insertedByOther = ClockRuns.from([{ client: other.clientID, clock: 0, length: 6 }])
    const job = { content: before, now: Y.encodeStateAsUpdate(one), copies: [] }
    const { update } = undo({ ...job, inserted: insertedByOther, deleted: deletedByOther })
    expect(
      docOf(Y.encodeStateAsUpdate(one), update as Uint8Array)
        .getText('text')
        .toString()
    ).toBe('base text ONE ')
  })

  test('leave an entry of a map as others have set it after the one that is taken back', () => {
    const [one, other] = [new Y.Doc(), new Y.Doc()]
    one.getMap('map').set('key', 'first')
    const content = Y.encodeStateAsUpdate(one)
    Y.applyUpdate(other, content)
    other.getMap('map').set('key', 'second')
    Y.applyUpdate(one, Y.encodeStateAsUpdate(other))
    const byOther = {
      inserted: ClockRuns.from([{ client: other.clientID, clock: 0, length: 1 }]),
      deleted: ClockRuns.from([{ client: one.clientID, clock: 0, length: 1 }])
    }
    const result = () => {
      const now = Y.encodeStateAsUpdate(one)
      const back = asUpdates(undo({ content, now, copies: [], ...byOther }))
      return docOf(now, ...back)
        .getMap('map')
        .get('key')
    }
    expect(result()).toBe('first')
    one.getMap('map').set('key', 'third')
    expect(result()).toBe('third')
  })
})
