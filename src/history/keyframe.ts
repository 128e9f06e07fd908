/** The whole document at the end of a segment, for a history to begin from there. Runs in a worker. */
import * as Y from 'yjs'
import { mergeUpdates } from '../document/splice.ts'
import { documentAt, type Past } from './moment.ts'
import { packUpdate } from './segment.ts'

const emptyUpdate = new Uint8Array([0, 0])

/** Of a document that is there as updates (V1) which together are all of it, as a checkpoint is. As `packUpdate` makes it. */
export function keyframeOf(updates: readonly Uint8Array[]): Uint8Array {
  return packUpdate(mergeUpdates([...updates, emptyUpdate]))
}

/**
 * After the last of the segments, without the content of what was deleted by then. Throws ERR_BAD_MESSAGE or
 * ERR_UPDATE_MALFORMED for what is damaged, and what Yjs throws.
 */
export function keyframeAfter(past: Past): Uint8Array {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, documentAt(past, { sequence: Number.MAX_SAFE_INTEGER }))
  const update = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return packUpdate(update)
}
