/**
 * A document that several people change while it is compacted and sealed now and then, with limits so small that segments
 * are merged, keyframes made and records held back all the time: every moment of it against a plain replay by Yjs.
 */
import * as Y from 'yjs'
import type { Store } from '../../persistence/store.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { createRandom, type Random } from '../document/random-docs.ts'
import { checkBlobs, createKeeping, type Keeping } from './keeping.ts'
import { logOf, recordsOf, startMs } from './logs.ts'
import { seen, withoutPairs } from './seen.ts'

/** What was compared, and how the history was cut. */
export type Fuzzed = {
  readonly moments: number
  readonly segments: number
  readonly keyframes: number
  readonly holes: number
  readonly pruned: number
}

/** Throws with the seed and the record when the history says something else than the replay. */
export async function fuzz(store: Store, seed: number, { steps }: { steps: number }): Promise<Fuzzed> {
  const random = createRandom(seed)
  const document = `fuzz ${seed}`
  // Some documents are older than their history, and some histories have little room.
  let isOn = random.next() < 0.7
  const bytes = random.next() < 0.7 ? null : 2_000 + random.below(4_000)
  const policyOf = () => (isOn ? { days: 30, bytes, gc: 'collect' as const } : null)
  const keeping = createKeeping({ store, random: random.next, limits: smallLimits(random), policyOf })
  const updates: Uint8Array[] = []
  const states = new Map<number, string>()
  for (const { record } of recordsOf(random, logOf(random, { steps }))) {
    const [answer] = await store.append([{ document, record }])
    if (answer?.outcome !== 'written') throw new Error('a record was not written')
    updates.push(...decodeRecord(record).map(({ update }) => update))
    states.set(answer.sequence, stateOf(Y.mergeUpdates(updates)))
    if (random.next() > 0.06) continue
    await keeping.compact(document, { sealed: random.next() < 0.9 })
    if (random.next() < 0.05)
      await keeping.histories.prune(document, startMs + random.below(states.size) * 800)
    isOn ||= random.next() < 0.3
  }
  isOn = true
  await keeping.compact(document)
  // Perhaps there was nothing left to compact when it was switched on.
  const isThere = (await keeping.histories.kept.read(document)) !== null
  if (!isThere) return { moments: 0, segments: 0, keyframes: 0, holes: 0, pruned: 0 }
  return compare(keeping, states, { store, document, seed })
}

function smallLimits(random: Random) {
  return {
    historySegmentUpdatesMax: 3 + random.below(40),
    historySegmentBytesMax: 200 + random.below(8_000),
    historyMergedChangesMax: 4 + random.below(100),
    historyKeyframeBytesMin: 200 + random.below(5_000),
    historyKeyframeRatio: random.below(3)
  }
}

async function compare(
  keeping: Keeping,
  states: ReadonlyMap<number, string>,
  { store, document, seed }: { store: Store; document: string; seed: number }
): Promise<Fuzzed> {
  const { manifest, incarnation } = await keeping.kept(document)
  await checkBlobs(store, document, manifest, incarnation)
  let moments = 0
  for (const [sequence, state] of states) {
    const update = await keeping.at(document, sequence)
    if (update === null) continue
    moments++
    if (stateOf(update) === state) continue
    throw new Error(
      `seed ${seed}: the document was another one at record ${sequence}: ${stateOf(update)}; ${state}`
    )
  }
  const { segments, keyframes, holes } = manifest
  const pruned = segments.filter(({ body }) => body === null).length
  const counts = { segments: segments.length, keyframes: keyframes.length, holes: holes.length, pruned }
  return { moments, ...counts }
}

function stateOf(update: Uint8Array): string {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return JSON.stringify(withoutPairs(seen(doc)))
}
