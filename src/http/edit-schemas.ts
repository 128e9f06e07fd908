/** What edits, presence and agents are asked and answer, as schemas: over REST, and as arguments of tools. */
import { z } from 'zod'
import { anyJson, words } from './schemas.ts'

const anchor = z.string().optional().meta({
  description: 'Only within the block of this name, from the outline.',
  example: '712873.14'
})
const place = {
  anchor,
  quote: words('Text that stands there exactly.').optional(),
  occurrence: z.int().min(1).optional().meta({ description: 'Which of several, from 1.' }),
  index: z.int().min(0).optional().meta({ description: 'In UTF-16 units, in the text as it was read.' }),
  length: z.int().min(1).optional().meta({ description: 'Beside `index`: how many units.' })
}
const text = z.string().meta({ description: 'What is written.' })

export const textChange = z.discriminatedUnion('op', [
  z.object({ op: z.literal('replace'), ...place, text }),
  z.object({ op: z.literal('delete'), ...place }),
  z.object({
    op: z.literal('insert'),
    ...place,
    text,
    side: z.enum(['before', 'after']).optional().meta({ description: 'Of the quote. Without it: after.' })
  }),
  z.object({
    op: z.literal('insert-block'),
    anchor,
    name: words('Of the element.', 'paragraph'),
    attributes: z.record(z.string(), z.string()).optional(),
    text
  })
])

export const textChanges = z.array(textChange).min(1).meta({ description: 'All of them are made, or none.' })

export const textEdits = z.object({
  type: words('The root type: a text, or an XML fragment.', 'body'),
  changes: textChanges
})

export const jsonPatch = z
  .array(
    z.object({
      op: z.enum(['add', 'remove', 'replace', 'move', 'copy', 'test']),
      path: z
        .string()
        .meta({ description: 'A JSON Pointer; its first part names a root type.', example: '/meta/title' }),
      from: z.string().optional(),
      value: anyJson.optional()
    })
  )
  .min(1)
  .meta({ description: 'RFC 6902.' })

const author = z
  .object({ user: z.string().nullable(), connection: z.string().nullable(), origin: z.string() })
  .nullable()

export const edited = z.object({
  version: z
    .string()
    .meta({ description: 'Whoever edits has seen the document up to here, and its own changes.' }),
  isChanged: z.boolean(),
  isRepeated: z.boolean().meta({ description: 'The edit of this key was made before.' }),
  isInterrupted: z.boolean().meta({
    description: 'Somebody deleted what was being written, so that the rest was not.'
  }),
  connection: z.string().nullable().meta({ description: 'Of an agent: an undo can name it.' })
})

export const stale = z.object({
  error: z.string(),
  message: z.string(),
  version: z.string().meta({ description: 'The document as it is now.' }),
  change: z.int().meta({ description: 'Which change, from 0.' }),
  passage: anyJson.meta({ description: 'What stands there now.' }),
  by: z.array(z.object({ author, timeMs: z.number() })).meta({
    description: 'Who changed it, as far as that is known.'
  })
})

export const readQuery = {
  form: z.enum(['text', 'outline', 'json']).optional().meta({ description: 'Without it: `outline`.' }),
  type: z
    .string()
    .optional()
    .meta({ description: 'A root type. Without it: the first text, or of JSON all of them.' }),
  anchor
}

export const readAnswer = z.looseObject({ version: z.string() }).meta({
  description: 'With `text`; or `blocks` of `anchor`, `name` and `text`; or `types`.'
})

export const state = z.record(z.string(), anyJson).meta({
  description:
    'What the others see: `user` with `name` and `color`, `cursor`, and whatever your editor shows.'
})
