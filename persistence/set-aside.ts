/**
 * The set-aside area of a document: refused updates and damaged records, oldest first, bounded. The functions
 * that write return operations, so that a move is one batch with the removal it belongs to.
 */
import {
  decodeSetAside,
  decodeSetAsideKey,
  encodeName,
  encodeSetAside,
  kinds,
  plain,
  seal,
  setAsideKey,
  setAsideRange,
  unseal
} from './format.ts'
import { collectRange, type Operation, type OrderedReader } from './ordered.ts'
import type { SetAside } from './store.ts'

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
export async function readSetAside(reader: OrderedReader, document: string): Promise<SetAside[]> {
  const entries = await collectRange(reader, setAsideRange(encodeName(document)))
  return entries.map(([key, value]) => {
    const unsealed = unseal(key, kinds.setAside, value)
    if ('body' in unsealed) return decodeSetAside(unsealed.body)
    return {
      author: '',
      timeMs: 0,
      reason: `damaged set-aside entry: ${unsealed.damage}`,
      bytes: plain(value)
    }
  })
}
