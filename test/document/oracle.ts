/** Yjs as the oracle: what must work with any update that the scanner accepts, and what its documents say. */
import * as Y from 'yjs'
import { ClockRuns } from '../../src/document/clocks.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { mergeUpdates } from '../../src/document/splice.ts'
import { docOf } from './random-docs.ts'

const empty = new Uint8Array([0, 0])

/** False if the scanner refuses it; anything but its typed refusal is thrown. */
export function isAccepted(update: Uint8Array): boolean {
  try {
    scanUpdate(update)
    return true
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_UPDATE_MALFORMED') return false
    throw error
  }
}

/** Whatever a peer does with a document after it applied these updates, in order; throws what Yjs throws. */
export function exercise(updates: readonly Uint8Array[]): void {
  const doc = docOf(updates)
  const encoded = Y.encodeStateAsUpdate(doc)
  scanUpdate(encoded)
  const fresh = docOf([encoded])
  Y.applyUpdate(fresh, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(fresh)))
  Y.encodeStateAsUpdate(fresh)
  Y.encodeStateAsUpdateV2(fresh)
  const merged = Y.mergeUpdates([...updates, empty])
  Y.encodeStateAsUpdate(docOf([merged]))
  docOf([Y.diffUpdate(merged, Y.encodeStateVector(doc)), Y.diffUpdate(merged, empty.subarray(1))])
  Y.encodeStateVectorFromUpdate(merged)
  Y.parseUpdateMeta(merged)
  readRoots(encoded)
}

/** Every root type as each kind of type that a page may call it. */
function readRoots(update: Uint8Array): void {
  for (const name of docOf([update]).share.keys()) {
    unlessXml(() => docOf([update]).getMap(name).toJSON())
    unlessXml(() => docOf([update]).getArray(name).toJSON())
    docOf([update]).getText(name).toDelta()
  }
}

/**
 * Yjs lets any client put null into an XML element, and then cannot write the element as text. By its bytes a struct
 * does not tell what it is put into, so this is for pages to bear; the document itself loads and syncs.
 */
function unlessXml(read: () => void): void {
  try {
    read()
  } catch (error) {
    if (!String((error as Error).stack).includes('YXml')) throw error
  }
}

/**
 * What a document holds, pending structs and deletions included, in one form for all that hold the same. Where a gap
 * begins Yjs sometimes writes a Skip and sometimes nothing, so our merging, which never does, has the last word.
 */
export function contentOf(doc: Y.Doc): string {
  const loaded = Y.encodeStateAsUpdate(docOf([Y.encodeStateAsUpdate(doc)]))
  return Buffer.from(mergeUpdates([loaded, empty])).toString('hex')
}

/** Whether no two of them bring the same clocks, in which case what they bring for them would have to be the same. */
export function areApart(updates: readonly Uint8Array[]): boolean {
  const known = new ClockRuns()
  for (const { structs } of updates.map(update => scanUpdate(update))) {
    if (
      structs.some(({ client, clock, length }) => known.missing(client, clock, length)[0]?.length !== length)
    ) {
      return false
    }
    known.addAll(structs)
  }
  return true
}

/**
 * Y.mergeUpdates takes its clients to come in descending order, as Yjs has written them since 13.5, and loses structs
 * where they do not.
 */
export function isInYjsOrder(update: Uint8Array): boolean {
  const clients = scanUpdate(update).structs.map(({ client }) => client)
  return clients.every((client, index) => index === 0 || client <= (clients[index - 1] ?? client))
}
