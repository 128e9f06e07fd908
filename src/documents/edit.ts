/**
 * A change to a document by a function that wants a Y.Doc: loads one, runs the function, and gives back what it
 * changed. Beside compaction the only place that imports yjs, and only when it is used.
 */
import type * as Y from 'yjs'
import { mergeUpdates } from '../document/splice.ts'

/**
 * Changes the document it is given, and returns nothing: it is over when it returns. `yjs` is the module that the
 * document is of: what is made with another copy of it (`require` and `import` give two) is a stranger in the document.
 */
export type Mutate = (doc: Y.Doc, yjs: typeof Y) => void

/**
 * What the function changes in the document that the update holds (null: an empty one), as one update, or null when
 * it changes nothing. Throws what the function throws. Holds the event loop for as long as Yjs takes to load the
 * document, which the caller has to bound, and about ten times its size in memory until it returns.
 */
export async function editOf(stored: Uint8Array | null, mutate: Mutate): Promise<Uint8Array | null> {
  const yjs = await loadYjs()
  const doc = new yjs.Doc()
  try {
    if (stored !== null) yjs.applyUpdate(doc, stored)
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    const returned: unknown = doc.transact(() => mutate(doc, yjs))
    if (isThenable(returned)) {
      returned.then(undefined, () => {})
      throw new TypeError('server.change takes a function that is done when it returns, not an async one')
    }
    return updates.length === 0 ? null : mergeUpdates(updates)
  } finally {
    doc.destroy()
  }
}

/** The update in the other encoding of Yjs. */
export async function toV2(update: Uint8Array): Promise<Uint8Array> {
  const { convertUpdateFormatV1ToV2 } = await loadYjs()
  return convertUpdateFormatV1ToV2(update)
}

async function loadYjs(): Promise<typeof Y> {
  return await import('yjs')
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
