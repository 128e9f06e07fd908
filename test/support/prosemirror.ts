/** y-prosemirror without a browser: the plug-in on an editor state, a schema that refuses halves, and documents of it. */
import { Schema } from 'prosemirror-model'
import { EditorState, type Transaction } from 'prosemirror-state'
import type { EditorView } from 'prosemirror-view'
import { ySyncPlugin } from 'y-prosemirror'
import * as Y from 'yjs'

/** Lists, tables and quotes must not be empty: what arrives without its content is removed by y-prosemirror. */
export const schema = new Schema({
  nodes: {
    doc: { content: 'block+' },
    paragraph: { group: 'block', content: 'text*' },
    heading: { group: 'block', content: 'text*', attrs: { level: { default: 1 } } },
    blockquote: { group: 'block', content: 'block+' },
    bullet_list: { group: 'block', content: 'list_item+' },
    list_item: { content: 'paragraph block*' },
    table: { group: 'block', content: 'table_row+' },
    table_row: { content: 'table_cell+' },
    table_cell: { content: 'block+' },
    text: {}
  },
  marks: { strong: {}, em: {} }
})

export type Editor = { readonly text: () => string; destroy(): void }

/** An editor of the document's `prosemirror` fragment, mounted now. What a view draws is left out; the rest is real. */
export function mountEditor(doc: Y.Doc): Editor {
  const plugin = ySyncPlugin(doc.getXmlFragment('prosemirror'))
  let state = EditorState.create({ schema, plugins: [plugin] })
  const views: { update?: (view: EditorView, before: EditorState) => void; destroy?: () => void }[] = []
  const view = {
    get state() {
      return state
    },
    dispatch(transaction: Transaction) {
      const before = state
      state = state.apply(transaction)
      for (const each of views) each.update?.(view as unknown as EditorView, before)
    },
    hasFocus: () => false
  }
  // The members above are all that the plug-in uses of a view without focus.
  const mounted = plugin.spec.view?.(view as unknown as EditorView)
  if (mounted !== undefined) views.push(mounted)
  return {
    text: () => state.doc.textContent,
    destroy: () => {
      for (const each of views) each.destroy?.()
    }
  }
}

/**
 * A document of at least `bytes`, written by three people who take turns, add to each other's lists and tables and
 * delete now and then. Returns one replica of it and each transaction's update, in order.
 */
export function richDocument(bytes: number): { doc: Y.Doc; updates: Uint8Array[] } {
  const docs = [1, 2, 3].map(clientID => {
    const doc = new Y.Doc()
    doc.clientID = clientID
    return doc
  }) as [Y.Doc, Y.Doc, Y.Doc]
  const updates: Uint8Array[] = []
  let size = 0
  for (const doc of docs) {
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === 'copy') return
      updates.push(update)
      size += update.length
      for (const other of docs) if (other !== doc) Y.applyUpdate(other, update, 'copy')
    })
  }
  // Many small turns at first, as people write; then large ones, as they paste.
  for (let turn = 0; size < bytes; turn++) {
    writeTurn(docs[turn % 3] as Y.Doc, turn < 60 ? { rounds: 1, length: 1 } : { rounds: 10, length: 20 })
  }
  return { doc: docs[0], updates }
}

function writeTurn(doc: Y.Doc, { rounds, length }: { rounds: number; length: number }): void {
  const fragment = doc.getXmlFragment('prosemirror')
  doc.transact(() => {
    for (let round = 0; round < rounds; round++) {
      fragment.push([
        withText('heading', words(6)),
        withText('paragraph', words(60 * length)),
        element('bullet_list', [item(20), item(30 * length)]),
        element('blockquote', [withText('paragraph', words(40 * length))]),
        element('table', [row(3), row(3)])
      ])
    }
    addToEarlier(fragment)
    if (fragment.length > 20) fragment.delete(fragment.length - 12, 1)
  })
}

/** One more item and one more row, in whatever the others wrote before. */
function addToEarlier(fragment: Y.XmlFragment): void {
  for (let i = Math.max(0, fragment.length - 8); i < fragment.length; i++) {
    const block = fragment.get(i)
    if (!(block instanceof Y.XmlElement)) continue
    if (block.nodeName === 'bullet_list') block.insert(1, [item(10)])
    if (block.nodeName === 'table') block.insert(0, [row(3)])
  }
}

function element(name: string, children: Y.XmlElement[]): Y.XmlElement {
  const made = new Y.XmlElement(name)
  made.insert(0, children)
  return made
}

function withText(name: string, text: string): Y.XmlElement {
  const made = new Y.XmlElement(name)
  const content = new Y.XmlText()
  content.insert(0, text, {})
  content.format(0, 5, { strong: {} })
  made.insert(0, [content])
  return made
}

function item(count: number): Y.XmlElement {
  return element('list_item', [withText('paragraph', words(count))])
}

function row(cells: number): Y.XmlElement {
  return element(
    'table_row',
    Array.from({ length: cells }, () => element('table_cell', [withText('paragraph', words(5))]))
  )
}

let word = 0

function words(count: number): string {
  return Array.from({ length: count }, () => `word${word++ % 10_000}`).join(' ')
}
