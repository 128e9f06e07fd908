/**
 * What is in a document, as JSON in UTF-8: bytes cross threads without a copy, and whoever asks over HTTP is sent them as
 * they are. Runs in a worker.
 */
import * as Y from 'yjs'
import { Fault } from '../base/errors.ts'

/** What a root type of a document is. */
export type RootKind = 'text' | 'array' | 'map' | 'xml'

/** By name; null: all that have something in them, each by what that is. */
export type RootTypes = Readonly<Record<string, RootKind>> | null

/**
 * The root types of these names in the document that the update (V1) is: a text as its delta, an XML fragment as text.
 * Throws ERR_ANSWER_TOO_LARGE, and what Yjs throws.
 */
export function contentsJson(update: Uint8Array, types: RootTypes, bytesMax: number): Uint8Array {
  return ofDocument(update, doc => asJson(rootsOf(doc, types), bytesMax))
}

/** The text of one root type, as UTF-8: of a text without its formatting, of XML a line for each element of text. */
export function contentsText(update: Uint8Array, name: string, bytesMax: number): Uint8Array {
  return ofDocument(update, doc => {
    const isXml = kindOf(doc.get(name)) === 'xml'
    return encoded(
      isXml ? linesOf(doc.getXmlFragment(name)).join('\n') : doc.getText(name).toString(),
      bytesMax
    )
  })
}

function ofDocument<T>(update: Uint8Array, read: (doc: Y.Doc) => T): T {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  const result = read(doc)
  doc.destroy()
  return result
}

export function rootsOf(doc: Y.Doc, types: RootTypes): Record<string, unknown> {
  const contents: Record<string, unknown> = {}
  for (const [name, kind] of Object.entries(types ?? kindsIn(doc)))
    contents[name] = contentOf(doc, name, kind)
  return contents
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

function kindsIn(doc: Y.Doc): Record<string, RootKind> {
  const found: Record<string, RootKind> = {}
  for (const [name, type] of doc.share) {
    const kind = kindOf(type)
    if (kind !== null) found[name] = kind
  }
  return found
}

/** An update does not say what a root type is; what is in it does. Null: nothing is. */
function kindOf(type: Pick<Y.AbstractType<never>, '_start' | '_map'>): RootKind | null {
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted) continue
    const { content } = item
    if (content instanceof Y.ContentType) return isOfXml(content.type) ? 'xml' : 'array'
    const isText = [Y.ContentString, Y.ContentFormat, Y.ContentEmbed].some(each => content instanceof each)
    return isText ? 'text' : 'array'
  }
  return [...type._map.values()].some(item => !item.deleted) ? 'map' : null
}

export function isOfXml(type: unknown): boolean {
  return type instanceof Y.XmlElement || type instanceof Y.XmlText || type instanceof Y.XmlHook
}

function linesOf(parent: Y.XmlFragment): string[] {
  return parent.toArray().flatMap(child => {
    if (child instanceof Y.XmlText) return [textOf(child)]
    return child instanceof Y.XmlElement ? linesOf(child) : []
  })
}

function textOf(text: Y.XmlText): string {
  const inserts: readonly { readonly insert?: unknown }[] = text.toDelta()
  return inserts.map(({ insert }) => (typeof insert === 'string' ? insert : '')).join('')
}

/** What JSON does not have is told apart: `{ bigint }`, `{ base64 }` of bytes, `{ document }` of one within this. */
function plain(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  // Y.Doc has a toJSON, of which this is called with the result.
  const raw = this[key]
  if (typeof raw === 'bigint') return { bigint: String(raw) }
  if (raw instanceof Uint8Array) return { base64: Buffer.from(raw).toString('base64') }
  return raw instanceof Y.Doc ? { document: raw.guid } : value
}

export function jsonText(value: unknown): string {
  return JSON.stringify(value, plain)
}

export function asJson(value: unknown, bytesMax: number): Uint8Array {
  return encoded(jsonText(value), bytesMax)
}

/** Throws ERR_ANSWER_TOO_LARGE above so many bytes. */
export function encoded(text: string, bytesMax: number): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  if (bytes.length <= bytesMax) return bytes
  throw new Fault('ERR_ANSWER_TOO_LARGE', `an answer of ${bytes.length} bytes`)
}
