/**
 * Appending: one batch per call, one put per entry once the document exists. This is the hot path of the
 * server.
 */
import { checkConditions, checkValue } from './arguments.ts'
import { bounds } from './bounds.ts'
import { type Counters, encodeName, type Head, kinds, recordKey, seal } from './format.ts'
import type { Heads } from './heads.ts'
import type { BatchDurability, Operation } from './ordered.ts'
import { markOperations, newMark } from './ordered-marks.ts'
import type { Writer } from './session.ts'
import { type AppendAnswer, type AppendEntry, StoreError, singleWriter } from './store.ts'
import { birth, putCounters, putHead, type StoreParts } from './writing.ts'

/** As `Store.append`, with how durable a batch is that creates no document. */
export function append(
  parts: StoreParts,
  entries: readonly AppendEntry[],
  durability: BatchDurability
): Promise<AppendAnswer[]> {
  if (entries.length === 0) return Promise.resolve([])
  checkEntries(parts, entries)
  return parts.session.append(writer => appendInTurn(parts, writer, entries, durability))
}

function checkEntries(parts: StoreParts, entries: readonly AppendEntry[]): void {
  if (entries.length > bounds.appendEntriesMax) {
    throw new StoreError('STORE_ARGUMENT', `An append has at most ${bounds.appendEntriesMax} entries`)
  }
  for (const { document, record } of entries) {
    // A name in the cache was checked when it came in.
    if (parts.heads.cached(document) === undefined) encodeName(document)
    checkValue(record)
  }
  checkConditions(entries)
}

async function appendInTurn(
  parts: StoreParts,
  writer: Writer,
  entries: readonly AppendEntry[],
  durability: BatchDurability
): Promise<AppendAnswer[]> {
  const operations: Operation[] = []
  const answers: AppendAnswer[] = []
  const changed = new Map<string, Head>()
  let { counters } = parts.state
  for (const entry of entries) {
    const { document, record } = entry
    const known = changed.get(document) ?? parts.heads.cached(document)
    const found = known ?? (await headOrDamage(parts.heads, writer, document))
    if (found instanceof StoreError) {
      // Of this document alone: the entries of the others are written.
      answers.push({ outcome: 'failed', cause: found })
      continue
    }
    let head: Head | null = found
    const refusal = refusalOf(entry, head, counters)
    if (refusal !== null) {
      answers.push(refusal)
      continue
    }
    if (head === null) {
      const born = birth(counters)
      head = born.head
      counters = born.counters
      operations.push(putHead(document, head))
    }
    if (entry.leavesMark === true && head.isMarked !== true) {
      operations.push(...(await markOf(writer, document, { head, isBirth: found === null })))
      head = { ...head, isMarked: true }
    }
    const sequence = head.lastSequence + 1
    changed.set(document, { ...head, lastSequence: sequence })
    answers.push({
      outcome: 'written',
      incarnation: String(head.incarnation),
      sequence,
      identity: singleWriter
    })
    const key = recordKey(head.incarnation, sequence)
    operations.push({ type: 'put', key, value: seal(key, kinds.record, record) })
  }
  if (operations.length === 0) return answers
  const isBirth = counters !== parts.state.counters
  if (isBirth) operations.push(putCounters(counters))
  // A birth is always synced: an incarnation number lost in a crash would be given to two documents.
  await writer.batch(operations, isBirth ? 'synced' : durability)
  parts.state.counters = counters
  for (const [document, head] of changed) parts.heads.set(document, head)
  return answers
}

/** What leaves a mark, where there is none. After a birth there may be one of an earlier life. */
async function markOf(
  writer: Writer,
  document: string,
  { head, isBirth }: { readonly head: Head; readonly isBirth: boolean }
): Promise<Operation[]> {
  const place = { incarnation: String(head.incarnation), after: isBirth ? 0 : head.lastSequence }
  if (head.isMarked === false) return [newMark(document, place)]
  return markOperations(writer, document, place)
}

/** A damaged head as what it is; any other failure is one of the store. */
async function headOrDamage(
  heads: Heads,
  writer: Writer,
  document: string
): Promise<Head | null | StoreError> {
  try {
    return await heads.get(writer, document)
  } catch (error) {
    if (error instanceof StoreError && error.code === 'STORE_DAMAGED') return error
    throw error
  }
}

/** What the entry asks for and does not find, or null. */
function refusalOf(
  { incarnation, ifHead }: AppendEntry,
  head: Head | null,
  { sequenceFloor }: Counters
): AppendAnswer | null {
  if (incarnation != null && (head === null || String(head.incarnation) !== incarnation)) {
    return { outcome: 'gone', floor: head === null ? sequenceFloor : null }
  }
  if (ifHead === undefined) return null
  const present = head?.lastSequence ?? 0
  return ifHead === present ? null : { outcome: 'conflict', head: present }
}
