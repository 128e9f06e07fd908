// What a new room's rich text begins with.
import type { JSONContent } from '@tiptap/core'

const text = (words: string, ...marks: readonly string[]): JSONContent => ({
  type: 'text',
  text: words,
  ...(marks.length > 0 ? { marks: marks.map(type => ({ type })) } : {})
})
const block = (type: string, ...content: readonly JSONContent[]): JSONContent => ({
  type,
  content: [...content]
})
const heading = (level: number, words: string): JSONContent => ({
  ...block('heading', text(words)),
  attrs: { level }
})
const paragraph = (...content: readonly JSONContent[]) => block('paragraph', ...content)
const item = (...content: readonly JSONContent[]) => block('listItem', paragraph(...content))

export const starterContent: JSONContent = block(
  'doc',
  heading(1, 'A plan for the harvest fair'),
  paragraph(
    text('Both of you write here at once. Select some words and make them '),
    text('bold', 'bold'),
    text(', '),
    text('italic', 'italic'),
    text(' or '),
    text('code', 'code'),
    text(': formatting merges, too.')
  ),
  heading(2, 'Still to do'),
  block(
    'bulletList',
    item(text('Ask the brass band about Saturday')),
    item(text('Borrow '), text('twelve', 'bold'), text(' long tables')),
    item(text('Find out who bakes'))
  ),
  block(
    'blockquote',
    paragraph(text('Turn “Connected” off on one side, write on both, and turn it on again.'))
  )
)
