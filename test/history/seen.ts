/** What two documents are compared by. */
import * as Y from 'yjs'

/** Everything that can be seen in a document, and how far each client has come. */
export function seen(doc: Y.Doc) {
  const delta = (name: string) => doc.getText(name).toDelta()
  return {
    text: delta('text'),
    rich: delta('rich'),
    array: JSON.stringify(doc.getArray('array').toJSON(), plain),
    map: JSON.stringify(doc.getMap('map').toJSON(), plain),
    xml: doc.getXmlFragment('xml').toString(),
    vector: [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort(([a], [b]) => a - b)
  }
}

/** The keys of a map have no order. */
export function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Y.Doc) return 'document'
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/**
 * The random histories cut surrogate pairs in two, which no editor does: Yjs then has two replacement characters, for good,
 * and where two updates bring the same text it depends on their order whether it has.
 */
export function withoutPairs(all: unknown): unknown {
  return JSON.parse(JSON.stringify(all).replaceAll(/[\ud800-\udbff][\udc00-\udfff]/g, '\ufffd\ufffd'))
}
