/** A document as text, as an outline with anchors, or as JSON, for those who are going to edit it. */
import * as Y from 'yjs'
import type { ReadQuestion } from './jobs.ts'
import { anchorOf, idOf, itemAt, rootKind, rootOf, textsIn } from './parts.ts'

/** `name`: of the element around it, as "paragraph"; null: it has none. `index`: where a line of a plain text begins. */
type OutlineBlock = {
  readonly anchor: string
  readonly name: string | null
  readonly text: string
  readonly index?: number
}

/** Null: there is no such block or root type. */
export function readDocument(doc: Y.Doc, { form, type, anchor }: ReadQuestion): unknown {
  const names = type === null ? [...doc.share.keys()] : [type]
  if (form === 'json') {
    const found = names.flatMap(name => {
      const value = rootJson(doc, name)
      return value === undefined ? [] : [[name, value] as const]
    })
    return { types: Object.fromEntries(found) }
  }
  const name = type ?? names.find(each => ['text', 'xml'].includes(rootKind(doc, each) ?? '')) ?? null
  if (name === null) return { type: null, blocks: [], text: '' }
  const blocks = blocksOf(doc, name)
  const chosen = anchor === null ? blocks : blocks.filter(each => each.anchor === anchor)
  if (anchor !== null && chosen.length === 0) return namedBlock(doc, { name, anchor, form })
  if (form === 'outline') return { type: name, blocks: chosen }
  return { type: name, text: chosen.map(({ text }) => text).join('\n') }
}

function rootJson(doc: Y.Doc, name: string): unknown {
  switch (rootKind(doc, name)) {
    case 'text':
      return doc.getText(name).toString()
    case 'xml':
      return doc.getXmlFragment(name).toString()
    case 'map':
      return doc.getMap(name).toJSON()
    case 'array':
      return doc.getArray(name).toJSON()
    case null:
      return undefined
  }
}

function blocksOf(doc: Y.Doc, name: string): OutlineBlock[] {
  switch (rootKind(doc, name)) {
    case 'xml':
      return [...textsIn(doc.getXmlFragment(name))].flatMap(text => {
        const { _item: item, parent } = text
        if (item === null) return []
        const element = parent instanceof Y.XmlElement ? parent.nodeName : null
        return [{ anchor: anchorOf(item.id), name: element, text: unitsOf(text) }]
      })
    case 'text':
      return linesOf(doc.getText(name))
    default:
      return []
  }
}

/** Without its formatting: `toString` of an XML text writes tags. An embed is one unit. */
function unitsOf(text: Y.Text): string {
  let units = ''
  for (let item = text._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue
    units += item.content instanceof Y.ContentString ? item.content.str : '\ufffc'.repeat(item.length)
  }
  return units
}

/** An empty line has the anchor of its line break. */
function linesOf(text: Y.Text): OutlineBlock[] {
  const lines: OutlineBlock[] = []
  let line: { anchor: string; text: string; index: number } | null = null
  let index = 0
  for (let item = text._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue
    const units = item.content instanceof Y.ContentString ? item.content.str : '\ufffc'.repeat(item.length)
    for (let i = 0; i < units.length; i++, index++) {
      line ??= {
        anchor: anchorOf({ client: item.id.client, clock: item.id.clock + i } as Y.ID),
        text: '',
        index
      }
      if (units[i] !== '\n') line.text += units[i]
      else {
        lines.push({ ...line, name: null })
        line = null
      }
    }
  }
  if (line !== null) lines.push({ ...line, name: null })
  return lines
}

/** A line whose first character is another one by now. */
function namedBlock(
  doc: Y.Doc,
  {
    name,
    anchor,
    form
  }: { readonly name: string; readonly anchor: string; readonly form: 'text' | 'outline' }
): unknown {
  const id = idOf(anchor)
  const item = id === null ? null : itemAt(doc, id)
  if (id === null || item === null || rootKind(doc, name) !== 'text') return null
  const text = doc.getText(name)
  if (rootOf(item) !== text) return null
  const place = Y.createAbsolutePositionFromRelativePosition(
    new Y.RelativePosition(null, null, Y.createID(id.client, id.clock)),
    doc
  )
  if (place === null) return null
  const line = linesOf(text).findLast(each => (each.index ?? 0) <= place.index)
  if (line === undefined) return null
  return form === 'outline' ? { type: name, blocks: [line] } : { type: name, text: line.text }
}
