/**
 * The set-aside area of a document: refused updates and damaged records, oldest first, bounded. The functions
 * that write return operations, so that a move is one batch with the removal it belongs to.
 */
import {
  allSetAside,
  decodeSetAside,
  decodeSetAsideKey,
  encodeName,
  encodeSetAside,
  kinds,
  nameOfSetAsideKey,
  plain,
  seal,
  setAsideKey,
  setAsideRange,
  unseal
} from './format.ts'
import { collectRange, type Operation, type OrderedReader } from './ordered.ts'
import type { SetAside, StoredSetAside } from './store.ts'

export type SetAsideBounds = { readonly setAsideMax: number; readonly setAsideBytesMax: number }

/** Adds an entry and removes the oldest ones it leaves no room for; the new one is always kept. */
export async function setAsideOperations(
  reader: OrderedReader,
  document: string,
  entry: SetAside,
  limits: SetAsideBounds
): Promise<Operation[]> {
  const name = encodeName(document)
  const present = await collectRange(reader, { ...setAsideRange(name), values: 'omit' })
  const sizes = present.map(([key]) => decodeSetAsideKey(key))
  const number = (sizes.at(-1)?.number ?? 0) + 1
  const key = setAsideKey(name, number, entry.bytes.length)
  const put: Operation = { type: 'put', key, value: seal(key, kinds.setAside, encodeSetAside(entry)) }

  let count = present.length + 1
  let bytes = sizes.reduce((sum, { size }) => sum + size, entry.bytes.length)
  const operations: Operation[] = [put]
  for (const [index, [oldKey]] of present.entries()) {
    if (count <= limits.setAsideMax && bytes <= limits.setAsideBytesMax) break
    operations.push({ type: 'del', key: oldKey })
    count--
    bytes -= sizes[index]?.size ?? 0
  }
  return operations
}

/** Oldest first. An entry that cannot be read is listed with its raw bytes and says so. */
export async function readSetAside(reader: OrderedReader, document: string): Promise<StoredSetAside[]> {
  const entries = await collectRange(reader, setAsideRange(encodeName(document)))
  return entries.map(([key, value]) => {
    const { number } = decodeSetAsideKey(key)
    const unsealed = unseal(key, kinds.setAside, value)
    if ('body' in unsealed) return { number, ...decodeSetAside(unsealed.body) }
    return {
      number,
      author: '',
      timeMs: 0,
      reason: `damaged set-aside entry: ${unsealed.damage}`,
      bytes: plain(value)
    }
  })
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

/** The operation that removes the entry of that number, or null when there is none. */
export async function dropSetAsideOperation(
  reader: OrderedReader,
  document: string,
  number: number
): Promise<Operation | null> {
  const entries = await collectRange(reader, { ...setAsideRange(encodeName(document)), values: 'omit' })
  const found = entries.find(([key]) => decodeSetAsideKey(key).number === number)
  return found === undefined ? null : { type: 'del', key: found[0] }
}
