/** The whole document at the end of a segment, for a history to begin from there. Runs in a worker. */
import * as Y from 'yjs'
import { ClockRuns } from '../document/clocks.ts'
import { scanUpdate } from '../document/scan.ts'
import { mergeUpdates } from '../document/splice.ts'
import { encodeKnown } from './known.ts'
import { documentAt, type Past } from './moment.ts'
import { packUpdate } from './segment.ts'

const emptyUpdate = new Uint8Array([0, 0])

/**
 * Of a document that is there as updates (V1) which together are all of it, as a checkpoint is; and what it holds. As
 * `packUpdate` and `encodeKnown` make them. Throws ERR_UPDATE_MALFORMED.
 */
export function keyframeOf(updates: readonly Uint8Array[]): { keyframe: Uint8Array; known: Uint8Array } {
  const whole = mergeUpdates([...updates, emptyUpdate])
  const { structs, deletes } = scanUpdate(whole)
  const known = { vector: ClockRuns.from(structs).stateVector(), deletes: ClockRuns.from(deletes) }
  return { keyframe: packUpdate(whole), known: encodeKnown(known) }
}

/**
 * After the last of the segments, without the content of what was deleted by then. Throws ERR_BAD_MESSAGE or
 * ERR_UPDATE_MALFORMED for what is damaged, and what Yjs throws.
 */
export function keyframeAfter(past: Past): { keyframe: Uint8Array; known: Uint8Array } {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, documentAt(past, { sequence: Number.MAX_SAFE_INTEGER }))
  const update = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return keyframeOf([update])
}
