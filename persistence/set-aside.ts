/**
 * The set-aside area of a document: refused updates and damaged records, oldest first, bounded. What changes it is returned
 * as operations, so that a move is one batch with the removal it belongs to; they are written by setting-aside.
 */
import { bounds } from './bounds.ts'
import { noteOf, putNote } from './checkpoints.ts'
import {
  allSetAside,
  decodeSetAsideKey,
  encodeName,
  type Garbage,
  kinds,
  nameOfSetAsideKey,
  plain,
  seal,
  segmentRange,
  setAsideKey,
  setAsideRange,
  unseal
} from './format.ts'
import type { GarbageNote } from './garbage.ts'
import { collectRange, type Operation, type OrderedDatabase, type OrderedReader } from './ordered.ts'
import { inSnapshot } from './reading.ts'
import { decodeSetAside, decodeSetAsideNamed, decodeSetAsideParts, encodeSetAside } from './set-aside-body.ts'
import type { SetAside, StoredSetAside } from './store.ts'

export type SetAsideBounds = { readonly setAsideMax: number; readonly setAsideBytesMax: number }

/** Operations for one batch; and the notes, written by it, of the parts that are then to be removed. */
export type SetAsideChange = {
  readonly operations: readonly Operation[]
  readonly notes: readonly GarbageNote[]
}

/** The change that makes room for an entry of this size, and what the key of the entry is made of. */
export type SetAsideRoom = SetAsideChange & { readonly name: Buffer; readonly number: number }

/** What removes the oldest entries for which an entry of this size leaves no room; that one is always kept. */
export async function roomForSetAside(
  reader: OrderedReader,
  document: string,
  size: number,
  limits: SetAsideBounds
): Promise<SetAsideRoom> {
  const name = encodeName(document)
  const present = await collectRange(reader, { ...setAsideRange(name), values: 'omit' })
  const entries = present.map(([key]) => ({ key, ...decodeSetAsideKey(key) }))
  let count = entries.length + 1
  let bytes = entries.reduce((sum, entry) => sum + entry.size, size)
  const removed: Buffer[] = []
  for (const entry of entries) {
    if (count <= limits.setAsideMax && bytes <= limits.setAsideBytesMax) break
    removed.push(entry.key)
    count--
    bytes -= entry.size
  }
  return { name, number: (entries.at(-1)?.number ?? 0) + 1, ...(await removal(reader, removed)) }
}

/** Adds an entry whose bytes lie in it, and makes room for it. */
export async function setAsideOperations(
  reader: OrderedReader,
  document: string,
  entry: SetAside,
  limits: SetAsideBounds
): Promise<SetAsideChange> {
  const size = entry.bytes.length
  const { name, number, operations, notes } = await roomForSetAside(reader, document, size, limits)
  const key = setAsideKey(name, number, size)
  const put: Operation = { type: 'put', key, value: seal(key, kinds.setAside, encodeSetAside(entry)) }
  return { operations: [put, ...operations], notes }
}

/** Oldest first. An entry that cannot be read is listed with its raw bytes and says so. */
export function readSetAside(database: OrderedDatabase, document: string): Promise<StoredSetAside[]> {
  // One view: parts are removed after their entry.
  return inSnapshot(database, async reader => {
    const listed: StoredSetAside[] = []
    for (const [key, value] of await collectRange(reader, setAsideRange(encodeName(document)))) {
      const { number } = decodeSetAsideKey(key)
      const isInParts = value[4] === kinds.setAsideInParts
      listed.push({ number, ...(isInParts ? await readParts(reader, key, value) : readWhole(key, value)) })
    }
    return listed
  })
}

function readWhole(key: Buffer, value: Buffer): SetAside {
  const isNamed = value[4] === kinds.setAsideNamed
  const unsealed = unseal(key, isNamed ? kinds.setAsideNamed : kinds.setAside, value)
  const decode = isNamed ? decodeSetAsideNamed : decodeSetAside
  return 'body' in unsealed ? decode(unsealed.body) : damaged(value, unsealed.damage)
}

async function readParts(reader: OrderedReader, key: Buffer, value: Buffer): Promise<SetAside> {
  const unsealed = unseal(key, kinds.setAsideInParts, value)
  if (!('body' in unsealed)) return damaged(value, unsealed.damage)
  const { incarnation, count, ...entry } = decodeSetAsideParts(unsealed.body)
  const parts: Buffer[] = []
  // Checked as they come, a page in each turn of the event loop.
  for await (const page of reader.range(segmentRange(incarnation, 1, 1))) {
    for (const [partKey, partValue] of page) {
      const part = unseal(partKey, kinds.segment, partValue)
      if ('body' in part) parts.push(part.body)
    }
  }
  const bytes = plain(Buffer.concat(parts))
  if (parts.length === count) return { ...entry, bytes }
  const reason = `damaged set-aside entry: ${parts.length} of ${count} parts can be read; ${entry.reason}`
  return { ...entry, reason, bytes }
}

function damaged(value: Buffer, damage: string): SetAside {
  return { author: null, timeMs: 0, reason: `damaged set-aside entry: ${damage}`, bytes: plain(value) }
}

/** One look for each document, however many entries it has. */
export async function readSetAsideDocuments(reader: OrderedReader): Promise<string[]> {
  const { to } = allSetAside
  let { from } = allSetAside
  const names: Buffer[] = []
  for (;;) {
    const [first] = await collectRange(reader, { from, to, values: 'omit', limit: 1 })
    if (first === undefined) return names.sort(Buffer.compare).map(name => name.toString('utf8'))
    const name = nameOfSetAsideKey(first[0])
    names.push(name)
    from = setAsideRange(name).to
  }
}

/** The change that removes the entry of that number, or null when there is none. */
export async function dropSetAsideOperations(
  reader: OrderedReader,
  document: string,
  number: number
): Promise<SetAsideChange | null> {
  const entries = await collectRange(reader, { ...setAsideRange(encodeName(document)), values: 'omit' })
  const found = entries.find(([key]) => decodeSetAsideKey(key).number === number)
  return found === undefined ? null : removal(reader, [found[0]])
}

/** The parts of one entry, as what is to be removed. */
export function partsGarbage(incarnation: number): Garbage {
  return { incarnation, firstGeneration: 1, lastGeneration: 1, runs: [] }
}

/** The parts of an entry that cannot be read stay: nobody knows any more which they are. */
async function removal(reader: OrderedReader, keys: readonly Buffer[]): Promise<SetAsideChange> {
  const operations: Operation[] = keys.map(key => ({ type: 'del', key }))
  const notes: GarbageNote[] = []
  // Others have no parts, and are not worth reading.
  const large = keys.filter(key => decodeSetAsideKey(key).size > bounds.setAsidePartBytes)
  const values = large.length === 0 ? [] : await reader.getMany(large)
  for (const [i, key] of large.entries()) {
    const value = values[i]
    const unsealed = value === undefined ? null : unseal(key, kinds.setAsideInParts, value)
    if (unsealed === null || !('body' in unsealed)) continue
    const note = noteOf(partsGarbage(decodeSetAsideParts(unsealed.body).incarnation), 1, 'replaced')
    notes.push(note)
    operations.push(putNote(note))
  }
  return { operations, notes }
}
