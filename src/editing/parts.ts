/** The parts of a document that an edit or a question names: root types by name, blocks by their anchors. */
import * as Y from 'yjs'
import { isOfXml } from '../document/contents.ts'

export type RootKind = 'text' | 'xml' | 'array' | 'map'

/** What a root type is, from what is in it: Yjs does not keep it. Null: it is not there, or nothing says it. */
export function rootKind(doc: Y.Doc, name: string): RootKind | null {
  const root = doc.share.get(name)
  if (root === undefined) return null
  if (root._map.size > 0) return 'map'
  for (let item = root._start; item !== null; item = item.right) {
    const { content } = item
    if (content instanceof Y.ContentDeleted) continue
    if (content instanceof Y.ContentType) return isOfXml(content.type) ? 'xml' : 'array'
    const isText =
      content instanceof Y.ContentString ||
      content instanceof Y.ContentFormat ||
      content instanceof Y.ContentEmbed
    return isText ? 'text' : 'array'
  }
  return null
}

/** The texts of a fragment in order, those that were deleted left out. */
export function* textsIn(parent: Y.XmlFragment): Generator<Y.XmlText> {
  for (const child of parent.toArray()) {
    if (child instanceof Y.XmlText) yield child
    else if (child instanceof Y.XmlElement) yield* textsIn(child)
  }
}

/** How an id is written in an anchor. */
export function anchorOf({ client, clock }: Y.ID): string {
  return `${client}-${clock}`
}

/** Null: it is none. */
export function idOf(anchor: string): Y.ID | null {
  const found = /^(\d{1,16})-(\d{1,16})$/.exec(anchor)
  return found === null ? null : Y.createID(Number(found[1]), Number(found[2]))
}

/** The item with the id, and whether the document has it at all. */
export function itemAt(doc: Y.Doc, id: Y.ID): Y.Item | null {
  if (id.clock >= Y.getState(doc.store, id.client)) return null
  const found = Y.getItem(doc.store, id)
  return found instanceof Y.Item ? found : null
}

/** The items that must be there for the type to be: of itself and of what it is in. */
export function* holdersOf(type: { readonly _item: Y.Item | null }): Generator<Y.Item> {
  for (let item = type._item; item !== null; ) {
    yield item
    const { parent } = item
    item = parent instanceof Y.AbstractType ? parent._item : null
  }
}

/** The root type that the item is in; null: what holds it was collected. */
export function rootOf(item: Y.Item): unknown {
  let type: unknown = item.parent
  while (type instanceof Y.AbstractType && type._item !== null) type = type._item.parent
  return type
}
