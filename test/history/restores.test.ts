/**
 * Restores as ordinary updates: the document is what it was, everybody agrees, and whoever typed offline keeps what they
 * typed. `RESTORES=4000` tries as many histories; CI tries a part of them.
 */
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { ClockRuns } from '../../src/document/clocks.ts'
import { mergeUpdates } from '../../src/document/splice.ts'
import { type CopyRun, type Restored, restore, undo } from '../../src/history/restore.ts'
import { createHistory, createRandom, type Random, seed } from '../document/random-docs.ts'
import { seen, withoutPairs } from './seen.ts'

const emptyUpdate = new Uint8Array([0, 0])
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

function whatIsSeen(...updates: readonly Uint8Array[]): Record<string, unknown> {
  const { vector: _, ...rest } = seen(docOf(...updates))
  return withoutPairs(rest) as Record<string, unknown>
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

/** A clientID that no document has: those of the histories are below 2 ** 32. */
function fresh(): number {
  nextFresh++
  return nextFresh
}

let nextFresh = 2 ** 32

type Restoring = (log: readonly Uint8Array[], target: number, copies?: readonly CopyRun[]) => Restored

const restoredTo: Restoring = (log, target, copies = []) => {
  const past = stateOf(log.slice(0, target))
  return restore({ past, now: stateOf(log), copies, client: fresh(), roots: null })
}

/** What is wrong with a restore in the middle of a random history; null: nothing. */
function wrongOf(run: number, restoring: Restoring): string | null {
  const { log, offline, target } = historyOf(createRandom(seed + run))
  const back = asUpdates(restoring(log, target))
  const where = `seed ${seed + run}, to ${target} of ${log.length}`
  const was = whatIsSeen(...log.slice(0, target))
  if (!isEqual(whatIsSeen(stateOf(log), ...back), was)) return `${where}: not what it was`
  const one = seen(docOf(...log, ...back, ...offline))
  const others = [docOf(...log, ...offline, ...back), docOf(stateOf([...log, ...back]), ...offline)]
  if (!others.every(other => isEqual(seen(other), one))) return `${where}: they do not agree`
  return JSON.stringify(one).includes('off') ? null : `${where}: what was typed offline is gone`
}

function isEqual(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(one, other)
}

function asUpdates({ update }: Restored): Uint8Array[] {
  return update === null ? [] : [update]
}

describe(`restores (seed ${seed})`, () => {
  test(`bring back what was, for everybody, and keep what somebody typed offline (${runs} histories)`, () => {
    const wrong: string[] = []
    for (let run = 0; run < runs; run++) {
      const found = wrongOf(run, restoredTo)
      if (found !== null) wrong.push(found)
    }
    expect(wrong).toEqual([])
  })

  test('are found to be wrong when they bring back the moment before, or what was deleted twice', () => {
    const some = Math.min(runs, 40)
    const early: Restoring = (log, target) => restoredTo(log, Math.max(0, target - 1))
    const twice: Restoring = (log, target) => {
      const [one, other] = [restoredTo(log, target), restoredTo(log, target)]
      return { ...one, update: mergeUpdates([...asUpdates(one), ...asUpdates(other), emptyUpdate]) }
    }
    for (const mutant of [early, twice]) {
      const wrong = Array.from({ length: some }, (_, run) => wrongOf(run, mutant)).filter(
        found => found !== null
      )
      expect(wrong.length).toBeGreaterThan(some / 4)
    }
  })

  test('of chosen roots leave the others as they are', () => {
    for (let run = 0; run < Math.ceil(runs / 2); run++) {
      const random = createRandom(seed + run)
      const { log, target } = historyOf(random)
      const chosen = random.pick([['text'], ['map', 'xml'], ['array', 'rich'], ['none']])
      const job = { past: stateOf(log.slice(0, target)), now: stateOf(log), copies: [] }
      const back = asUpdates(restore({ ...job, client: fresh(), roots: chosen }))
      const [was, is] = [whatIsSeen(...log.slice(0, target)), whatIsSeen(...log)]
      const wanted = Object.fromEntries(
        Object.keys(is).map(name => [name, chosen.includes(name) ? was[name] : is[name]])
      )
      expect(whatIsSeen(...log, ...back), `seed ${seed + run}, ${chosen}`).toEqual(wanted)
    }
  })

  test('show that they were committed also when they only delete', () => {
    const doc = new Y.Doc()
    const log: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => log.push(update))
    doc.getText('text').insert(0, 'kept')
    doc.getText('text').insert(4, ' and not')
    const client = fresh()
    const now = stateOf(log)
    const { update } = restore({ past: stateOf(log.slice(0, 1)), now, copies: [], client, roots: null })

    const after = docOf(...log, update as Uint8Array)
    expect(after.getText('text').toString()).toBe('kept')
    expect(Y.decodeStateVector(Y.encodeStateVector(after)).get(client)).toBe(1)
    const again = docOf(stateOf([...log, update as Uint8Array]))
    expect(Buffer.from(Y.encodeStateAsUpdate(again))).toEqual(Buffer.from(Y.encodeStateAsUpdate(after)))
    expect(() =>
      restore({ past: now, now: Y.encodeStateAsUpdate(after), copies: [], client, roots: null })
    ).toThrow()
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
    const job = { content: before, now: Y.encodeStateAsUpdate(one), copies: [], client: fresh(), roots: null }
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
      const back = asUpdates(undo({ content, now, copies: [], client: fresh(), roots: null, ...byOther }))
      return docOf(now, ...back)
        .getMap('map')
        .get('key')
    }
    expect(result()).toBe('first')
    one.getMap('map').set('key', 'third')
    expect(result()).toBe('third')
  })
})
