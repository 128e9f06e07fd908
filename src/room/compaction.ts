/**
 * Compaction of one document: what the store has of it goes through the worker and comes back as a checkpoint. The
 * room goes on meanwhile; updates appended in between stay in the log.
 */
import type { LoadedDocument, Store } from '../../persistence/store.ts'
import type { Slices } from '../base/slices.ts'
import {
  type Checkpoint,
  type CheckpointMeta,
  createCheckpoint,
  markCheckpointMeta,
  quarantineAfter,
  quarantineOf
} from '../document/checkpoint.ts'
import { decodeRecord, encodeRecord, type LoggedUpdate, recordHead } from '../document/record.ts'
import { scanInSteps } from '../document/scan.ts'
import type { Steps } from '../document/steps.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import type { CompactedRecords, CompactionLane, Workers } from '../document/workers.ts'
import type { Compaction, Histories } from '../history/histories.ts'
import type { UpdatePlace } from '../history/segment.ts'

/** An update that could not be merged yet and stays in the log. */
export type Carried = ScannedUpdate & { readonly sequence: number }

/** A checkpoint that is in the store. It stands for all records up to `sequence`, save those that are `carried`. */
export type NewCheckpoint = {
  readonly checkpoint: Checkpoint
  readonly meta: CheckpointMeta
  readonly sequence: number
  readonly carried: readonly Carried[]
}

/** `refused`: what was set aside (quarantine). `toSeal`: what the document's history is told of it. */
export type Compacted = NewCheckpoint & {
  readonly refused: readonly LoggedUpdate[]
  /** Null: no history is kept of the document. */
  readonly toSeal: Compaction | null
}

export type CompactionParts = {
  readonly store: Store
  readonly workers: Workers
  readonly slices: Slices
  readonly lane: CompactionLane
  /** Other nodes may have the document open: the checkpoint tells them what was refused. */
  readonly isShared: boolean
  /** Null: no document has a history. */
  readonly histories: Histories | null
}

/** `index`: its place in its record. */
type LogEntry = LoggedUpdate & UpdatePlace

/**
 * Resolves to what the store has now, or to null when there was nothing to do or another checkpoint was faster.
 * Rejects with what the store or the worker threw; the stored document is as it was.
 */
export async function compactDocument(name: string, parts: CompactionParts): Promise<Compacted | null> {
  return compactLoaded(name, await parts.store.load(name), parts)
}

/** The same with what was loaded a moment ago. */
export async function compactLoaded(
  name: string,
  loaded: LoadedDocument,
  parts: CompactionParts
): Promise<Compacted | null> {
  const { store, workers, lane, histories } = parts
  if (loaded.records.length === 0) return null
  const gc = histories?.policyOf(name)?.gc
  const result = await workers.compact({
    document: name,
    lane,
    ...(gc === undefined ? {} : { gc }),
    segments: loaded.checkpoint?.segments ?? [],
    records: loaded.records.map(({ record }) => record)
  })
  // A log of many thousand updates is taken apart in the worker; here only if some of them are still of interest.
  const isWhole = result.pending.length === 0 && result.refused.length === 0
  const entries = isWhole ? [] : loaded.records.flatMap(entriesOf)
  const refused = result.refused.map(({ index }) => entries[index] as LogEntry)
  for (const [i, entry] of refused.entries()) {
    const reason = `could not be integrated: ${result.refused[i]?.reason}`
    const { author, timeMs, update } = entry
    await store.setAside(name, { author, timeMs, reason, bytes: update })
  }
  const waiting = result.pending.map(index => entries[index] as LogEntry)
  const left = { waiting, refusedIn: new Set(refused.map(({ sequence }) => sequence)) }
  if (!(await moveWaiting(name, parts, { loaded, left }))) return null
  await histories?.prepare(name, loaded, refused.map(placeOf))
  return writeCheckpoint(name, parts, { loaded, result, refused, left })
}

/** Updates that cannot be integrated yet, and the records in which something was refused. */
type Left = { readonly waiting: readonly LogEntry[]; readonly refusedIn: ReadonlySet<number> }

/**
 * A record leaves the log whole or not at all, so what waits for others moves out of one in which something was refused:
 * else that would stay too, and be refused by every compaction to come. Before the checkpoint: in between, and if that
 * is superseded, the log has it twice, which changes nothing. False: the life of the document is over.
 */
