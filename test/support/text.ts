/** Documents with one text `t`, which is all that many tests need. */
import * as Y from 'yjs'

/** An update of a document with the text; `clientID` makes it the same each time. */
export function textUpdate(text: string, clientID?: number): Uint8Array {
  const doc = new Y.Doc()
  if (clientID !== undefined) doc.clientID = clientID
  doc.getText('t').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

/** The text in an update, or null for none. */
export function textOf(update: Uint8Array | null): string | null {
  if (update === null) return null
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc.getText('t').toString()
}
