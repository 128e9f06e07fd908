// What an update consists of, without a document: whose structs, which deletions. This much can be told of any update.
import * as Y from 'yjs'
import { counted, quoted, shortJson } from './words.ts'

export type UpdateSummary = {
  /** The clientIDs that made its structs. Deletions do not say who made them. */
  readonly authors: readonly number[]
  readonly structs: number
  readonly deletions: number
  /** `3 structs of client 123, 1 deletion`. */
  readonly words: string
}

/** Above this an update is not taken apart: the page would stand still for it. */
const updateBytesMax = 1_000_000
const linesMax = 200

/** Any shared type, as Yjs itself writes it. */
export type SharedType = Y.Transaction['changed'] extends Map<infer Type, unknown> ? Type : never

type Decoded = ReturnType<typeof Y.decodeUpdate>
type Struct = Decoded['structs'][number]

/** Summarises an update; null when it is too large to be taken apart here. */
export function summarize(update: Uint8Array): UpdateSummary | null {
  if (update.length > updateBytesMax) return null
  const { structs, ds } = Y.decodeUpdate(update)
  const counts = new Map<number, number>()
  for (const { id } of structs.filter(isReal)) counts.set(id.client, (counts.get(id.client) ?? 0) + 1)
  const deletions = [...ds.clients.values()].reduce((sum, ranges) => sum + ranges.length, 0)
  const parts = [...counts].slice(0, 3).map(([id, count]) => `${counted(count, 'struct')} of client ${id}`)
  if (counts.size > 3) parts.push(`those of ${counts.size - 3} more clients`)
  if (deletions > 0) parts.push(counted(deletions, 'deletion'))
  return {
    authors: [...counts.keys()],
    structs: structs.length,
    deletions,
    words: parts.length === 0 ? 'empty' : parts.join(', ')
  }
}

/** One line for each struct and each deleted range. */
export function structLines(update: Uint8Array): readonly string[] {
  if (update.length > updateBytesMax) return ['too large to be taken apart here']
  const { structs, ds } = Y.decodeUpdate(update)
  const deleted = [...ds.clients].flatMap(([client, ranges]) =>
    ranges.map(({ clock, len }) => `delete ${client}:${clock}${len > 1 ? `…${clock + len - 1}` : ''}`)
  )
  const lines = [...structs.map(structLine), ...deleted]
  if (lines.length <= linesMax) return lines
  return [...lines.slice(0, linesMax), `and ${(lines.length - linesMax).toLocaleString('en')} more`]
}

/** The root types that an update writes into directly, as far as it names them, and what they seem to be. */
export function rootsNamed(update: Uint8Array): ReadonlyMap<string, SharedType['constructor']> {
  const roots = new Map<string, SharedType['constructor']>()
  for (const struct of Y.decodeUpdate(update).structs) {
    if (!(struct instanceof Y.Item)) continue
    // Before it is integrated, an item's parent is a root's name, the id of a type, or left to be found by neighbours.
    const parent: unknown = struct.parent
    if (typeof parent === 'string' && !roots.has(parent)) roots.set(parent, kindOfRoot(struct))
  }
  return roots
}

function kindOfRoot({ parentSub, content }: Y.Item): SharedType['constructor'] {
  if (parentSub !== null) return Y.Map
  if (content instanceof Y.ContentString || content instanceof Y.ContentFormat) return Y.Text
  const isXml = content instanceof Y.ContentType && /^YXml/.test(nameOfType(content.type))
  return isXml ? Y.XmlFragment : Y.Array
}

function structLine(struct: Struct): string {
  const { id, length } = struct
  const range = `${id.client}:${id.clock}${length > 1 ? `…${id.clock + length - 1}` : ''}`
  if (!(struct instanceof Y.Item)) return `${range} ${isReal(struct) ? 'collected' : 'not here'} (${length})`
  const key = struct.parentSub === null ? '' : ` key ${quoted(struct.parentSub)}`
  const origin = struct.origin === null ? '' : ` after ${struct.origin.client}:${struct.origin.clock}`
  return `${range}${key} ${contentWords(struct.content)}${origin}`
}

function contentWords(content: Y.Item['content']): string {
  if (content instanceof Y.ContentString) return `text ${quoted(content.str)}`
  if (content instanceof Y.ContentDeleted) return `deleted (${content.len})`
  if (content instanceof Y.ContentFormat) return `format ${content.key} ${shortJson(content.value)}`
  if (content instanceof Y.ContentType) return `type ${typeWords(content.type)}`
  if (content instanceof Y.ContentBinary) return `binary of ${counted(content.content.length, 'byte')}`
  if (content instanceof Y.ContentEmbed) return `embed ${shortJson(content.embed)}`
  return `value ${shortJson(content.getContent())}`
}

/** `<paragraph>`, `map`, `text`… */
export function typeWords(type: SharedType): string {
  return type instanceof Y.XmlElement
    ? `<${type.nodeName}>`
    : nameOfType(type)
        .replace(/^YXml|^Y/, '')
        .toLowerCase()
}

/** Class names do not survive minification, so they are told by `instanceof`, subclasses first. */
function nameOfType(type: SharedType): string {
  if (type instanceof Y.XmlText) return 'YXmlText'
  if (type instanceof Y.XmlElement) return 'YXmlElement'
  if (type instanceof Y.XmlFragment) return 'YXmlFragment'
  if (type instanceof Y.Text) return 'YText'
  if (type instanceof Y.Map) return 'YMap'
  return 'YArray'
}

function isReal(struct: Struct): boolean {
  return !(struct instanceof Y.Skip)
}
