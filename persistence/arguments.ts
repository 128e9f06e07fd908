/**
 * What a caller may pass to a store, checked in one place for all stores here. Everything throws
 * STORE_ARGUMENT.
 */
import { bounds } from './bounds.ts'
import { encodeName, encodePrefix } from './format.ts'
import { type AppendEntry, type CheckpointRequest, type ListOptions, StoreError } from './store.ts'

export function checkAppend(entries: readonly AppendEntry[]): void {
  if (entries.length > bounds.appendEntriesMax) {
    throw new StoreError('STORE_ARGUMENT', `An append has at most ${bounds.appendEntriesMax} entries`)
  }
  for (const entry of entries) {
    encodeName(entry.document)
    checkValue(entry.record)
  }
}

export function checkValue(bytes: Uint8Array): void {
  if (bytes.length > bounds.valueBytesMax) {
    throw new StoreError('STORE_ARGUMENT', `A value is at most ${bounds.valueBytesMax} bytes`)
  }
}

/**
 * `sequenceMax`: the highest number the document has given out. A record not written yet cannot be contained.
 */
export function checkCheckpoint(request: CheckpointRequest, sequenceMax: number): void {
  encodeName(request.document)
  checkValue(request.meta)
  if (request.segments.length > bounds.segmentsMax) {
    throw new StoreError('STORE_ARGUMENT', `A checkpoint has at most ${bounds.segmentsMax} segments`)
  }
  for (const segment of request.segments) checkValue(segment)
  for (const sequence of request.replaces) {
    if (!Number.isSafeInteger(sequence) || sequence < 0 || sequence > sequenceMax) {
      const text = `Record ${sequence} does not exist, so no segment can contain it`
      throw new StoreError('STORE_ARGUMENT', text)
    }
  }
}

/** The options with their defaults; the empty string stands for no prefix and for the beginning. */
export function checkList(options: ListOptions | undefined): Required<ListOptions> {
  const { prefix = '', after = '', limit = bounds.listLimit } = options ?? {}
  encodePrefix(prefix)
  encodePrefix(after)
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > bounds.listLimitMax) {
    throw new StoreError('STORE_ARGUMENT', `A page of names holds 1 to ${bounds.listLimitMax}`)
  }
  return { prefix, after, limit }
}
