// What a rich text may consist of. No undo of Tiptap's: undo takes back one's own edits only (editor.ts). No trailing
// paragraph: each of two editors would add one.
import { type Extensions, getSchema, type JSONContent } from '@tiptap/core'
import StarterKit from '@tiptap/starter-kit'
import { prosemirrorJSONToYXmlFragment } from '@tiptap/y-tiptap'
import type * as Y from 'yjs'

/** The name of the fragment in the document. */
export const richName = 'rich'

export const extensions: Extensions = [
  StarterKit.configure({
    undoRedo: false,
    trailingNode: false,
    underline: false,
    horizontalRule: false,
    heading: { levels: [1, 2] },
    // A click into a link puts the cursor there; the link's own form opens it.
    link: { openOnClick: false, defaultProtocol: 'https' },
    dropcursor: { color: 'var(--person)', width: 2 }
  })
]

export function richFragment(doc: Y.Doc): Y.XmlFragment {
  return doc.getXmlFragment(richName)
}

/** Writes content as the editor itself would: it finds nothing to correct later. */
export function writeRich(doc: Y.Doc, content: JSONContent): void {
  prosemirrorJSONToYXmlFragment(getSchema(extensions), content, richFragment(doc))
}