async function moveWaiting(
  name: string,
  { store }: CompactionParts,
  { loaded: { incarnation }, left }: { readonly loaded: LoadedDocument; readonly left: Left }
): Promise<boolean> {
  const moving = [...left.refusedIn].flatMap(refusedIn => {
    const updates = left.waiting.filter(({ sequence }) => sequence === refusedIn)
    return updates.length === 0 ? [] : [{ document: name, incarnation, record: encodeRecord(updates) }]
  })
  for (const answer of await store.append(moving)) {
    if (answer.outcome === 'failed') throw answer.cause
    if (answer.outcome !== 'written') return false
  }
  return true
}

function entriesOf({ sequence, record }: { sequence: number; record: Uint8Array }): LogEntry[] {
  return decodeRecord(record).map((logged, index) => ({ ...logged, sequence, index }))
}

function placeOf({ sequence, index }: UpdatePlace): UpdatePlace {
  return { sequence, index }
}

type Merged = {
  readonly loaded: LoadedDocument
  readonly result: CompactedRecords
  readonly refused: readonly LogEntry[]
  readonly left: Left
}

async function writeCheckpoint(
  name: string,
  parts: CompactionParts,
  { loaded, result, refused, left }: Merged
): Promise<Compacted | null> {
  // One that holds an update that waits stays, and is merged again next time.
  const kept = new Set(left.waiting.map(({ sequence }) => sequence))
  for (const sequence of left.refusedIn) kept.delete(sequence)
  const { store, slices } = parts
  const { meta, segments } = result
  const written = await store.checkpoint({
    document: name,
    incarnation: loaded.incarnation,
    base: loaded.checkpoint?.generation ?? null,
    through: loaded.records.findLast(({ sequence }) => !kept.has(sequence))?.identity ?? null,
    replaces: loaded.records.map(record => record.sequence).filter(sequence => !kept.has(sequence)),
    meta: parts.isShared ? markedMeta({ loaded, result, refused }) : result.encodedMeta,
    segments,
    freedBytes:
      bytesOf(loaded.records.map(({ record }) => record)) + bytesOf(loaded.checkpoint?.segments ?? [])
  })
  if (written.outcome === 'superseded') return null
  const keptRecords = loaded.records.filter(each => kept.has(each.sequence))
  const carried = kept.size === 0 ? [] : await slices.run(carriedInSteps(keptRecords), null)
  const last = loaded.records.at(-1)
  const sequence = last?.sequence ?? 0
  const { generation } = written
  const isKept = loaded.incarnation !== null && parts.histories?.policyOf(name) != null
  return {
    checkpoint: createCheckpoint(generation, meta, segments),
    meta,
    sequence,
    carried,
    refused,
    toSeal: !isKept
      ? null
      : {
          ...{ incarnation: loaded.incarnation, generation, sequence, segments },
          ...{ structs: meta.structs, deletes: meta.deletes },
          waiting: left.waiting.filter(each => kept.has(each.sequence)).map(placeOf),
          timeMs: last === undefined ? 0 : recordHead(last.record).timeMs
        }
  }
}

/** What rooms on other nodes have to know of it: see `Quarantine`. */
function markedMeta({ loaded, result, refused }: Pick<Merged, 'loaded' | 'result' | 'refused'>): Uint8Array {
  const { checkpoint } = loaded
  const before = checkpoint === null ? null : quarantineOf(checkpoint.meta)
  const quarantine = before ?? { count: 0, refused: [] }
  if (refused.length === 0) return markCheckpointMeta(result.encodedMeta, quarantine)
  const connections = refused.flatMap(({ author }) => author?.connection ?? [])
  return markCheckpointMeta(result.encodedMeta, quarantineAfter(quarantine, connections))
}

/** The updates of records that stay in the log below a checkpoint, in steps. */
export function* carriedInSteps(
  records: readonly { readonly sequence: number; readonly record: Uint8Array }[]
): Steps<Carried[]> {
  const carried: Carried[] = []
  for (const { update, sequence } of records.flatMap(entriesOf)) {
    carried.push({ update, sequence, scan: yield* scanInSteps(update) })
  }
  return carried
}

function bytesOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0)
}
