/** Edits of every kind that a test of convergence wants. */
import * as Y from 'yjs'

/** One edit, chosen by chance, of one of the document's four types. */
export function editAtRandom(doc: Y.Doc, random: () => number): void {
  const text = doc.getText('t')
  const list = doc.getArray('a')
  const at = (length: number) => Math.floor(random() * length)
  switch (at(6)) {
    case 0:
      if (text.length > 2) text.delete(at(text.length - 1), 1)
      return
    case 1:
      text.insert(at(text.length + 1), 'é\u{1F642}x', { bold: random() < 0.5 })
      return
    case 2:
      list.insert(at(list.length + 1), [at(1000)])
      return
    case 3:
      if (list.length > 0) list.delete(at(list.length), 1)
      return
    case 4:
      doc.getMap('m').set(`k${at(5)}`, new Y.Map([['v', at(100)]]))
      return
    default:
      doc.getXmlFragment('x').insert(0, [new Y.XmlElement('p')])
  }
}
