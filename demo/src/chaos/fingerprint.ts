// Whether replicas are equal, to the last byte: what each has of every client, what of it is deleted, and what a reader
// would see. The encoding is our own because Yjs may cut the same content into different pieces on different replicas.
import * as Y from 'yjs'
import { receiptsName, textName } from './document.ts'

/** Equal texts are equal replicas. */
export function fingerprintOf(doc: Y.Doc): string {
  const receipts = [...doc.getMap(receiptsName)].sort(byKey)
  const isWhole = doc.store.pendingStructs === null && doc.store.pendingDs === null
  return JSON.stringify({
    clocks: clocksOf(doc),
    deleted: [...Y.createDeleteSetFromStructStore(doc.store).clients]
      .sort(byKey)
      .map(([client, ranges]) => [client, ...ranges.map(({ clock, len }) => [clock, len])]),
    isWhole,
    text: doc.getText(textName).toString(),
    receipts
  })
}

/** What a document has of every client: much cheaper than the whole, and equal when nothing is on its way. */
export function clocksOf(doc: Y.Doc): string {
  return JSON.stringify([...Y.decodeStateVector(Y.encodeStateVector(doc))].sort(byKey))
}

/** Eight hexadecimal digits to show (FNV-1a); replicas are compared by the whole. */
export function shortHash(text: string): string {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0
  return value.toString(16).padStart(8, '0')
}

function byKey<Key extends string | number>([a]: [Key, ...unknown[]], [b]: [Key, ...unknown[]]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
