/**
 * A whole document in a history, as the store keeps it: in Yjs's second format, compressed. What is deleted is collected,
 * as who asks for a moment before begins with an earlier keyframe. Runs in a worker.
 */
import { brotliDecompressSync } from 'node:zlib'
import * as Y from 'yjs'
import { heldBy } from './held.ts'
import type { Known } from './integration.ts'
import { compress } from './segment.ts'

export type Keyframe = { readonly bytes: Uint8Array; readonly known: Known }

/**
 * Of a document that is these updates (V1) together. What waits for something unknown is left out: it is sealed when that
 * has come. Throws what Yjs throws.
 */
export function packKeyframe(updates: readonly Uint8Array[]): Keyframe {
  const doc = new Y.Doc()
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, update)
  })
  doc.store.pendingStructs = null
  doc.store.pendingDs = null
  const { deletes } = heldBy(doc)
  const vector = Y.decodeStateVector(Y.encodeStateVector(doc))
  const bytes = compress(Y.encodeStateAsUpdateV2(doc))
  doc.destroy()
  return { bytes, known: { vector, deletes } }
}

/** The document as an update (V1). */
export function openKeyframe(bytes: Uint8Array): Uint8Array {
  return Y.convertUpdateFormatV2ToV1(brotliDecompressSync(bytes))
}
