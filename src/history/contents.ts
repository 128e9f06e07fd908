/**
 * What a document held, as JSON in UTF-8: bytes cross threads without a copy, and whoever asks over HTTP is sent them as they
 * are. Runs in a worker.
 */
import * as Y from 'yjs'
import type { RootKind } from './jobs.ts'
import { asJson } from './json-writer.ts'

/**
 * The root types of these names in the document that the update (V1) is: a text as its delta, an XML fragment as text.
 * Throws ERR_ANSWER_TOO_LARGE, and what Yjs throws.
 */
export function contentsJson(
  update: Uint8Array,
  types: Readonly<Record<string, RootKind>>,
  bytesMax: number
): Uint8Array {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  const contents: Record<string, unknown> = {}
  for (const [name, kind] of Object.entries(types)) contents[name] = contentOf(doc, name, kind)
  const json = asJson(contents, bytesMax)
  doc.destroy()
  return json
}

function contentOf(doc: Y.Doc, name: string, kind: RootKind): unknown {
  switch (kind) {
    case 'text':
      return doc.getText(name).toDelta()
    case 'array':
      return doc.getArray(name).toJSON()
    case 'map':
      return doc.getMap(name).toJSON()
    case 'xml':
      return doc.getXmlFragment(name).toString()
    default:
      return kind satisfies never
  }
}
