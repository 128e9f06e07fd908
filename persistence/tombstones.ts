/** What is kept of documents that were deleted: one tombstone a name, beside and apart from the document itself. */
import { bounds } from './bounds.ts'
import {
  allTombstones,
  decodeTombstone,
  encodeName,
  encodeTombstone,
  kinds,
  nameOfKey,
  seal,
  tombstoneKey,
  unsealOrThrow
} from './format.ts'
import type { Operation, OrderedReader } from './ordered.ts'
import type { Session } from './session.ts'
import type { Tombstone } from './store.ts'

/** What a deletion writes beside its own: nothing when the tombstone is to stay as it is. */
export function tombstoneOperations(document: string, tombstone: Tombstone | null | undefined): Operation[] {
  if (tombstone === undefined) return []
  const key = tombstoneKey(encodeName(document))
  if (tombstone === null) return [{ type: 'del', key }]
  return [{ type: 'put', key, value: seal(key, kinds.tombstone, encodeTombstone(tombstone)) }]
}

/** Rejects with STORE_DAMAGED: without it, what was deleted would come back. */
export async function readTombstone(reader: OrderedReader, document: string): Promise<Tombstone | null> {
  const key = tombstoneKey(encodeName(document))
  const value = await reader.get(key)
  return value === undefined ? null : decoded(key, value)
}

/** Names and times, the oldest first. One that cannot be read counts as the oldest. */
export async function listTombstones(reader: OrderedReader): Promise<{ document: string; timeMs: number }[]> {
  const found: { document: string; timeMs: number }[] = []
  for await (const page of reader.range(allTombstones)) {
    for (const [key, value] of page) found.push({ document: nameOfKey(key), timeMs: timeOf(key, value) })
  }
  // Stable: of the same time those stay in the order of their names.
  return found.sort((a, b) => a.timeMs - b.timeMs)
}

/** In steps: each is durable, and a crash between two leaves the rest. */
export async function dropTombstones(session: Session, documents: readonly string[]): Promise<void> {
  const keys = documents.map(document => tombstoneKey(encodeName(document)))
  for (let at = 0; at < keys.length; at += bounds.removalKeysMax) {
    const step = keys.slice(at, at + bounds.removalKeysMax).map(key => ({ type: 'del', key }) as const)
    await session.write(writer => writer.batch(step, 'synced'))
  }
}

function decoded(key: Buffer, value: Buffer): Tombstone {
  const what = `The tombstone of document ${JSON.stringify(nameOfKey(key))}`
  return decodeTombstone(unsealOrThrow(key, kinds.tombstone, value, what))
}

function timeOf(key: Buffer, value: Buffer): number {
  try {
    return decoded(key, value).timeMs
  } catch {
    // Whoever opens that document is told of the damage.
    return Number.NEGATIVE_INFINITY
  }
}
